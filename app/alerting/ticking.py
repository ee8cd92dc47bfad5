"""What no run decides: silences, stuck runs, refusals, and what is due to be told.

Decided by the worker from the tables, every second or so; where nothing has changed, it only reads.
"""

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.alerting.course import step
from app.alerting.deciding import OpenAlerts
from app.alerting.endings import end, end_stale, find_stale
from app.alerting.explanations import Explain
from app.alerting.kinds import KINDS
from app.alerting.reasons import find_reasons
from app.alerting.rulebook import Rulebook, complete, looks_at, read_rulebook
from app.alerting.sights import FACTS, Fact, see_refused
from app.alerting.telling import lock_alerts, lock_rules, read_previous, tell
from app.alerting.verdicts import Sign, Verdict
from app.alerting.words import Ending
from app.extensions import db, writing
from app.models import Alert, AlertRule, Silence


class Change(NamedTuple):
    """A verdict that opens, continues or ends something."""

    rule: AlertRule
    workflow_id: int | None
    alert: Alert | None
    verdict: Verdict


class Locked(NamedTuple):
    """What one worker alone decides on: rules, and alerts whose rule may be gone."""

    rule_ids: Set[int]
    stale_ids: Set[int]


@dataclass(slots=True)
class Work:
    """What a tick has to do."""

    changes: list[Change] = field(default_factory=list)
    due: list[Alert] = field(default_factory=list)
    stale: list[tuple[Alert, Ending]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.changes or self.due or self.stale)

    def rules(self) -> dict[int, AlertRule]:
        changed = {change.rule.id: change.rule for change in self.changes}
        return changed | {alert.rule.id: alert.rule for alert in self.due if alert.rule}

    def locked(self) -> Locked:
        its_rules = {alert.rule_id for alert, _ in self.stale if alert.rule_id is not None}
        return Locked(self.rules().keys() | its_rules, {alert.id for alert, _ in self.stale})

    def within(self, locked: Locked) -> "Work":
        """What of it is locked."""
        return Work(
            [change for change in self.changes if change.rule.id in locked.rule_ids],
            [alert for alert in self.due if alert.rule_id in locked.rule_ids],
            [each for each in self.stale if each[0].id in locked.stale_ids],
        )


def tick(now: datetime, explain: Explain | None = None) -> None:
    """Look at the tables, and decide in one transaction what has changed since the last look."""
    try:
        work = find_work(db.session(), now)
    finally:
        db.session.rollback()
    if not work:
        return
    with writing() as session:
        locked = find_work(session, now).locked()
        lock_rules(session, locked.rule_ids)
        lock_alerts(session, locked.stale_ids)
        session.expire_all()  # On PostgreSQL another worker may have been quicker.
        # What is new since is not locked, and waits for the next look.
        do_work(session, find_work(session, now).within(locked), now, explain)


def find_work(session: Session, now: datetime) -> Work:
    stale = find_stale(session)
    gone = {alert.id for alert, _ in stale}
    due = session.scalars(select(Alert).where(Alert.due_at <= now).order_by(Alert.due_at))
    book = read_rulebook(session, {"silences", "stuck", "refused"})
    return Work(
        list(_find_changes(session, book, now)) if book.rules else [],
        [alert for alert in due if alert.id not in gone],
        stale,
    )


def do_work(session: Session, work: Work, now: datetime, explain: Explain | None) -> None:
    end_stale(session, work.stale, now)
    rules = work.rules()
    book = complete(session, list(rules.values()))
    touched: dict[int, list[Alert]] = {}
    for change in work.changes:
        changed = _apply(session, book, change, now)
        if changed is not None:
            touched.setdefault(change.rule.id, []).append(changed)
    for alert in work.due:
        alerts = touched.setdefault(alert.rule_id or 0, [])
        if alert not in alerts:
            alerts.append(alert)
    tell(session, book, touched, rules, now, explain)


def _find_changes(session: Session, book: Rulebook, now: datetime) -> Iterator[Change]:
    rules = [rule for rules in book.rules.values() for rule in rules]
    found = _read_open(session, rules)
    sources = {KINDS[rule.kind].source for rule in rules}
    facts = {name: FACTS[name].read(session) for name in sources if name in FACTS}
    for rule in rules:
        source = KINDS[rule.kind].source
        if source in FACTS:
            yield from _about_workflows(book, rule, found, facts[source], now)
        else:
            alert = found.get((rule.id, None))
            sight = see_refused(session, rule, alert, now)
            (verdict,) = KINDS[rule.kind].judge(rule.numbers, [sight])
            yield from _matter(rule, None, alert, verdict)


def _about_workflows(
    book: Rulebook, rule: AlertRule, found: OpenAlerts, facts: Sequence[Fact], now: datetime
) -> Iterator[Change]:
    """The rule's verdicts over the workflows that have something, and those with an open alert."""
    now_so = {
        fact.workflow_id: fact
        for fact in facts
        if fact.workspace_id == rule.workspace_id
        and looks_at(rule, fact.workflow_id, book.labels_of(fact.workflow_id))
    }
    alerts = {
        workflow_id: alert
        for (rule_id, workflow_id), alert in found.items()
        if rule_id == rule.id and workflow_id is not None
    }
    kind = KINDS[rule.kind]
    for workflow_id in sorted(now_so.keys() | alerts.keys()):
        fact, alert = now_so.get(workflow_id), alerts.get(workflow_id)
        sight = fact.see(alert, now) if fact else FACTS[kind.source].see_nothing(now)
        (verdict,) = kind.judge(rule.numbers, [sight])
        yield from _matter(rule, workflow_id, alert, verdict)


def _matter(
    rule: AlertRule, workflow_id: int | None, alert: Alert | None, verdict: Verdict
) -> Iterator[Change]:
    """The verdict, where it changes anything."""
    if alert is None:
        changes = verdict.sign is Sign.OPENS
    else:
        is_news = any(alert.detail.get(name) != value for name, value in verdict.detail.items())
        changes = verdict.sign is Sign.GOOD or (verdict.sign is not Sign.NOTHING and is_news)
    if changes:
        yield Change(rule, workflow_id, alert, verdict)


def _read_open(session: Session, rules: list[AlertRule]) -> OpenAlerts:
    ids = [rule.id for rule in rules]
    query = select(Alert).where(Alert.rule_id.in_(ids), Alert.ended_at.is_(None))
    return {(alert.rule_id or 0, alert.workflow_id): alert for alert in session.scalars(query)}


def _apply(session: Session, book: Rulebook, change: Change, now: datetime) -> Alert | None:
    rule, workflow_id, alert, verdict = change
    if alert is None:
        previous = read_previous(session, [(rule, workflow_id)], now)
        alert = previous.get((rule.id, workflow_id))
        if alert is not None and KINDS[rule.kind].source == "refused":
            new = see_refused(session, rule, alert, now).new
            verdict = replace(verdict, count=min(new, verdict.count))
    if KINDS[rule.kind].source == "refused" and _is_finding(change):
        since = now - timedelta(minutes=rule.numbers["minutes"])
        reasons = find_reasons(session, rule.workspace_id, since)
        verdict = replace(verdict, detail={**verdict.detail, **reasons})
    is_hushed = book.hush(rule, workflow_id, now) is not None
    alert = step(rule, alert, verdict, workflow_id, now, is_hushed)
    if (
        alert is not None
        and alert.ended_at is not None
        and _ended_without_a_run(session, rule, alert)
    ):
        end(session, [alert], "unscheduled", now)
        return None
    return alert


def _is_finding(change: Change) -> bool:
    """Whether it opens an alert or adds to one; not where only time has passed."""
    if change.verdict.sign not in (Sign.OPENS, Sign.ADDS):
        return False
    return change.alert is None or change.verdict.new > 0


def _ended_without_a_run(session: Session, rule: AlertRule, alert: Alert) -> bool:
    """Whether a silence is over only since its schedule was changed or removed."""
    if KINDS[rule.kind].source != "silences":
        return False
    newest = select(Silence.ended_by_run_id).where(Silence.workflow_id == alert.workflow_id)
    return session.scalar(newest.order_by(Silence.id.desc()).limit(1)) is None
