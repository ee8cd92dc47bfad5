"""Rules about runs, decided in the transaction that records the runs."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.alerting.course import step
from app.alerting.kinds import KINDS, Past
from app.alerting.rulebook import Rulebook, read_rulebook
from app.alerting.telling import lock_rules, read_previous, tell
from app.alerting.verdicts import SeenRun, Sign, Verdict
from app.models import Alert, AlertRule, Run

TOO_OLD = timedelta(hours=24)
"""A run that ended so long before it was told is history: it raises nothing."""

OpenAlerts = dict[tuple[int, int | None], Alert]
"""By rule and workflow; for a moment also those that have just ended."""


def decide(session: Session, runs: Iterable[Mapping[str, Any]], now: datetime) -> None:
    """Open, continue and end alerts for runs that are new or have another outcome than before, as
    columns of the runs table; and leave messages in the outbox. All of it in the session's
    transaction."""
    ended = [run for run in runs if _counts(run, now)]
    if not ended:
        return
    book = read_rulebook(session, {"runs"}, {run["workspace_id"] for run in ended})
    if book.rules:
        _decide(session, book, ended, now)


def _counts(run: Mapping[str, Any], now: datetime) -> bool:
    ended_at = run["ended_at"]
    return not run["is_test"] and ended_at is not None and now - ended_at <= TOO_OLD


def _decide(
    session: Session, book: Rulebook, ended: Sequence[Mapping[str, Any]], now: datetime
) -> None:
    workspaces = {run["workflow_id"]: run["workspace_id"] for run in ended}
    seen: dict[int, list[SeenRun]] = defaultdict(list)
    for run in ended:
        seen[run["workflow_id"]].append(_see(run))
    pairs = [
        (rule, workflow_id)
        for workflow_id in seen
        for rule in book.matching(workspaces[workflow_id], workflow_id)
    ]
    found = read_open(session, pairs)
    pairs = [pair for pair in pairs if _is_concerned(pair, seen, found)]
    if not pairs:
        return
    rules = {rule.id: rule for rule, _ in pairs}
    lock_rules(session, list(rules))
    found = read_open(session, pairs)
    histories = _read_histories(session, pairs, seen)
    verdicts = [
        judge_new(rule, histories.get(workflow_id, ()), seen[workflow_id])
        for rule, workflow_id in pairs
    ]
    opening = [
        (rule, workflow_id)
        for (rule, workflow_id), each in zip(pairs, verdicts, strict=True)
        if (rule.id, workflow_id) not in found and any(one.sign is Sign.OPENS for one in each)
    ]
    found = read_previous(session, opening, now) | found
    touched: dict[int, list[Alert]] = {}
    for (rule, workflow_id), each in zip(pairs, verdicts, strict=True):
        alerts = _apply(book, rule, workflow_id, found, each, now)
        if alerts:
            touched.setdefault(rule.id, []).extend(alerts)
    tell(session, book, touched, rules, now)


def _see(run: Mapping[str, Any]) -> SeenRun:
    return SeenRun(
        run["id"],
        run["workflow_id"],
        run["outcome"],
        run["ended_at"],
        run["duration_ms"],
        run["public_id"],
        run["error_type"],
        run["error_message"],
    )


def read_open(session: Session, pairs: Collection[tuple[AlertRule, int | None]]) -> OpenAlerts:
    """The open alerts of these rules, as they are now."""
    if not pairs:
        return {}
    query = select(Alert).where(
        Alert.rule_id.in_({rule.id for rule, _ in pairs}), Alert.ended_at.is_(None)
    )
    rows = session.scalars(query.execution_options(populate_existing=True))
    return {(alert.rule_id or 0, alert.workflow_id): alert for alert in rows}


def _is_concerned(
    pair: tuple[AlertRule, int], seen: Mapping[int, list[SeenRun]], found: OpenAlerts
) -> bool:
    """Whether the new runs can open an alert, or there is one to continue or end."""
    rule, workflow_id = pair
    wakes = KINDS[rule.kind].wakes
    return (rule.id, workflow_id) in found or any(
        wakes(rule.numbers, run) for run in seen[workflow_id]
    )


def _read_histories(
    session: Session,
    pairs: Iterable[tuple[AlertRule, int]],
    seen: Mapping[int, list[SeenRun]],
) -> dict[int, list[SeenRun]]:
    """The runs before the new ones, as far back as any rule needs them: one query a workflow."""
    pasts: dict[int, list[Past]] = defaultdict(list)
    for rule, workflow_id in pairs:
        pasts[workflow_id].append(KINDS[rule.kind].past(rule.numbers))
    return {
        workflow_id: read_past(session, workflow_id, seen[workflow_id], wanted)
        for workflow_id, wanted in pasts.items()
        if any(past.runs for past in wanted)
    }


def read_past(
    session: Session, workflow_id: int, new: Sequence[SeenRun], wanted: Sequence[Past]
) -> list[SeenRun]:
    """The workflow's runs up to the last of the new ones, and without them."""
    ids = {run.id for run in new}
    query = select(Run.id, Run.outcome, Run.ended_at, Run.duration_ms).where(
        Run.workflow_id == workflow_id,
        Run.ended_at <= max(run.ended_at for run in new),
        Run.is_test.is_(False),
    )
    needed = [past for past in wanted if past.runs]
    if all(past.window for past in needed):
        longest = max(past.window or timedelta(0) for past in needed)
        query = query.where(Run.ended_at > min(run.ended_at for run in new) - longest)
    most = max(past.runs for past in needed) + len(new)
    rows = session.execute(query.order_by(Run.ended_at.desc(), Run.id.desc()).limit(most))
    return [
        SeenRun(run_id, workflow_id, outcome, ended_at, duration_ms)
        for run_id, outcome, ended_at, duration_ms in rows
        if run_id not in ids and ended_at is not None
    ]


def judge_new(rule: AlertRule, history: Sequence[SeenRun], new: Sequence[SeenRun]) -> list[Verdict]:
    """The rule's verdicts over the new runs, each in the light of those that ended before it."""
    kind, ids = KINDS[rule.kind], {run.id for run in new}
    past = history[: kind.past(rule.numbers).runs]  # The newest come first.
    runs = sorted((*past, *new), key=lambda run: (run.ended_at, run.id))
    verdicts = kind.judge(rule.numbers, runs)
    return [verdict for run, verdict in zip(runs, verdicts, strict=True) if run.id in ids]


def _apply(
    book: Rulebook,
    rule: AlertRule,
    workflow_id: int,
    found: OpenAlerts,
    verdicts: Iterable[Verdict],
    now: datetime,
) -> list[Alert]:
    """The alerts that the verdicts have opened, changed or ended."""
    alert = found.get((rule.id, workflow_id))
    is_hushed_now = book.hush(rule, workflow_id, now) is not None
    touched: list[Alert] = []
    for verdict in verdicts:
        is_hushed = is_hushed_now or book.hush(rule, workflow_id, verdict.at) is not None
        stepped = step(rule, alert, verdict, workflow_id, now, is_hushed)
        if stepped is None:
            continue
        alert = stepped
        if not touched or touched[-1] is not alert:
            touched.append(alert)
    return touched
