"""Bodies and heads that are small to send and meant to be dear to read."""

import base64
import gzip
import json
import zlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from tests.drills.marks import ANY_BUT_A_CRASH, BODY_REFUSED, HEAD_REFUSED

LIMIT = 1024 * 1024
DEEP = 100_000
DIGITS = 1_000_000
NAMES = 100_000
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=b"


class Bomb(NamedTuple):
    """A request's body, headers and address, and the answers that are right for it."""

    body: bytes = b""
    headers: Mapping[str, str] = MappingProxyType({})
    query: str = ""
    answers: frozenset[int] = BODY_REFUSED


def packed(how: str) -> dict[str, str]:
    return {"Content-Type": JSON, "Content-Encoding": how}


def part(number: int) -> bytes:
    return b'--b\r\nContent-Disposition: form-data; name="%d"\r\n\r\n1\r\n' % number


ZEROS = b"0" * 100_000_000
"""100 MB, which are 100 KB when they are packed."""
AS_JSON = {"Content-Type": JSON}
AS_FORM = {"Content-Type": FORM}

BODIES: dict[str, Bomb] = {
    "arrays, 100,000 levels": Bomb(b"[" * DEEP + b"]" * DEEP, AS_JSON),
    "objects, 100,000 levels": Bomb(b'{"a":' * DEEP + b"1" + b"}" * DEEP, AS_JSON),
    "arrays that never close": Bomb(b"[" * (LIMIT - 1), AS_JSON),
    "objects that never close": Bomb(b'{"a":' * (LIMIT // 5), AS_JSON),
    "deep in metadata": Bomb(
        b'{"metadata":' + b'[{"a":' * (DEEP // 2) + b"1" + b"}]" * (DEEP // 2) + b"}", AS_JSON
    ),
    "1e999999999": Bomb(b'{"duration_ms": 1e999999999}', AS_JSON),
    "many 1e999999999": Bomb(b'{"metadata": [' + b"1e999999999," * 80_000 + b"1]}", AS_JSON),
    "1,000,000 digits": Bomb(b'{"duration_ms": ' + b"9" * DIGITS + b"}", AS_JSON),
    "1,000,000 digits behind a point": Bomb(b'{"duration_ms": 0.' + b"9" * DIGITS + b"}", AS_JSON),
    "many numbers of 4,000 digits": Bomb(
        b'{"metadata": [' + b",".join([b"9" * 4_000] * 250) + b"]}", AS_JSON
    ),
    "digits in an exponent": Bomb(b'{"duration_ms": 1e' + b"9" * DIGITS + b"}", AS_JSON),
    "100,000 names": Bomb(
        json.dumps({f"{number:x}": 1 for number in range(NAMES)}).encode()[:-1][: LIMIT - 20]
        + b"}",
        AS_JSON,
    ),
    "one name 100,000 times": Bomb(
        b"{" + b",".join([b'"ab":1'] * NAMES) + b"}",
        AS_JSON,
    ),
    "escapes": Bomb(b'{"error_message": "' + b"\\u0041" * 170_000 + b'"}', AS_JSON),
    "halves of signs": Bomb(b'{"error_message": "' + b"\\ud800" * 170_000 + b'"}', AS_JSON),
    "NULs": Bomb(b'{"error_message": "' + b"\\u0000" * 170_000 + b'"}', AS_JSON),
    "quotes that never close": Bomb(b'{"a": "' + b'\\"' * 500_000, AS_JSON),
    "commas": Bomb(b"{" + b"," * 1_000_000 + b"}", AS_JSON),
    "blanks": Bomb(b" " * (LIMIT - 1), AS_JSON),
    "line breaks": Bomb(b"\n" * (LIMIT - 1) + b"x", AS_JSON),
    "JSON in a text in a text": Bomb(json.dumps(json.dumps("[" * 200_000)).encode(), AS_JSON),
    "no UTF-8": Bomb(b"\xc3\x28" * (LIMIT // 2), AS_JSON),
    "no UTF-8 at the end": Bomb(b'{"a": "' + "é".encode() * 500_000 + b'\xff"}', AS_JSON),
    "single quotes": Bomb(b"{" + b"'a': 'b', " * 100_000 + b"}", AS_JSON),
    "comments": Bomb(b"/*" * 500_000, AS_JSON),
    "unresolved expressions": Bomb(b'{"workflow_slug": ' + b"{{ " * 300_000, AS_JSON),
    "brackets in quotes": Bomb(b'{"a": "' + b"{[" * 500_000 + b'" x}', AS_JSON),
    "100,000 fields": Bomb(b"a=1&" * NAMES, AS_FORM),
    "a million empty fields": Bomb(b"a&" * 500_000, AS_FORM),
    "separators": Bomb(b"a=1" + b"&" * 1_000_000, AS_FORM),
    "escapes of a form": Bomb(b"a=" + b"%41" * 340_000, AS_FORM),
    "a form of percent signs": Bomb(b"a=" + b"%" * 1_000_000, AS_FORM),
    "2 MB of escapes": Bomb(b"a=" + b"%41" * 695_000, AS_FORM),
    "4 MB of percent signs": Bomb(b"a=" + b"%" * 4_000_000, AS_FORM),
    "10,000 parts": Bomb(
        b"".join(map(part, range(10_000))) + b"--b--\r\n", {"Content-Type": MULTIPART}
    ),
    "a part without end": Bomb(part(1) + b"\r\n--" * 250_000, {"Content-Type": MULTIPART}),
    "a part's endless head": Bomb(b"--b\r\nX: " + b"a" * 900_000, {"Content-Type": MULTIPART}),
    "gzip": Bomb(gzip.compress(ZEROS), packed("gzip")),
    "gzip, unsaid": Bomb(gzip.compress(ZEROS), AS_JSON),
    "deflate": Bomb(zlib.compress(ZEROS), packed("deflate")),
    "deflate, unsaid": Bomb(zlib.compress(ZEROS), AS_JSON),
    "br": Bomb(base64.b64decode("W/////8fAA==") * 100, packed("br")),
    "many encodings": Bomb(b"{}", packed("gzip, " * 1_000)),
}
"""What a body can be filled with."""

HEADS: dict[str, Bomb] = {
    "99 headers": Bomb(
        headers={f"X-{number}": "a" * 70 for number in range(90)}, answers=ANY_BUT_A_CRASH
    ),
    "large headers": Bomb(
        headers={f"X-{number}": "a" * 8_000 for number in range(80)}, answers=ANY_BUT_A_CRASH
    ),
    "too many headers": Bomb(
        headers={f"X-{number}": "a" for number in range(500)}, answers=HEAD_REFUSED
    ),
    "a header of 100 KB": Bomb(headers={"X-A": "a" * 100_000}, answers=HEAD_REFUSED),
    "cookies": Bomb(headers={"Cookie": "a=1; " * 1_600}, answers=ANY_BUT_A_CRASH),
    "cookies of quotes": Bomb(headers={"Cookie": 'a="' + '\\"' * 4_000}, answers=ANY_BUT_A_CRASH),
    "a session that is none": Bomb(
        headers={"Cookie": "session=" + "." * 8_000}, answers=ANY_BUT_A_CRASH
    ),
    "a session that is packed": Bomb(
        headers={
            "Cookie": "session=."
            + base64.urlsafe_b64encode(zlib.compress(b"0" * 5_000_000)).decode().rstrip("=")
            + ".a.b"
        },
        answers=ANY_BUT_A_CRASH,
    ),
    "1,500 parameters": Bomb(query="?" + "&".join(["a=1"] * 1_500), answers=ANY_BUT_A_CRASH),
    "empty parameters": Bomb(query="?" + "&" * 8_000, answers=ANY_BUT_A_CRASH),
    "escapes in an address": Bomb(query="?q=" + "%41" * 2_600, answers=ANY_BUT_A_CRASH),
    "a long address": Bomb(query="?q=" + "a" * 100_000, answers=HEAD_REFUSED),
    "a long key": Bomb(headers={"X-API-Key": "fp_" + "a" * 8_000}, answers=ANY_BUT_A_CRASH),
    "keys": Bomb(
        query="?q=" + "fp_" * 2_600, headers={"User-Agent": "fp_" * 2_600}, answers=ANY_BUT_A_CRASH
    ),
    "accepted types": Bomb(headers={"Accept": "a/b;q=0.1," * 800}, answers=ANY_BUT_A_CRASH),
    "languages": Bomb(headers={"Accept-Language": "en;q=0.1," * 800}, answers=ANY_BUT_A_CRASH),
    "ranges": Bomb(headers={"Range": "bytes=" + "0-1," * 1_900}, answers=ANY_BUT_A_CRASH),
    "entity tags": Bomb(headers={"If-None-Match": '"a", ' * 1_600}, answers=ANY_BUT_A_CRASH),
    "a host": Bomb(headers={"Host": "a." * 4_000}, answers=ANY_BUT_A_CRASH),
    "a long idempotency key": Bomb(
        headers={"Idempotency-Key": "a" * 8_000}, answers=ANY_BUT_A_CRASH
    ),
    "a media type of parameters": Bomb(
        headers={"Content-Type": "a/b" + '; a="\\"' * 1_000}, answers=ANY_BUT_A_CRASH
    ),
}
"""What a head can be filled with. What is too long or too many is refused; what is merely odd may
get any answer but a crash, if it comes soon."""
