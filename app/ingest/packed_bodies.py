"""Bodies that came compressed: nobody can look for keys in them, so they are not stored."""

import hashlib
import re

from app.ingest.records import NewEvent

PACKED = {
    b"\x1f\x8b": "gzip",
    b"x\x01": "deflate",
    b"x\x5e": "deflate",
    b"x\x9c": "deflate",
    b"x\xda": "deflate",
    b"PK\x03\x04": "zip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"BZh": "bzip2",
    b"\xfd7zXZ\0": "xz",
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"\x04\x22\x4d\x18": "lz4",
}
"""How packed bytes begin; after RFC 1950, 1952 and 8878, and what the programs write."""
_PLAIN = ("", "identity")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_LOOKED_AT = 1024
_NOTE = (
    "Its body is compressed, so it was not stored: of {:,} bytes that were read, the SHA-256 is {}."
)
_READ_NOTE = re.compile(
    r"Its body is compressed, so it was not stored: "
    r"of ([\d,]+) bytes that were read, the SHA-256 is ([0-9a-f]{64})\.\Z"
)


def is_declared(encoding: str | None) -> bool:
    """Whether a Content-Encoding says that the body is packed."""
    return (encoding or "").strip().lower() not in _PLAIN


def name_packing(raw: bytes) -> str | None:
    """What packed the bytes, where they begin like that and are no text."""
    found = next((name for magic, name in PACKED.items() if raw.startswith(magic)), None)
    return found if found and not _is_text(raw) else None


def _is_text(raw: bytes) -> bool:
    """Some begin with letters, as `x^2 = 4` does; packed bytes hold what no text has."""
    text = raw[:_LOOKED_AT].decode("utf-8", "replace")
    return "\N{REPLACEMENT CHARACTER}" not in text[:-1] and not _CONTROL.search(text)


def leave_out(event: NewEvent, body: bytes | None, encoding: str | None) -> NewEvent:
    """The event without a packed body, of which its detail tells; `body` is what came of it."""
    if not body or not (is_declared(encoding) or name_packing(body)):
        return event
    note = _NOTE.format(len(body), hashlib.sha256(body).hexdigest())
    return event._replace(body=b"", detail=f"{event.detail or ''} {note}".strip())


def read_note(detail: str | None) -> tuple[str, str] | None:
    """How many bytes were read of a body that was not stored, and their SHA-256."""
    found = _READ_NOTE.search(detail or "")
    return (found[1], found[2]) if found else None


def without_note(detail: str) -> str:
    """What the sender was told: the note stands in the log alone."""
    return _READ_NOTE.sub("", detail).rstrip()
