"""Keys that are written otherwise than plainly: as base64, also in lines, hex, escapes of JSON,
percent signs, UTF-16 or UTF-32. Where a request is stored, they are starred out too, the length
unchanged.
"""

import base64
import binascii
import re
from collections.abc import Callable
from functools import partial

from app.address_secrets import mask_addresses
from app.keys import PREFIX_LENGTH, mask_keys
from app.percent_encoding import unquote

_IN_BASE64 = re.compile(r"(?:ZnBf|ZwX|mcF[89])")
"""`fp_` where it begins with the first, second or third byte of three (RFC 4648, section 4)."""
_SHORTEST_RUN = 28
_BASE64 = re.compile(rf"[0-9A-Za-z+/_-]{{{_SHORTEST_RUN},}}+")
_BREAK = r"(?:(?:\\{1,8}r|\r|%0[Dd])?(?:\\{1,8}n|\n|%0[Aa])[ \t]*+)"
"""The end of a line, as it is, or as JSON and forms write it; what follows may be indented."""
_LINES = re.compile(rf"[0-9A-Za-z+/_-]++(?:{_BREAK}[0-9A-Za-z+/_-]++)++")
_BETWEEN = re.compile(_BREAK)
_HEX = re.compile(r"66705[Ff](?:3[0-9]|[46][1-9A-Fa-f]|[57][0-9Aa]){20,}+")
_ESCAPED = re.compile(r"(?:\\u00[0-7][0-9A-Fa-f]|[0-9A-Za-z_]){23,}+")
_PERCENT = re.compile(r"(?:%[0-7][0-9A-Fa-f]|[0-9A-Za-z_]){23,}+")
_UTF_16 = re.compile("f\0p\0_\0(?:[0-9A-Za-z]\0){20,}+|\0f\0p\0_(?:\0[0-9A-Za-z]){20,}+")
_UTF_32 = re.compile(
    "f\0{3}p\0{3}_\0{3}(?:[0-9A-Za-z]\0{3}){20,}+|\0{3}f\0{3}p\0{3}_(?:\0{3}[0-9A-Za-z]){20,}+"
)
_ODD = re.compile(
    r"fp(&\#0{0,8}95;|&\#[xX]0{0,8}5[fF];|&lowbar;|\\{1,8}x5[fF]|%(?:25){1,8}5[fF]|=5[fF])"
    r"([0-9A-Za-z]{20,}+)"
)
"""Escapes of HTML, programs and mail, and percent signs twice over, for the sign that must be."""
_ESCAPE = re.compile(r"\\u00([0-7][0-9A-Fa-f])")


def mask_disguised(text: str) -> str:
    """The text without keys in disguise; plain ones are `mask_keys`'s."""
    for sign, find in _DISGUISES:
        if sign in text:
            text = find(text)
    if "\n" in text or ("\\" in text and "\\n" in text) or ("%" in text and "%0" in text):
        may_be_base64 = _has_sign_over_lines(text.encode("utf-8", "replace"))
    else:
        may_be_base64 = "ZnBf" in text or "ZwX" in text or "mcF" in text
    return _star_out_base64(text) if may_be_base64 else text


def mask_all_keys(text: str) -> str:
    """The text without any key, or address that is one, that could be used."""
    return mask_addresses(mask_disguised(mask_keys(text)))


def mask_all_keys_in_bytes(raw: bytes) -> bytes:
    """The same for the keys of a body, which is otherwise kept byte by byte."""
    if not _may_hold_keys(raw):
        return raw
    return mask_disguised(mask_keys(raw.decode("latin-1"))).encode("latin-1")


def mask_addresses_in_bytes(raw: bytes) -> bytes:
    """As `mask_addresses`; in UTF-16 none are found."""
    if b"/" not in raw and b"%2" not in raw:
        return raw
    return mask_addresses(raw.decode("latin-1")).encode("latin-1")


def _star_out_base64(text: str) -> str:
    return _LINES.sub(_star_out_lines, _BASE64.sub(_star_out_if_base64, text))


def _star_out_if_base64(found: re.Match[str]) -> str:
    return _star_out_run(found[0])


def _star_out_run(run: str) -> str:
    """Whatever stands before it may have been taken for a part of it: it may begin later."""
    if not _IN_BASE64.search(run):
        return run
    for shift in range(4):
        plain = _decode(run[shift:])
        if mask_keys(plain) != plain:
            return "*" * len(run)
    return run


def _may_hold_keys(raw: bytes) -> bool:
    """Asked of each body that comes in: quick, and too cautious. The signs are `_DISGUISES`'s; what
    is rare in all bodies is looked for by its rarest byte first."""
    if b"%" in raw or b"fp" in raw or b"66705" in raw or (b"\0" in raw and b"p\0" in raw):
        return True
    if b"\\" in raw:
        return b"\\u00" in raw or _has_sign_over_lines(raw)
    if b"\n" in raw:
        return _has_sign_over_lines(raw)
    return b"ZnBf" in raw or b"ZwX" in raw or b"mcF" in raw


def _has_sign_over_lines(raw: bytes) -> bool:
    """Whether base64 of a key may begin in it, also in one line and go on in the next; ends of
    lines are also written as JSON and forms do."""
    if b"\\n" in raw:
        raw = raw.replace(b"\\n", b"").replace(b"\\r", b"")
    raw = raw.translate(None, b"\r\n\t \\")
    if b"%0" in raw:
        for sign in (b"%0A", b"%0a", b"%0D", b"%0d"):
            raw = raw.replace(sign, b"")
    return b"ZnBf" in raw or b"ZwX" in raw or b"mcF" in raw


def _star_out_lines(found: re.Match[str]) -> str:
    """Lines of base64 with nothing else in them are one run; their ends stay."""
    lines = found[0]
    run = _BETWEEN.sub("", lines)
    if len(run) < _SHORTEST_RUN or _star_out_run(run) == run:
        return lines
    return "".join(
        part if _BETWEEN.fullmatch(part) else "*" * len(part)
        for part in re.split(f"({_BREAK})", lines)
    )


def _decode(run: str) -> str:
    """As far as it is whole."""
    whole = run[: len(run) - len(run) % 4].replace("-", "+").replace("_", "/")
    rest = run[len(whole) :].replace("-", "+").replace("_", "/")
    if len(rest) > 1:
        whole += rest + "=" * (4 - len(rest))
    try:
        return base64.b64decode(whole).decode("latin-1")
    except binascii.Error:
        return ""


def _star_out_hex(text: str) -> str:
    return _HEX.sub(lambda found: _star(found, bytes.fromhex(_even(found[0])), 2), text)


def _even(digits: str) -> str:
    return digits[: len(digits) - len(digits) % 2]


def _star_out_utf_16(text: str) -> str:
    """And of UTF-32."""
    for pattern, width in ((_UTF_16, 2), (_UTF_32, 4)):
        text = pattern.sub(partial(_star_wide, width), text)
    return text


def _star_wide(width: int, found: re.Match[str]) -> str:
    return _star(found, found[0].replace("\0", "").encode(), width)


def _star_out_odd(text: str) -> str:
    return _ODD.sub(_star_odd, text)


def _star_odd(found: re.Match[str]) -> str:
    key = f"fp_{found[2]}"
    if mask_keys(key) == key:
        return found[0]
    kept = found.start(2) - found.start() + PREFIX_LENGTH - len("fp_")
    return found[0][:kept] + "*" * (len(found[0]) - kept)


def _star_out_escaped(text: str) -> str:
    return _ESCAPED.sub(
        lambda found: _rewrite(found[0], _ESCAPE.sub(lambda sign: chr(int(sign[1], 16)), found[0])),
        text,
    )


def _star_out_percent(text: str) -> str:
    return _PERCENT.sub(lambda found: _rewrite(found[0], unquote(found[0], "latin-1")), text)


def _star(found: re.Match[str], plain: bytes, width: int) -> str:
    """`width`: how many signs stand for one of the key's."""
    key = plain.decode("latin-1")
    if mask_keys(key) == key:
        return found[0]
    kept = PREFIX_LENGTH * width
    return found[0][:kept] + "*" * (len(found[0]) - kept)


def _rewrite(written: str, plain: str) -> str:
    masked = mask_keys(plain)
    return written if masked == plain else masked.ljust(len(written), "*")


_DISGUISES: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("66705", _star_out_hex),
    ("\\u00", _star_out_escaped),
    ("%", _star_out_percent),
    ("p\0", _star_out_utf_16),
    ("fp", _star_out_odd),
)
"""What a disguise can't do without, and what finds it; base64 comes last: it may go over lines."""
