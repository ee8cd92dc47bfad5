"""Documents of other systems: JSON from a file or an address, within bounds, and nobody's word."""

import http.client
import json
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

from app.log_lines import escape
from app.workspaces.mistakes import RefusedError

MOST_BYTES = 32 * 1024 * 1024
MOST_ITEMS = 10_000
TIMEOUT_SECONDS = 20
_CONNECTIONS: dict[str, type[http.client.HTTPConnection]] = {
    "http": http.client.HTTPConnection,
    "https": http.client.HTTPSConnection,
}
_REASONS = {
    401: "The API key is missing or wrong there.",
    403: "The API key is missing or wrong there.",
    404: "There is no such list; give the address of the server alone.",
}


def read_file(path: Path) -> Any:
    """The file's JSON. Raises RefusedError, and OSError where it can't be read."""
    with path.open("rb") as file:
        return parse(file.read(MOST_BYTES + 1), str(path))


def fetch(url: str, usual_path: str, headers: Mapping[str, str]) -> Any:
    """The JSON that a server answers with; an address without a path gets the usual one.

    A redirect is not followed: the headers hold a key of that server. Raises RefusedError.
    """
    parts = urlsplit(url)
    kind, host = _CONNECTIONS.get(parts.scheme), parts.hostname
    if kind is None or not host:
        raise RefusedError("file", "Give a file, or an address that begins with https://.")
    path = parts.path if parts.path.strip("/") else usual_path
    try:
        with closing(kind(host, parts.port, timeout=TIMEOUT_SECONDS)) as connection:
            target = f"{path}?{parts.query}" if parts.query else path
            connection.request("GET", target, None, headers)
            answer = connection.getresponse()
            raw = answer.read(MOST_BYTES + 1)
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise RefusedError("file", f"{host} could not be asked: {escape(str(error))}") from error
    if answer.status != 200:
        to = answer.headers.get("Location")
        reason = _REASONS.get(answer.status) or (f"It leads to {to}: give that." if to else "")
        raise RefusedError("file", f"{host} answered {answer.status}. {escape(reason)}".strip())
    return parse(raw, host)


def parse(raw: bytes, name: str) -> Any:
    """The JSON of some bytes. Raises RefusedError."""
    if len(raw) > MOST_BYTES:
        raise RefusedError("file", f"{escape(name)} has more than {MOST_BYTES // 2**20} MB.")
    try:
        return json.loads(raw.decode("utf-8-sig"), parse_constant=_refuse_constant)
    except RecursionError:
        reason = "it is nested too deeply"
    except ValueError as error:
        reason = escape(str(error))[:200]
    raise RefusedError("file", f"{escape(name)} holds no JSON that can be read: {reason}.")


def _refuse_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON")


def list_items(document: Any, member: str, expected: str) -> list[dict[str, Any]]:
    """The objects of a list, which may stand in a member. Raises RefusedError."""
    items = document.get(member) if isinstance(document, dict) else document
    if not isinstance(items, list) or not all(isinstance(each, dict) for each in items):
        raise RefusedError("file", f"This is not what was expected: {expected}.")
    if len(items) > MOST_ITEMS:
        raise RefusedError("file", f"It holds {len(items):,} entries; {MOST_ITEMS:,} are read.")
    return items


def text_of(item: Mapping[str, Any], name: str) -> str:
    """A member that is a text; empty where it is none."""
    value = item.get(name)
    return make_whole(value) if isinstance(value, str) else ""


def make_whole(text: str) -> str:
    """With a question mark for each half of a character (a lone surrogate): JSON can hold one, and
    neither a page nor the database can."""
    return text.encode("utf-8", "replace").decode()


def number_of(item: Mapping[str, Any], name: str) -> int | None:
    """A member that is a whole number."""
    value = item.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
