"""What has come for a workflow since its connect page was opened: ticks, and refused tries."""

import json
import re
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, Self

from sqlalchemy import ColumnElement, and_, func, or_, select
from werkzeug.datastructures import MultiDict

from app.clock import now
from app.console.event_bounds import newest_id
from app.extensions import db
from app.models import ApiKey, Event, Workflow, of_state
from app.problems import PROBLEMS, Problem
from app.processing.runs import kinds_that_tell

SILENT_AFTER = timedelta(seconds=60)
LONGEST = timedelta(hours=24)
"""How far back refused tries are looked for, however old the page is."""
LOOKED_AT = 50
SHOWN_TRIES = 5
LOOKED_INTO = 8 * 1024
"""Bytes of a body in which the workflow is looked for, where nobody read it."""
KEY_CODES = frozenset(
    {
        "expired_api_key",
        "insufficient_scope",
        "malformed_api_key",
        "missing_api_key",
        "rate_limited",
        "revoked_api_key",
        "unknown_api_key",
        "workflow_not_allowed",
    }
)
"""Refused for the key: whoever puts a wrong one into the sender gets these."""
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


class Refusal(NamedTuple):
    """The latest of some refused tries that say the same, and how many they are.

    `is_by_name`: it came without the key that is listened for, and names the workflow. `may_open`:
    whether the reader may see the request itself.
    """

    event: Event
    problem: Problem | None
    times: int
    is_by_name: bool
    may_open: bool


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
    tries = _find_refused(workflow, scope, watch, api_key)
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
    refusals = _group(tries, api_key, scope)
    shown, rest = refusals[:SHOWN_TRIES], refusals[SHOWN_TRIES:]
    more = sum(each.times for each in rest)
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


def _find_refused(
    workflow: Workflow, scope: Sequence[int | None], watch: Watch, api_key: ApiKey | None
) -> list[Event]:
    """The latest refused requests, newest first, that this page's sender may have sent.

    With the key, all are; refused for their key, those that name the workflow. While any key
    counts, so are those that name no other workflow. What came with no known key belongs to no
    workspace: who may not see such requests is told of those that hold the workflow's id, which
    nobody guesses.
    """
    ids = [each for each in scope if each is not None]
    # Plus 0 and a literal state: only the index of refused requests by time is to be walked.
    workspace_id = Event.workspace_id + 0
    of_nobody: ColumnElement[bool] = workspace_id.is_(None)
    if None not in scope:
        of_nobody = and_(of_nobody, Event.code.in_(KEY_CODES))
    query = select(Event).where(
        of_state("rejected"),
        Event.received_at >= watch.opened_at - timedelta(minutes=1),
        Event.id + 0 > watch.after,
        Event.origin.is_(None),
        or_(workspace_id.in_(ids), of_nobody),
    )
    if api_key:
        query = query.where(or_(Event.api_key_id == api_key.id, Event.code.in_(KEY_CODES)))
    query = query.order_by(Event.received_at.desc(), Event.id.desc()).limit(LOOKED_AT)
    found = list(db.session.scalars(query))
    by_key = {each.id for each in found if _is_about_the_key(each, api_key)}
    hidden = {each.id for each in found if each.workspace_id not in scope}
    named = _find_naming(workflow, by_key, hidden)
    others = _names_of_others(workflow, {each.reference for each in found if each.reference})
    return [
        each
        for each in found
        if (each.id in named if each.id in by_key else api_key or each.reference not in others)
    ]


def _is_about_the_key(event: Event, api_key: ApiKey | None) -> bool:
    """Refused for its key, which is not the one that is listened for."""
    is_known = api_key is not None and event.api_key_id == api_key.id
    return event.code in KEY_CODES and not is_known


def _find_naming(workflow: Workflow, ids: Collection[int], by_id: Collection[int]) -> set[int]:
    """Those of the events whose body names the workflow, or holds its id; nobody read it, since the
    key comes first."""
    if not ids:
        return set()
    texts = (workflow.public_id, workflow.slug, workflow.name, json.dumps(workflow.name)[1:-1])
    names = re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, texts))})(?![\w-])")
    query = select(Event.id, func.substr(Event.body, 1, LOOKED_INTO)).where(Event.id.in_(ids))
    return {
        event_id
        for event_id, body in db.session.execute(query)
        if names.search(text := bytes(body).decode("utf-8", "replace"))
        and (event_id not in by_id or workflow.public_id in text)
    }


def _names_of_others(workflow: Workflow, references: set[str]) -> set[str]:
    """Those of the references that name another workflow of the same workspace."""
    if not references:
        return set()
    columns = (Workflow.public_id, Workflow.slug, Workflow.name)
    query = select(*columns).where(
        Workflow.workspace_id == workflow.workspace_id,
        Workflow.id != workflow.id,
        or_(*(column.in_(references) for column in columns)),
    )
    return {name for row in db.session.execute(query) for name in row}


def _group(
    tries: list[Event], api_key: ApiKey | None, scope: Sequence[int | None]
) -> list[Refusal]:
    same: dict[tuple[str | None, str | None], list[Event]] = {}
    for event in tries:
        same.setdefault((event.code, event.detail), []).append(event)
    return [
        Refusal(
            group[0],
            PROBLEMS.get(group[0].code or ""),
            len(group),
            _is_about_the_key(group[0], api_key),
            group[0].workspace_id in scope,
        )
        for group in same.values()
    ]


def _read_id(args: MultiDict[str, str], name: str) -> int | None:
    text = args.get(name, "")
    is_number = text.isascii() and text.isdigit() and len(text) < 20
    return min(int(text), _MAX_ID) if is_number else None
