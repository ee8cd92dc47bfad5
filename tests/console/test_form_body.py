"""What a form's body may hold, before anything of it is looked at."""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.console.form_body import MAX_FORM_BYTES, MAX_FORM_FIELDS, MAX_STRANGERS_BYTES
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


def test_a_person_may_send_as_much_as_an_event_holds(app: Flask) -> None:
    client = make_client(app, make_team().email)
    body = b"a=" + b"x" * MAX_STRANGERS_BYTES
    assert client.post("/workflows", data=body, content_type=FORM).status_code != 413
    body = b"a=" + b"x" * MAX_FORM_BYTES
    assert client.post("/workflows", data=body, content_type=FORM).status_code == 413
