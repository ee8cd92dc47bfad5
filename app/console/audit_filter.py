"""Which entries of the audit log a reader wants to see."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from app.console.run_filter import PERIODS
from app.console.url_filter import (
    BadValue,
    Parameter,
    UrlFilter,
    Value,
    choice,
    period,
    read_since,
    read_until,
)
from app.models import IS_BY_NO_PERSON, AuditEntry
from app.workspaces.audit import ACTIONS, KINDS

OTHERS = {
    "nobody": "Somebody not signed in",
    "command line": "Command line",
    "worker": "Worker",
}
"""Who does things and is no person, with what the page calls them."""

WorkspaceIds = Sequence[int | None]
"""None stands for the entries of no workspace."""
Fixed = tuple[tuple[Any, Any], ...]
"""Columns with the value that all entries of one branch have in them, in the order of an index."""


def _read_who(text: str, workspace_id: int) -> Value:
    if len(text) > 254 or "\0" in text:
        raise BadValue("Write an e-mail address, such as ana@example.org.")
    return Value(text.lower(), OTHERS.get(text.lower(), text.lower()))


def _may_be_by(who: str) -> Any:
    """Who it is chooses the branch; this, its index."""
    return IS_BY_NO_PERSON if who in OTHERS else AuditEntry.who.is_not(None)


@dataclass(frozen=True)
class AuditFilter(UrlFilter):
    """A filter of the audit log: times are conditions, and all else chooses its branches."""

    PARAMETERS: ClassVar[Mapping[str, Parameter]] = {
        "who": Parameter("Who", _read_who, _may_be_by),
        "kind": Parameter("What", choice(KINDS)),
        "period": Parameter("Time", period(PERIODS), AuditEntry.at.__ge__),
        "since": Parameter("Since", read_since, AuditEntry.at.__ge__),
        "until": Parameter("Until", read_until, AuditEntry.at.__lt__),
    }

    def branches(self, workspaces: WorkspaceIds) -> Iterator[Fixed]:
        """What fits, in parts of which each stands together and by time in an index."""
        who, kind = self.value("who"), self.value("kind")
        column = AuditEntry.actor if who in OTHERS else AuditEntry.who
        doer: Fixed = () if who is None else ((column, who),)
        for workspace_id in workspaces:
            whose: Fixed = ((AuditEntry.workspace_id, workspace_id), *doer)
            if kind is None:
                yield whose
            for what, action in ACTIONS.items():
                if action.kind == kind:
                    yield (*whose, (AuditEntry.what, what))
