"""Rules about runs, decided in the transaction that records the runs."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from app.alerting.course import step
from app.alerting.kinds import KINDS, Past
from app.alerting.late import decide_late
from app.alerting.recent import Told, find_late, in_time, recent_runs
from app.alerting.rulebook import Rulebook, read_rulebook
from app.alerting.telling import lock_rules, read_previous, tell
from app.alerting.verdicts import SeenRun, Sign, Verdict
from app.extensions import is_sqlite
from app.models import Alert, AlertRule

TOO_OLD = timedelta(hours=24)
"""A run that ended so long before it was told is history: it raises nothing."""

_IS_OPEN = Alert.rule_id.in_(bindparam("rule_ids", expanding=True)) & Alert.ended_at.is_(None)
_OPEN = select(Alert).where(_IS_OPEN).execution_options(populate_existing=True)
_WHICH_ARE_OPEN = select(Alert.rule_id, Alert.workflow_id).where(_IS_OPEN)

OpenAlerts = dict[tuple[int, int | None], Alert]
"""By rule and workflow; for a moment also those that have just ended."""


def decide(
    session: Session, runs: Iterable[Mapping[str, Any]], moved: Iterable[int], now: datetime
) -> None:
    """Open, continue and end alerts for runs that are new or have another outcome than before, as
    columns of the runs table; and leave messages in the outbox. All of it in the session's
    transaction. `moved` are the workflows of which runs that had ended were changed."""
    recent_runs(session).forget(moved)
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
    for run in sorted(map(_see, ended), key=in_time):
        seen[run.workflow_id].append(run)
    pairs = [
        (rule, workflow_id)
        for workflow_id in seen
        for rule in book.matching(workspaces[workflow_id], workflow_id)
    ]
    recent = recent_runs(session)
    recent.add(seen)
    # On SQLite nobody else opens any meanwhile: they are read once.
    found = read_open(session, pairs) if is_sqlite() else {}
    are_open = found.keys() if is_sqlite() else _find_open(session, pairs)
    pairs = _choose_concerned(session, pairs, seen, are_open)
    if not pairs:
        return
    rules = {rule.id: rule for rule, _ in pairs}
    lock_rules(session, list(rules))
    if not is_sqlite():
        found = read_open(session, pairs)
    alone = {key: Told(new, range(len(new))) for key, new in seen.items()}
    told = alone | recent.read(session, seen, _list_pasts(session, pairs, seen), now)
    in_order = [pair for pair in pairs if told[pair[1]].new and not told[pair[1]].is_late]
    touched = _decide_in_order(session, book, in_order, told, found, now)
    late = [(rule, key) for rule, key in pairs if told[key].is_late]
    previous = read_previous(session, [pair for pair in late if _key(pair) not in found], now)
    for rule, workflow_id in pairs:
        alert = found.get((rule.id, workflow_id))
        if alert is not None and count_history(rule, alert, seen[workflow_id], told[workflow_id]):
            touched.append(alert)
    for rule, workflow_id in late:
        alert, before = (each.get((rule.id, workflow_id)) for each in (found, previous))
        touched += decide_late(session, book, rule, told[workflow_id], alert, before, now)
    by_rule: dict[int, list[Alert]] = defaultdict(list)
    for alert in touched:
        if alert not in by_rule[alert.rule_id or 0]:
            by_rule[alert.rule_id or 0].append(alert)
    tell(session, book, by_rule, rules, now)


def count_history(rule: AlertRule, alert: Alert, seen: Sequence[SeenRun], told: Told) -> bool:
    """Count the findings that are judged no more, as too many newer runs are known, but belong to
    the alert that was open; returns whether there are any."""
    if len(told.new) == len(seen):
        return False
    judged = {told.runs[at].id for at in told.new}
    is_finding = KINDS[rule.kind].is_finding
    left_out = [run for run in seen if run.id not in judged and run.ended_at >= alert.began_at]
    count = sum(is_finding(rule.numbers, run) for run in left_out)
    alert.count += count
    return count > 0


def _key(pair: tuple[AlertRule, int]) -> tuple[int, int | None]:
    return pair[0].id, pair[1]


def _decide_in_order(
    session: Session,
    book: Rulebook,
    pairs: Sequence[tuple[AlertRule, int]],
    told: Mapping[int, Told],
    found: OpenAlerts,
    now: datetime,
) -> list[Alert]:
    """The alerts that runs change which are the newest of their workflows."""
    verdicts = [judge_new(rule, told[workflow_id]) for rule, workflow_id in pairs]
    opening = [
        pair
        for pair, each in zip(pairs, verdicts, strict=True)
        if _key(pair) not in found and _opens(each)
    ]
    found = read_previous(session, opening, now) | found
    touched: list[Alert] = []
    for (rule, workflow_id), each in zip(pairs, verdicts, strict=True):
        touched += _apply(book, rule, workflow_id, found, each, now)
    return touched


def _see(run: Mapping[str, Any]) -> SeenRun:
    return SeenRun(
        run["id"],
        run["workflow_id"],
        run["outcome"],
        min(run["ended_at"], run["updated_at"]),
        run["duration_ms"],
        run["public_id"],
        run["error_type"],
        run["error_message"],
    )


def read_open(session: Session, pairs: Collection[tuple[AlertRule, int | None]]) -> OpenAlerts:
    """The open alerts of these rules, as they are now."""
    if not pairs:
        return {}
    rows = session.scalars(_OPEN, {"rule_ids": list({rule.id for rule, _ in pairs})})
    return {(alert.rule_id or 0, alert.workflow_id): alert for alert in rows}


def _find_open(
    session: Session, pairs: Collection[tuple[AlertRule, int]]
) -> set[tuple[int | None, int | None]]:
    """Of which rules and workflows there are open alerts; what came before the lock may change."""
    given = {"rule_ids": list({rule.id for rule, _ in pairs})}
    return {(row[0], row[1]) for row in session.connection().execute(_WHICH_ARE_OPEN, given)}


def _choose_concerned(
    session: Session,
    pairs: Iterable[tuple[AlertRule, int]],
    seen: Mapping[int, list[SeenRun]],
    are_open: Collection[tuple[int | None, int | None]],
) -> list[tuple[AlertRule, int]]:
    """Those where the new runs can open an alert, or there is one to continue or end."""
    chosen: list[tuple[AlertRule, int]] = []
    others: list[tuple[AlertRule, int]] = []
    for rule, workflow_id in pairs:
        wakes = KINDS[rule.kind].wakes
        is_concerned = (rule.id, workflow_id) in are_open or any(
            wakes(rule.numbers, run) for run in seen[workflow_id]
        )
        (chosen if is_concerned else others).append((rule, workflow_id))
    others = [(rule, key) for rule, key in others if KINDS[rule.kind].heeds_any_late]
    late = find_late(session, {key: seen[key] for _, key in others})
    return chosen + [(rule, key) for rule, key in others if key in late]


def _list_pasts(
    session: Session, pairs: Iterable[tuple[AlertRule, int]], seen: Mapping[int, list[SeenRun]]
) -> dict[int, list[Past]]:
    """What the rules need to know of each workflow, where it is more than the new runs."""
    pasts: dict[int, list[Past]] = {workflow_id: [] for _, workflow_id in pairs}
    for rule, workflow_id in pairs:
        past = KINDS[rule.kind].past(rule.numbers)
        if past.runs:
            pasts[workflow_id].append(past)
    without = {key: seen[key] for key, wanted in pasts.items() if not wanted}
    late = find_late(session, without)
    return {key: wanted or [Past()] for key, wanted in pasts.items() if wanted or key in late}


def judge_new(rule: AlertRule, told: Told) -> list[Verdict]:
    """The rule's verdicts over the new ones of the runs, each in the light of those before it."""
    kind, (runs, new) = KINDS[rule.kind], told
    begin = max(new[0] - kind.past(rule.numbers).runs, 0)
    chosen = [at - begin for at in new]
    return list(kind.judge(rule.numbers, runs[begin : new[-1] + 1], chosen))


def _opens(verdicts: Iterable[Verdict]) -> bool:
    return any(verdict.sign is Sign.OPENS for verdict in verdicts)


def _apply(
    book: Rulebook,
    rule: AlertRule,
    workflow_id: int,
    found: OpenAlerts,
    verdicts: Sequence[Verdict],
    now: datetime,
) -> list[Alert]:
    """The alerts that the verdicts have opened, changed or ended."""
    alert = found.get((rule.id, workflow_id))
    if (alert is None or alert.ended_at is not None) and not _opens(verdicts):
        return []
    touched: list[Alert] = []
    for verdict in verdicts:
        hushes = book.hushes(rule, workflow_id, verdict.at, now)
        stepped = step(rule, alert, verdict, workflow_id, now, hushes)
        if stepped is None:
            continue
        alert = stepped
        if not touched or touched[-1] is not alert:
            touched.append(alert)
    return touched
