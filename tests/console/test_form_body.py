"""What a form's body may hold, before anything of it is looked at."""

from io import BytesIO

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.console.form_body import (
    MAX_EVENT_FORM_BYTES,
    MAX_FORM_BYTES,
    MAX_FORM_FIELDS,
    MAX_STRANGERS_BYTES,
    TAKE_EVENTS,
)
from tests.console.rules import UNSAFE, addresses
from tests.factories import make_team
from tests.sessions import make_client

pytestmark = pytest.mark.once

FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=b"


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"--b\r\n", MULTIPART, 415),
        (b"a&" * MAX_FORM_FIELDS, FORM, 413),
        (b"a=" + b"x" * MAX_STRANGERS_BYTES, FORM, 413),
        (b"a=" + b"%" * 1_000, FORM, 400),
    ],
)
def test_a_stranger_learns_why_a_form_is_not_read(
    client: FlaskClient, body: bytes, content_type: str, status: int
) -> None:
    answer = client.post("/sign-in", data=body, content_type=content_type)
    assert answer.status_code == status
    assert "Nothing was changed" in answer.text


def test_a_person_may_send_as_much_as_an_event_holds_where_a_form_takes_one(app: Flask) -> None:
    client = make_client(app, make_team().email)
    for _, method, path in found(app, takes_events=True):
        for size, is_too_large in ((MAX_STRANGERS_BYTES, False), (MAX_EVENT_FORM_BYTES, True)):
            answer = client.open(path, method=method, data=b"a=" + b"x" * size, content_type=FORM)
            assert (answer.status_code == 413) == is_too_large, path


def test_every_other_form_is_small(app: Flask) -> None:
    client = make_client(app, make_team().email)
    for _, method, path in found(app, takes_events=False):
        body = b"a=" + b"%41" * (MAX_FORM_BYTES // 3)
        answer = client.open(path, method=method, data=body, content_type=FORM)
        assert answer.status_code == 413, path
        assert "The form is larger than 256 KB" in answer.text, path
    body = b"a=" + b"x" * (MAX_FORM_BYTES - 2)
    assert client.post("/workflows", data=body, content_type=FORM).status_code != 413


def test_a_form_that_hides_its_size_is_no_larger(app: Flask) -> None:
    client = make_client(app, make_team().email)
    body = b"a=" + b"x" * MAX_FORM_BYTES
    environ = {"wsgi.input": BytesIO(body), "wsgi.input_terminated": True}
    answer = client.post("/workflows", content_type=FORM, environ_overrides=environ)
    assert answer.status_code == 413


def test_what_takes_an_event_is_there(app: Flask) -> None:
    assert {endpoint for endpoint, *_ in found(app, takes_events=True)} == TAKE_EVENTS


def found(app: Flask, *, takes_events: bool) -> list[tuple[str, str, str]]:
    return [each for each in addresses(app, UNSAFE) if (each[0] in TAKE_EVENTS) == takes_events]
