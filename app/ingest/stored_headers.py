"""The headers of a request as the log keeps them: within bounds, and without secrets."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from app.answers import dump, quote
from app.disguised_keys import mask_all_keys
from app.secret_names import is_secret_header
from app.secret_texts import MASK

MOST_BYTES = 64 * 1024
"""Of JSON, for a request that is one event: as of its body. gunicorn lets 800 KB through."""
MOST_BYTES_IN_BATCH = 4 * 1024
"""... and for one with up to 500 events, each of which is stored with them."""
_ALWAYS_KEPT = frozenset(
    {
        "AUTHORIZATION",
        "CONTENT_ENCODING",
        "CONTENT_LENGTH",
        "CONTENT_TYPE",
        "HOST",
        "IDEMPOTENCY_KEY",
        "TRANSFER_ENCODING",
        "USER_AGENT",
        "X_API_KEY",
        "X_FORWARDED_FOR",
        "X_REQUEST_ID",
    }
)
"""What decides what becomes of an event, and tells where it came from."""
_LONGEST_KEPT = 400
"""Bytes of JSON. What is longer is left out, since a part of it would be another value."""


class _Header(NamedTuple):
    """A header as JSON: the pair up to its value, or the whole pair where the value is secret."""

    start: str
    whole: str | None
    is_always_kept: bool


def write_headers(environ: Mapping[str, Any], most_bytes: int = MOST_BYTES) -> str:
    """Names and values as JSON pairs; of secret headers only that they were there.

    Where that makes more than so many bytes, only those that matter most, as far as they are short.
    """
    pairs, kept = [], []
    for variable, value in environ.items():
        header = _as_header(variable)
        if header and (value or variable.startswith("HTTP_")):
            pair = header.whole or f"{header.start}{quote(value)}]"
            pairs.append(pair)
            if header.is_always_kept and len(pair) <= _LONGEST_KEPT:
                kept.append(pair)
    text = ",".join(pairs)
    return mask_all_keys(f"[{text if len(text) <= most_bytes else ','.join(kept)}]")


def add_idempotency_key(headers: str, key: str) -> str:
    """What `write_headers` made, with the Idempotency-Key of one event behind it."""
    pair = mask_all_keys(dump(["Idempotency-Key", key]))
    return f"{headers[:-1]},{pair}]" if len(headers) > 2 else f"[{pair}]"


@lru_cache(maxsize=1024)
def _as_header(variable: str) -> _Header | None:
    """The header that a variable of the environ stands for (RFC 3875, section 4.1.18)."""
    if not variable.startswith("HTTP_") and variable not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        return None
    plain = variable.removeprefix("HTTP_")
    name = plain.replace("_", "-").title()
    whole = dump([name, MASK]) if is_secret_header(plain) else None
    return _Header(f"[{dump(name)},", whole, plain in _ALWAYS_KEPT)
