"""What judges would have seen in the last 30 days, in the order of time; read in bounds."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from app.alerting import past_runs
from app.alerting.deciding import TOO_OLD
from app.alerting.kinds import KINDS
from app.alerting.past_failures import read_failures
from app.alerting.past_runs import PERIOD, Extent, list_workflows, read_runs
from app.alerting.rulebook import Rulebook
from app.alerting.verdicts import SeenRefused, SeenRun, SeenSilence, SeenStuck, Sign, Verdict
from app.models import AlertRule, Event, Run, Silence, of_state


class Sighting(NamedTuple):
    """A verdict about one workflow, to be put in its place in time."""

    at: datetime
    number: int
    workflow_id: int | None
    verdict: Verdict


def _number(verdicts: Iterable[tuple[int | None, Verdict]]) -> list[Sighting]:
    """In the order of time, and those of one moment as they came."""
    sightings = [
        Sighting(verdict.at, number, workflow_id, verdict)
        for number, (workflow_id, verdict) in enumerate(verdicts)
        if verdict.sign is not Sign.NOTHING
    ]
    return sorted(sightings, key=lambda sighting: sighting[:2])


def _see_runs(
    session: Session, book: Rulebook, rule: AlertRule, now: datetime
) -> tuple[list[Sighting], Extent]:
    """Tests and runs that were told of a day late raise nothing, as ever."""
    read = read_failures if KINDS[rule.kind].by_failures else read_runs
    past, extent = read(session, book, rule, now)
    by_workflow: dict[int, list[SeenRun]] = defaultdict(list)
    for run, *_ in sorted(past, key=lambda each: (each.run.ended_at, each.run.id)):
        by_workflow[run.workflow_id].append(run)
    late = {run.id for run, told_at, _ in past if told_at - run.ended_at > TOO_OLD}
    judge = KINDS[rule.kind].judge
    sightings = _number(
        (workflow_id, verdict)
        for workflow_id, runs in sorted(by_workflow.items())
        for run, verdict in zip(runs, judge(rule.numbers, runs), strict=True)
        if run.id not in late
    )
    return sightings, extent


def _see_silences(
    session: Session, book: Rulebook, rule: AlertRule, now: datetime
) -> tuple[list[Sighting], Extent]:
    query = (
        select(Silence)
        .where(
            Silence.workflow_id.in_(list_workflows(session, book, rule)),
            Silence.during_downtime.is_(False),
            or_(Silence.ended_at.is_(None), Silence.ended_at > now - PERIOD),
        )
        .order_by(Silence.silent_since.desc())
    )
    rows = session.scalars(query.limit(past_runs.MOST)).all()
    extent = _bound([row.silent_since for row in rows], now)
    patience = timedelta(minutes=rule.numbers["minutes"])

    def look() -> Iterator[tuple[int, SeenSilence]]:
        for row in rows:
            begins_at = max(row.silent_since + patience, now - PERIOD)
            if begins_at <= (row.ended_at or now):
                silence = SeenSilence(
                    begins_at, True, row.silent_since, row.expected_at, row.missed_count
                )
                yield row.workflow_id, silence
            if row.ended_at is not None:
                yield row.workflow_id, SeenSilence(row.ended_at, False)

    return _judge_each(rule, look()), extent


def _see_stuck(
    session: Session, book: Rulebook, rule: AlertRule, now: datetime
) -> tuple[list[Sighting], Extent]:
    query = (
        select(Run.workflow_id, Run.stuck_since, Run.ended_at)
        .where(
            Run.workflow_id.in_(list_workflows(session, book, rule)),
            Run.stuck_since > now - PERIOD,
            Run.is_test.is_(False),
        )
        .order_by(Run.stuck_since.desc())
    )
    rows = session.execute(query.limit(past_runs.MOST)).all()
    extent = _bound([stuck_since for _, stuck_since, _ in rows if stuck_since], now)
    steps: list[tuple[datetime, int, int]] = []
    for workflow_id, stuck_since, ended_at in rows:
        if stuck_since is None:
            continue
        steps.append((stuck_since, 1, workflow_id))
        if ended_at is not None:
            steps.append((max(ended_at, stuck_since), -1, workflow_id))

    def look() -> Iterator[tuple[int, SeenStuck]]:
        stuck: dict[int, int] = defaultdict(int)
        for at, change, workflow_id in sorted(steps):
            stuck[workflow_id] += change
            yield workflow_id, SeenStuck(at, stuck[workflow_id], at, max(change, 0))

    return _judge_each(rule, look()), extent


def _see_refused(
    session: Session, book: Rulebook, rule: AlertRule, now: datetime
) -> tuple[list[Sighting], Extent]:
    """Of those that are still stored, a look whenever one came and whenever one grew too old."""
    query = (
        select(Event.received_at)
        .where(
            of_state("rejected"),
            Event.workspace_id + 0 == rule.workspace_id,
            Event.received_at > now - PERIOD,
            Event.origin.is_(None),
        )
        .order_by(Event.received_at.desc())
    )
    times = session.scalars(query.limit(past_runs.MOST)).all()
    extent = _bound(times, now)
    length = timedelta(minutes=rule.numbers["minutes"])
    steps = [(at, 1) for at in times]
    steps += [(at + length, -1) for at in times if at + length <= now]

    def look() -> Iterator[tuple[None, SeenRefused]]:
        refused = 0
        for at, change in sorted(steps):
            refused += change
            yield None, SeenRefused(at, refused, max(change, 0))

    return _judge_each(rule, look()), extent


def _bound(moments: Sequence[datetime], now: datetime) -> Extent:
    """Of what was read, the newest first, by these moments."""
    is_cut = len(moments) == past_runs.MOST and moments[-1] > now - PERIOD
    return Extent(len(moments), moments[-1] if is_cut else None)


def _judge_each(
    rule: AlertRule,
    looks: Iterable[tuple[int | None, SeenSilence | SeenStuck | SeenRefused]],
) -> list[Sighting]:
    """These judges know nothing but the sight before them."""
    judge = KINDS[rule.kind].judge
    return _number(
        (workflow_id, verdict)
        for workflow_id, sight in looks
        for verdict in judge(rule.numbers, [sight])
    )


READERS = {
    "runs": _see_runs,
    "silences": _see_silences,
    "stuck": _see_stuck,
    "refused": _see_refused,
}
"""By the source of a kind."""
