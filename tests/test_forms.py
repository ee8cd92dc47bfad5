"""A form's body is read as Werkzeug reads it."""

import random
from io import BytesIO

import pytest
from flask import Request

from app.forms import FormRequest

PIECES = ["a", "b=", "=", "&", "&&", "+", "%41", "%c3%a9", "%ff", "%C3", "%", "%zz", "%00", "é"]
PIECES += ["%26", "%3D", "%2B", "%ed%a0%80", "%f0%9f%98%80"]


def read(request_class: type[Request], body: bytes) -> list[tuple[str, str]]:
    environ = {
        "REQUEST_METHOD": "POST",
        "CONTENT_TYPE": "application/x-www-form-urlencoded",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": BytesIO(body),
    }
    return list(request_class(environ).form.items(multi=True))


@pytest.mark.parametrize("seed", range(10))
def test_what_is_mixed_at_random_is_read_as_by_werkzeug(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(200):
        body = "".join(chance.choices(PIECES, k=chance.randrange(1, 15))).encode()
        assert read(FormRequest, body) == read(Request, body), body


def test_a_body_that_is_no_utf_8_is_no_form() -> None:
    assert read(FormRequest, b"a=\xff") == read(Request, b"a=\xff")
