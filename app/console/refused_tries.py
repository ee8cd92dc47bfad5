"""Refused requests that a connect page's sender may have sent, however many others send."""

import json
import re
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, func, or_, select

from app.console.event_text import body_holds, fold
from app.extensions import db
from app.models import ApiKey, Event, Workflow, of_state
from app.problems import PROBLEMS, Problem

LOOKED_AT = 50
"""Of each kind of try, so that many of one hide none of another."""
LOOKED_THROUGH = 5_000
"""Requests without the right key, which strangers send too, are looked through for a name."""
LOOKED_INTO = 8 * 1024
"""Bytes of a body in which the workflow is looked for, where nobody read it."""
SHOWN_TRIES = 5
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
_COLUMNS = (Workflow.public_id, Workflow.slug, Workflow.name)
_NEWEST_FIRST = (Event.received_at.desc(), Event.id.desc())
_SLACK = timedelta(minutes=1)

Condition = ColumnElement[bool]


class Since(NamedTuple):
    """What has come since the page was opened, and the id of the newest try that it shows."""

    after: int
    opened_at: datetime
    shown: int

    @property
    def conditions(self) -> list[Condition]:
        """Plus 0, and with the state spelt out: the index of refused requests by time is to be
        walked, of which so many are kept at most, and no other."""
        return [
            of_state("rejected"),
            Event.id + 0 > self.after,
            Event.received_at >= self.opened_at - _SLACK,
            Event.origin.is_(None),
        ]


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


class Tries(NamedTuple):
    """Refused tries, newest first. `scope`: the workspaces whose refused requests may be seen.

    With the key, all that come with it are the sender's; refused for their key, those that name the
    workflow. While any key counts, so are those that name no other workflow. What came with no
    known key belongs to no workspace: who may not see such requests is told of those that hold the
    workflow's id, which nobody guesses.
    """

    workflow: Workflow
    scope: Sequence[int | None]
    since: Since
    api_key: ApiKey | None

    def find(self) -> list[Event]:
        found: dict[int, Event] = {}
        for workspace_id in dict.fromkeys((*self.scope, None)):
            came = [_of_workspace(workspace_id), *self.since.conditions]
            for condition in self._of_sender() if workspace_id in self.scope else ():
                found |= {each.id: each for each in _list_newest([*came, condition])}
            found |= {each.id: each for each in self._list_naming(came, workspace_id)}
        return [found[event_id] for event_id in sorted(found, reverse=True)]

    def group(self, tries: Sequence[Event]) -> tuple[list[Refusal], int]:
        """What is shown, newest first, and how many tries say something else. Those that are
        surely of this sender go first where there are too many kinds."""
        same: dict[tuple[str | None, str | None], list[Event]] = {}
        for event in sorted(tries, key=self._doubt):
            same.setdefault((event.code, event.detail), []).append(event)
        groups = [sorted(each, key=lambda event: -event.id) for each in same.values()]
        shown, rest = groups[:SHOWN_TRIES], groups[SHOWN_TRIES:]
        shown.sort(key=lambda group: -group[0].id)
        return [self._tell(group) for group in shown], sum(map(len, rest))

    def _tell(self, group: list[Event]) -> Refusal:
        return Refusal(
            group[0],
            PROBLEMS.get(group[0].code or ""),
            len(group),
            self._is_about_the_key(group[0]),
            group[0].workspace_id in self.scope,
        )

    def _doubt(self, event: Event) -> tuple[int, int]:
        """Less for what is more surely of this sender, and for what is newer."""
        is_named = event.reference in _names(self.workflow)
        if is_named or self._has_key(event):
            return 0, -event.id
        return (1 if self._is_about_the_key(event) else 2), -event.id

    def _is_about_the_key(self, event: Event) -> bool:
        """Refused for its key, which is not the one that is listened for."""
        return event.code in KEY_CODES and not self._has_key(event)

    def _has_key(self, event: Event) -> bool:
        """Sent with the key that is listened for."""
        return self.api_key is not None and event.api_key_id == self.api_key.id

    def _of_sender(self) -> Iterator[Condition]:
        """Those that name the workflow, which others hide least, and those that may be meant."""
        if self.api_key:
            sent = may_be_meant = Event.api_key_id == self.api_key.id
        else:
            sent = Event.code.not_in(KEY_CODES)
            may_be_meant = sent & _names_no_other(self.workflow)
        yield from (sent & Event.reference.in_(_names(self.workflow)), may_be_meant)

    def _list_naming(self, came: list[Condition], workspace_id: int | None) -> list[Event]:
        """Refused for their key, which comes first: nobody read their bodies."""
        about_key = [*came, Event.code.in_(KEY_CODES)]
        if self.api_key:
            about_key.append(Event.api_key_id.is_distinct_from(self.api_key.id))
        newest = select(Event.id).where(*about_key).order_by(*_NEWEST_FIRST)
        looked_through = newest.limit(LOOKED_THROUGH).subquery()
        # What is shown stays, however many have come since.
        ids = or_(Event.id.in_(select(looked_through.c.id)), Event.id == self.since.shown)
        texts = _names(self.workflow) if workspace_id in self.scope else {self.workflow.public_id}
        found = _list_newest([*about_key, ids, or_(*map(_may_hold, texts))])
        named = _find_naming(texts, [each.id for each in found])
        return [each for each in found if each.id in named]


def _of_workspace(workspace_id: int | None) -> Condition:
    column = Event.workspace_id + 0
    return column.is_(None) if workspace_id is None else column == workspace_id


def _names(workflow: Workflow) -> set[str]:
    return {workflow.public_id, workflow.slug, workflow.name}


def _names_no_other(workflow: Workflow) -> Condition:
    """Names no workflow, or none that another of the same workspace is called."""
    others = (Workflow.workspace_id == workflow.workspace_id, Workflow.id != workflow.id)
    reference = Event.reference
    names = (reference.not_in(select(column).where(*others)) for column in _COLUMNS)
    return or_(reference.is_(None), and_(*names))


def _list_newest(conditions: Sequence[Condition]) -> list[Event]:
    query = select(Event).where(*conditions).order_by(*_NEWEST_FIRST)
    return list(db.session.scalars(query.limit(LOOKED_AT)))


def _may_hold(text: str) -> Condition:
    """Without case, anywhere in the body: only for the database to leave most of them out."""
    return or_(*(body_holds(fold(each)) for each in {text, json.dumps(text)[1:-1]}))


def _find_naming(texts: Collection[str], ids: Collection[int]) -> set[int]:
    """Those of the events whose body holds one of these as a whole word."""
    if not ids:
        return set()
    written = {each for text in texts for each in (text, json.dumps(text)[1:-1])}
    names = re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, written))})(?![\w-])")
    query = select(Event.id, func.substr(Event.body, 1, LOOKED_INTO)).where(Event.id.in_(ids))
    return {
        event_id
        for event_id, body in db.session.execute(query)
        if names.search(bytes(body).decode("utf-8", "replace"))
    }
