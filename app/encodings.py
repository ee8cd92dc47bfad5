"""Which encoding a body came in, and its text: not all senders write UTF-8."""

from typing import NamedTuple

_MARKS = {
    b"\xff\xfe\x00\x00": "utf-32-le",
    b"\x00\x00\xfe\xff": "utf-32-be",
    b"\xff\xfe": "utf-16-le",
    b"\xfe\xff": "utf-16-be",
}
"""Byte order marks; those of UTF-32 first, since one of them begins as one of UTF-16."""
_UNITS = {"utf-8": 1, "utf-16-le": 2, "utf-16-be": 2, "utf-32-le": 4, "utf-32-be": 4}
_FEWEST, _SHARE = 4, 16
"""So many NULs, and one in so many bytes, are more than a text in UTF-8 has."""
_CLEARLY = 1.5
"""So many times as many NULs as in the other places."""


class Decoded(NamedTuple):
    """The bytes of a body are `mark`, `text` and `tail`: of its last sign, what was cut off."""

    text: str
    codec: str
    mark: bytes = b""
    tail: bytes = b""
    is_readable: bool = True

    @property
    def name(self) -> str:
        """What people call the encoding."""
        return self.codec.upper().removesuffix("-LE").removesuffix("-BE")

    def encode(self, text: str) -> bytes:
        """Another text in the same encoding, with the same bytes around it."""
        errors = "surrogateescape" if self.codec == "utf-8" else "surrogatepass"
        return self.mark + text.encode(self.codec, errors) + self.tail

    def index_of(self, offset: int) -> int:
        """In the text, of the sign that the byte at this offset of the body belongs to."""
        size = max(0, offset - len(self.mark))
        size -= size % _UNITS[self.codec]
        return len(
            self.text.encode(self.codec, "surrogatepass")[:size].decode(self.codec, "surrogatepass")
        )


def decode(raw: bytes) -> Decoded:
    """The text of a body, whose encoding shows by its mark or by where its NULs stand.

    Bytes that are no UTF-8 are halves of surrogates in it, as `surrogateescape` has them. Not
    readable is what is full of NULs and in none of these encodings: nothing tells what it says.
    """
    mark, codec = _find_codec(raw)
    if codec != "utf-8":
        end = len(raw) - (len(raw) - len(mark)) % _UNITS[codec]
        try:
            text = raw[len(mark) : end].decode(codec, "surrogatepass")
            if text[:1].isascii():  # JSON begins so; else the mark or the NULs are a chance's.
                return Decoded(text, codec, mark, raw[end:])
        except UnicodeDecodeError:
            pass
    return Decoded(raw.decode("utf-8", "surrogateescape"), "utf-8", is_readable=not _is_full(raw))


_BEGINNINGS = {
    b"{\0": "utf-16-le",
    b"[\0": "utf-16-le",
    b"\0{": "utf-16-be",
    b"\0[": "utf-16-be",
}
"""Of JSON, however few of the signs that follow are Latin ones."""


def _find_codec(raw: bytes) -> tuple[bytes, str]:
    for mark, codec in _MARKS.items():
        if raw.startswith(mark):
            return mark, codec
    return b"", _find_by_nuls(raw) if _is_full(raw) else _BEGINNINGS.get(raw[:2], "utf-8")


def _is_full(raw: bytes) -> bool:
    return b"\0" in raw and (count := raw.count(0)) >= _FEWEST and count * _SHARE >= len(raw)


def _find_by_nuls(raw: bytes) -> str:
    """Where most signs are Latin ones, as JSON's own are, all but one byte of each are NUL."""
    groups = len(raw) / 4
    first, second, third, fourth = (raw[at::4].count(0) / groups for at in range(4))
    if fourth > 0.9 and third > 0.5:
        return "utf-32-le"
    if first > 0.9 and second > 0.5:
        return "utf-32-be"
    even, odd = first + third, second + fourth
    if odd >= even * _CLEARLY:
        return "utf-16-le"
    return "utf-16-be" if even >= odd * _CLEARLY else "utf-8"
