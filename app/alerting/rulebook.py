"""The rules that are on, with what tells which workflows they look at, and when they keep quiet."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import BindParameter, bindparam, exists, select
from sqlalchemy.orm import Session

from app.alerting.kinds import KINDS
from app.alerting.kinds.kind import Source
from app.alerting.quiet import covers, hush_until
from app.models import AlertRule, MaintenanceWindow, WorkflowLabel

NO_LABELS: frozenset[str] = frozenset()
_WORKSPACES: BindParameter[int] = bindparam("workspace_ids", expanding=True)
_RULES = (
    select(AlertRule)
    .where(AlertRule.is_on, AlertRule.kind.in_(bindparam("kinds", expanding=True)))
    .order_by(AlertRule.id)
)
_ITS_WINDOWS = MaintenanceWindow.workspace_id.in_(_WORKSPACES)
_WINDOWS_OF = select(MaintenanceWindow).where(_ITS_WINDOWS)
_RULES_OF = _RULES.where(AlertRule.workspace_id.in_(_WORKSPACES)).add_columns(
    exists().where(_ITS_WINDOWS)
)
"""Each with whether there are windows to ask for: mostly there is none."""


@dataclass(frozen=True, slots=True)
class Rulebook:
    """Rules and windows by workspace, labels by workflow: read once for a whole batch."""

    rules: dict[int, list[AlertRule]] = field(default_factory=dict)
    labels: dict[int, frozenset[str]] = field(default_factory=dict)
    windows: dict[int, list[MaintenanceWindow]] = field(default_factory=dict)

    def labels_of(self, workflow_id: int | None) -> frozenset[str]:
        return self.labels.get(workflow_id or 0, NO_LABELS)

    def matching(self, workspace_id: int, workflow_id: int) -> list[AlertRule]:
        """The workspace's rules that look at the workflow."""
        labels = self.labels_of(workflow_id)
        rules = self.rules.get(workspace_id, ())
        return [rule for rule in rules if looks_at(rule, workflow_id, labels)]

    def hush(self, rule: AlertRule, workflow_id: int | None, moment: datetime) -> datetime | None:
        """Until when the rule must not tell of the workflow; None: it may."""
        labels = self.labels_of(workflow_id)
        windows = self.windows.get(rule.workspace_id, ())
        chosen = [window for window in windows if covers(window, workflow_id, labels)]
        if not chosen and rule.snoozed_until is None:
            return None
        return hush_until(rule, chosen, moment)

    def hushes(
        self, rule: AlertRule, workflow_id: int | None, moment: datetime, now: datetime
    ) -> bool:
        """Whether what was found at a moment must not be told of now."""
        return any(self.hush(rule, workflow_id, at) is not None for at in (now, moment))


def looks_at(rule: AlertRule, workflow_id: int, labels: Collection[str]) -> bool:
    if rule.workflow_id is not None:
        return rule.workflow_id == workflow_id
    return rule.label is None or rule.label in labels


def read_rulebook(
    session: Session,
    sources: Collection[Source],
    workspace_ids: Iterable[int] | None = None,
) -> Rulebook:
    """Those of the workspaces, or of all; where there is no rule, nothing more is asked."""
    names = [kind.name for kind in KINDS.values() if kind.source in sources]
    if workspace_ids is None:
        return complete(session, session.scalars(_RULES, {"kinds": names}).all())
    given = {"kinds": names, "workspace_ids": list(workspace_ids)}
    rows = session.execute(_RULES_OF, given).all()
    return complete(session, [row[0] for row in rows], any(row[1] for row in rows))


def complete(
    session: Session, rules: Collection[AlertRule], may_have_windows: bool = True
) -> Rulebook:
    """The rules with the labels and windows of their workspaces."""
    book = Rulebook()
    for rule in rules:
        book.rules.setdefault(rule.workspace_id, []).append(rule)
    if not rules:
        return book
    workspaces = {"workspace_ids": list(book.rules)}
    for window in session.scalars(_WINDOWS_OF, workspaces) if may_have_windows else ():
        book.windows.setdefault(window.workspace_id, []).append(window)
    labels = [rule.label for rule in rules]
    labels += [window.label for those in book.windows.values() for window in those]
    if any(labels):
        book.labels.update(_read_labels(session, book.rules))
    return book


def _read_labels(session: Session, workspace_ids: Iterable[int]) -> dict[int, frozenset[str]]:
    query = select(WorkflowLabel.workflow_id, WorkflowLabel.label)
    found = defaultdict(set)
    for workflow_id, label in session.execute(
        query.where(WorkflowLabel.workspace_id.in_(list(workspace_ids)))
    ):
        found[workflow_id].add(label)
    return {workflow_id: frozenset(labels) for workflow_id, labels in found.items()}
