"""What the forms of API keys say: until when, and for which workflows."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import accumulate
from typing import NamedTuple

from markupsafe import escape
from sqlalchemy import select
from werkzeug.datastructures import MultiDict

from app.clock import now
from app.console.formatting import planned
from app.console.reader import read_zone
from app.extensions import db
from app.models import Workflow
from app.workspaces.api_keys import check_api_key, check_end
from app.workspaces.mistakes import Mistakes, RefusedError

LIFETIMES: dict[str, timedelta | None] = {
    "never": None,
    "30 days": timedelta(days=30),
    "90 days": timedelta(days=90),
    "365 days": timedelta(days=365),
}
KEEPS: dict[str, timedelta | None] = {
    "1 hour": timedelta(hours=1),
    "24 hours": timedelta(hours=24),
    "7 days": timedelta(days=7),
    "30 days": timedelta(days=30),
    "now": timedelta(0),
}
"""How long a key that is rotated works on; what cuts senders off is no choice to slip into."""
MAX_CHOICES, MAX_CHOICE_BYTES, CHOICE_BYTES = 250, 35_000, 110
"""Workflows to tick: more, or longer names, would make the page too heavy (each takes some bytes
besides its name); the command line takes any."""
_MILLISECOND = timedelta(milliseconds=1)
_A_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_NO_MOMENT = "Enter a date and time, such as 2027-01-31 14:30."
ReadOwn = Callable[[str, str, tzinfo], datetime]
"""Reads the text of a field, in a zone. Raises RefusedError."""
USUAL_KEEP = "24 hours"
ON_A_DATE = "date"


class NewKey(NamedTuple):
    """What the form of a new key asks for."""

    name: str
    scopes: list[str]
    expires_at: datetime | None
    workflow_ids: list[int]


class WorkflowChoice(NamedTuple):
    """A workflow that a key may be limited to."""

    public_id: str
    name: str


def list_choices(choices: dict[str, timedelta | None]) -> list[tuple[str, str]]:
    """Value and label of each, and of a date of one's own."""
    return [(name, name.capitalize()) for name in choices] + [(ON_A_DATE, "On a date…")]


def list_keeps() -> list[tuple[str, str, int | None]]:
    """Value and label of each of KEEPS, with its length in ms, and of a time of one's own."""
    own = (ON_A_DATE, "At a time of your own…", None)
    *lengths, at_once = [
        (name, name.capitalize(), (length or timedelta()) // _MILLISECOND)
        for name, length in KEEPS.items()
    ]
    return [*lengths, own, at_once]


def tell_end(form: MultiDict[str, str]) -> str:
    """The end that was chosen for the old key, as its people read times. Raises RefusedError."""
    until = read_end(form)
    return "now" if until <= now() else planned(until.replace(second=0), read_zone(form))


def read_end(form: MultiDict[str, str]) -> datetime:
    """The end that was chosen for the old key. Raises RefusedError."""
    return read_time(form, "keep", KEEPS, USUAL_KEEP, read_moment) or now()


def suggest_keep(pause: timedelta | None) -> str:
    """The first choice from the usual one on that outlasts the senders' longest pause."""
    lengths = {name: length for name, length in KEEPS.items() if length}
    least = max(pause or timedelta(0), lengths[USUAL_KEEP] - timedelta(seconds=1))
    return next((name for name, length in lengths.items() if length > least), list(lengths)[-1])


def read_new_key(form: MultiDict[str, str], workspace_id: int) -> NewKey:
    """Raises RefusedError with all that is wrong."""
    name, scopes, mistakes = form.get("name", ""), form.getlist("scope"), Mistakes()
    expires_at: datetime | None = None
    workflow_ids: list[int] = []
    with mistakes.noted():
        check_api_key(workspace_id, name, scopes)
    with mistakes.noted():
        expires_at = read_time(form, "expires", LIFETIMES, "never")
    with mistakes.noted():
        workflow_ids = read_workflows(form, workspace_id)
    mistakes.refuse()
    return NewKey(name, scopes, expires_at, workflow_ids)


def read_day(field: str, text: str, zone: tzinfo) -> datetime:
    """The end of that day in the zone."""
    try:
        day = date.fromisoformat(text)
        moment = datetime.combine(day, time(23, 59, 59), zone).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise RefusedError(field, "Enter a day, such as 2027-01-31.") from error
    check_end(field, moment)
    return moment


def read_moment(field: str, text: str, zone: tzinfo) -> datetime:
    """That moment in the zone; of a day alone, its end."""
    text = text.strip()
    if _A_DAY.fullmatch(text):
        return read_day(field, text, zone)
    try:
        moment = datetime.fromisoformat(text)
        moment = (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise RefusedError(field, _NO_MOMENT) from error
    check_end(field, moment)
    return moment


def read_time(
    form: MultiDict[str, str],
    field: str,
    choices: dict[str, timedelta | None],
    usual: str,
    read_own: ReadOwn = read_day,
) -> datetime | None:
    """The moment that was chosen; None for never. `read_own` reads one that is not in the list.

    Raises RefusedError for what is not in the list: a mistake must not make a key for ever.
    """
    name = form.get(field, usual)
    if name == ON_A_DATE:
        return read_own(f"{field}_on", form.get(f"{field}_on", ""), read_zone(form))
    if name not in choices:
        raise RefusedError(field, f"Choose one of {', '.join(choices)}.")
    length = choices[name]
    return None if length is None else now() + length


def list_workflow_choices(workspace_id: int) -> tuple[list[WorkflowChoice], bool]:
    """Those in use, by name: as many as keep the page light, and whether that is all."""
    query = select(Workflow.public_id, Workflow.name).where(
        Workflow.workspace_id == workspace_id, Workflow.archived_at.is_(None)
    )
    rows = [
        WorkflowChoice(*row)
        for row in db.session.execute(query.order_by(Workflow.name).limit(MAX_CHOICES + 1))
    ]
    weights = accumulate(len(escape(row.name).encode()) + CHOICE_BYTES for row in rows)
    most = sum(weight <= MAX_CHOICE_BYTES for weight in weights)
    listed = rows[: min(most, MAX_CHOICES)]
    return listed, len(listed) == len(rows)


def read_workflows(form: MultiDict[str, str], workspace_id: int) -> list[int]:
    """The primary keys of the workflows that were ticked. Raises RefusedError."""
    wanted = set(form.getlist("workflow"))
    query = select(Workflow.id).where(
        Workflow.workspace_id == workspace_id, Workflow.public_id.in_(wanted)
    )
    found = list(db.session.scalars(query)) if wanted else []
    if len(found) < len(wanted):
        raise RefusedError("workflows", "One of these workflows is not there any more.")
    return found
