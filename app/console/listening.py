"""What has come for a workflow since its connect page was opened: ticks, and refused tries."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, Self

from sqlalchemy import ColumnElement, and_, or_, select
from werkzeug.datastructures import MultiDict

from app.clock import now
from app.console.event_bounds import newest_id
from app.console.refused_tries import Refusal, Since, Tries
from app.extensions import db
from app.models import ApiKey, Event, Workflow
from app.processing.runs import kinds_that_tell

SILENT_AFTER = timedelta(seconds=60)
LONGEST = timedelta(hours=24)
"""How far back refused tries are looked for, however old the page is."""
_FAR_BEHIND = 5_000
_MAX_ID = 2**63 - 1


class Watch(NamedTuple):
    """What the page knows so far; it stands in the address, and all but `at` are ids of events.

    `after`: the newest when the page was opened, at `at` (Unix seconds). `seen`: up to where was
    looked for ticks. `success`, `failure`, `refused`: what is shown; 0 for nothing yet.
    """

    after: int
    at: int
    seen: int
    success: int = 0
    failure: int = 0
    refused: int = 0
    stray: int = 0

    @classmethod
    def start(cls) -> Self:
        newest = newest_id()
        return cls(newest, int(now().timestamp()), newest)

    @classmethod
    def read(cls, args: MultiDict[str, str]) -> Self | None:
        """From an address; None where it is not there or can't be read."""
        after, at = _read_id(args, "after"), _read_id(args, "at")
        if after is None or at is None:
            return None
        shown = ("success", "failure", "refused", "stray")
        rest = {name: _read_id(args, name) or 0 for name in shown}
        return cls(after, at, max(_read_id(args, "seen") or 0, after), **rest)

    @property
    def opened_at(self) -> datetime:
        """Not before LONGEST ago and not ahead, whatever the address says."""
        moment = now()
        seconds = min(max(self.at, (moment - LONGEST).timestamp()), moment.timestamp())
        return datetime.fromtimestamp(seconds, UTC)


class Heard(NamedTuple):
    """What there is to show, and what the next look has to know.

    `more_refused` tries say something else than the `refusals` that are shown, and are older.
    `stray` was accepted, and ticks nothing: it came with another key, or for another workflow.
    """

    success: Event | None
    failure: Event | None
    refusals: list[Refusal]
    more_refused: int
    stray: Event | None
    is_silent: bool
    watch: Watch

    @property
    def is_complete(self) -> bool:
        return bool(self.success and self.failure)


def _tells(outcome: str) -> ColumnElement[bool]:
    return Event.kind.in_(kinds_that_tell(outcome))


def listen(
    workflow: Workflow, scope: Sequence[int | None], watch: Watch, api_key: ApiKey | None = None
) -> Heard:
    """Look once. `scope` are the workspaces whose refused requests the reader may see.

    `api_key` is the sender's: reports with another one are another sender's. Without it, any key
    of the workspace counts.
    """
    newest = newest_id()
    own = [Event.workflow_id == workflow.id]
    own += [Event.api_key_id == api_key.id] if api_key else []
    success = _find_first(watch.success, watch.seen, *own, _tells("success"))
    failure = _find_first(watch.failure, watch.seen, *own, _tells("failure"))
    since = Since(watch.after, watch.opened_at, watch.refused)
    listed = Tries(workflow, scope, since, api_key)
    tries = listed.find()
    stray = _find_stray(workflow, watch, api_key) if api_key else None
    nothing_came = not (success or failure or tries or stray)
    next_watch = watch._replace(
        seen=newest,
        success=success.id if success else 0,
        failure=failure.id if failure else 0,
        refused=tries[0].id if tries else 0,
        stray=stray.id if stray else 0,
    )
    is_silent = nothing_came and now() - watch.opened_at >= SILENT_AFTER
    shown, more = listed.group(tries)
    return Heard(success, failure, shown, more, stray, is_silent, next_watch)


def is_news(before: Watch, heard: Heard, was_silent: bool) -> bool:
    """Whether a page that shows what `before` knows has to be drawn anew."""
    after = heard.watch
    if after.seen - before.seen > _FAR_BEHIND or heard.is_silent != was_silent:
        return True
    return after._replace(seen=0) != before._replace(seen=0)


def _find_first(known_id: int, seen: int, *conditions: ColumnElement[bool]) -> Event | None:
    """The event that is shown already, or the first since then that a sender sent."""
    query = select(Event).where(
        *conditions,
        Event.state != "rejected",
        Event.origin.is_(None),
        Event.id == known_id if known_id else Event.id > seen,
    )
    return db.session.scalar(query.order_by(Event.id).limit(1))


def _find_stray(workflow: Workflow, watch: Watch, api_key: ApiKey) -> Event | None:
    is_ours, has_key = Event.workflow_id == workflow.id, Event.api_key_id == api_key.id
    is_stray = or_(and_(is_ours, ~has_key), and_(~is_ours, has_key))
    return _find_first(watch.stray, watch.seen, is_stray)


def _read_id(args: MultiDict[str, str], name: str) -> int | None:
    text = args.get(name, "")
    is_number = text.isascii() and text.isdigit() and len(text) < 20
    return min(int(text), _MAX_ID) if is_number else None
