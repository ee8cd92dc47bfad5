"""Where an event stood in its batch, and where it would go alone."""

import re

BATCH = "batch"
"""The kind of a request that is refused as a whole; each event of a batch has its own kind."""
PATH = f"/api/v1/ingest/{BATCH}"
_PLACE = re.compile(re.escape(PATH) + r"(?:\?.*)?#/events/(\d{1,3})", re.ASCII)
"""Where an event stood in its batch, as a JSON Pointer (RFC 6901, section 6)."""
_MOST_OF_A_PATH = 1900


def find_place(kind: str | None, path: str) -> int | None:
    """The place in its batch of the event that has this kind and path in the log, from 0."""
    found = _PLACE.fullmatch(path) if kind != BATCH else None
    return int(found[1]) if found else None


def sent_alone(kind: str | None, body: bytes) -> tuple[str, bytes]:
    """Path and body of a request for one event of a batch; a batch of one, where it has no kind."""
    return (f"/api/v1/ingest/{kind}", body) if kind else (PATH, b'{"events": [' + body + b"]}")


def write_path(query: str | None, place: int) -> str:
    """The path in the log of the event at this place; `query` is that of the batch's address."""
    path = f"{PATH}?{query}" if query else PATH
    return f"{path[:_MOST_OF_A_PATH]}#/events/{place}"
