"""Keys that are written otherwise than plainly are starred out where a request is stored."""

import base64
import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.disguised_keys import mask_all_keys, mask_all_keys_in_bytes
from app.keys import PREFIX_LENGTH, make_key, mask_keys

DISGUISES: dict[str, Callable[[str], str]] = {
    "plain": lambda text: text,
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 for addresses": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    "base64 without padding": lambda text: base64.b64encode(text.encode()).decode().rstrip("="),
    "hex": lambda text: text.encode().hex(),
    "HEX": lambda text: text.encode().hex().upper(),
    "escapes": lambda text: "".join(f"\\u{ord(sign):04x}" for sign in text),
    "one escape": lambda text: text.replace("_", "\\u005F"),
    "percent signs": lambda text: "".join(f"%{ord(sign):02X}" for sign in text),
    "one percent sign": lambda text: text.replace("_", "%5f"),
    "UTF-32": lambda text: "".join(f"{sign}\0\0\0" for sign in text),
    "UTF-32, the other way": lambda text: "".join(f"\0\0\0{sign}" for sign in text),
    "an escape of HTML": lambda text: text.replace("_", "&#95;"),
    "another escape of HTML": lambda text: text.replace("_", "&#x5F;"),
    "an escape of programs": lambda text: text.replace("_", "\\x5f"),
    "percent signs twice over": lambda text: text.replace("_", "%255F"),
    "an escape of mails": lambda text: text.replace("_", "=5F"),
    "UTF-16": lambda text: "".join(f"{sign}\0" for sign in text),
    "UTF-16, the other way": lambda text: "".join(f"\0{sign}" for sign in text),
}


def reveal(text: str) -> str:
    """All that the text says in any of the ways."""
    plain = text.replace("\0", "")
    ways = [text, plain, plain.encode().decode("unicode_escape", "replace")]
    for shift in range(4):
        for run in plain.replace("-", "+").replace("*", " ").replace('"', " ").split():
            cut = run[shift:]
            try:
                ways.append(base64.b64decode(cut[: len(cut) // 4 * 4]).decode("latin-1"))
            except ValueError:
                continue
    return " ".join(ways)


@pytest.mark.parametrize("disguise", DISGUISES)
@pytest.mark.parametrize("around", ["{}", "a{}", "ab{}", "abc{}", "user:{}", "x {} y", "{}:"])
def test_no_disguise_keeps_a_key(disguise: str, around: str) -> None:
    key = make_key()
    text = json.dumps({"note": "MARK"}).replace("MARK", DISGUISES[disguise](around.format(key)))
    masked = mask_all_keys(text)
    assert key[PREFIX_LENGTH:] not in reveal(masked) and key[PREFIX_LENGTH:24] not in reveal(masked)
    assert len(masked) == len(text) and masked.endswith('"}')
    raw = b"\xff" + text.encode()
    assert mask_all_keys_in_bytes(raw) == b"\xff" + masked.encode()


def in_lines(text: str, width: int, end: str) -> str:
    return end.join(text[start : start + width] for start in range(0, len(text), width))


ENDS = {
    "LF": "\n",
    "CRLF": "\r\n",
    "JSON's": "\\n",
    "CRLF of JSON": "\\r\\n",
    "JSON's in JSON": "\\\\n",
    "a form's": "%0A",
    "CRLF of a form": "%0d%0a",
    "indented": "\n    ",
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("width", [2, 16, 60, 64, 76])
@pytest.mark.parametrize("before", [0, 1, 2, 40, 55, 200])
def test_base64_in_lines_keeps_no_key(end: str, width: int, before: int) -> None:
    key = make_key()
    packed = base64.b64encode(b"u" * before + key.encode() + b":").decode()
    text = f'{{"note": "Basic {in_lines(packed, width, ENDS[end])}", "more": "it stays"}}'
    masked = mask_all_keys(text)
    joined = masked.replace(ENDS[end], "")
    assert key[PREFIX_LENGTH:] not in reveal(joined) and key[PREFIX_LENGTH:24] not in reveal(joined)
    assert len(masked) == len(text) and masked.endswith('", "more": "it stays"}')
    raw = b"\xff" + text.encode()
    assert mask_all_keys_in_bytes(raw) == b"\xff" + masked.encode()


def test_base64_in_lines_without_a_key_stays() -> None:
    packed = base64.b64encode(b"mcF ZwX fp_0123456789abcdef0123456789abcdef, fp_" * 9).decode()
    text = in_lines(packed, 64, "\n")
    assert mask_all_keys(text) == text
    assert mask_all_keys_in_bytes(text.encode()) == text.encode()


@pytest.mark.parametrize("disguise", DISGUISES)
def test_what_only_looks_like_one_stays(disguise: str) -> None:
    text = DISGUISES[disguise]("fp_0123456789abcdef0123456789abcdef and fp_short")
    assert mask_all_keys(text) == text
    assert mask_all_keys_in_bytes(text.encode()) == text.encode()


@given(st.text(max_size=60) | st.text(st.sampled_from("fp_ZnBmcF8\\u0066%05\0\n"), max_size=80))
def test_all_else_stays_as_it_came(text: str) -> None:
    assert mask_all_keys(text) == mask_keys(text)
    raw = text.encode("utf-8", "surrogatepass")
    assert len(mask_all_keys_in_bytes(raw)) == len(raw)
