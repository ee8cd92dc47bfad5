"""Lists, newest first, in pages that a cursor continues; filters read from the query."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from marshmallow import Schema
from sqlalchemy import Select

from app.api.search import Sought, search
from app.extensions import db
from app.ingest.timestamps import read_timestamp
from app.problems import FieldError, ProblemError

DEFAULT_LIMIT = 50
MAX_LIMIT = 200
MAX_ID = 2**63 - 1


@dataclass(frozen=True, slots=True)
class PageRequest:
    """How much of a list is asked for: `limit` rows with ids below `before`."""

    limit: int
    before: int | None


def read_page_request(query: Mapping[str, str]) -> PageRequest:
    """`limit` (clamped to 1…200) and `cursor`; raises `validation_failed` for what is neither."""
    limit = _read_number(query, "limit", "Send a whole number from 1 to 200.")
    before = _read_number(query, "cursor", "Send the next_cursor of the answer before, unchanged.")
    clamped = DEFAULT_LIMIT if limit is None else min(max(limit, 1), MAX_LIMIT)
    return PageRequest(clamped, before)


def _read_number(query: Mapping[str, str], name: str, fix: str) -> int | None:
    text = query.get(name, "").strip()
    if not text:
        return None
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) < 20):
        raise invalid_parameter(name, text, fix)
    if abs(int(text)) > MAX_ID:
        raise invalid_parameter(name, text, fix)
    return int(text)


def read_moment(query: Mapping[str, str], name: str) -> datetime | None:
    """A time from the query; raises `validation_failed` where it is none."""
    text = query.get(name, "").strip()
    if not text:
        return None
    # A plus that was not escaped arrives as a space: 09:31:00+02:00 as "09:31:00 02:00".
    date, _, rest = text.partition("T")
    moment = read_timestamp(f"{date}T{rest.replace(' ', '+')}" if rest else text)
    if moment is None:
        raise invalid_parameter(name, text, "Send an ISO 8601 time, such as 2026-01-15T09:31:00Z.")
    return moment.at


def read_choice(query: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str | None:
    text = query.get(name, "").strip()
    if text and text not in choices:
        raise invalid_parameter(name, text, f"Send one of {', '.join(choices)}.")
    return text or None


def invalid_parameter(name: str, received: str, fix: str) -> ProblemError:
    error = FieldError(name, "invalid_parameter", f"{name} can't be read.", fix, received)
    return ProblemError("validation_failed", errors=[error])


def list_page(
    query: Select[Any], sought: Sought, page: PageRequest, schema: Schema, **more: Any
) -> dict[str, Any]:
    """The rows as `data`, `next_cursor` (null on the last page), and what else is told.

    A page before the last may have fewer rows than asked for, where a search took its time.
    """
    found = search(sought, page.limit, page.before)
    rows = query.where(sought.key.in_(found.keys)).order_by(sought.key.desc())
    return {
        "data": schema.dump(db.session.scalars(rows) if found.keys else [], many=True),
        "next_cursor": None if found.older is None else str(found.older),
        **more,
    }
