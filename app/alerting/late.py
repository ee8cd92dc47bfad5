"""Runs that are told of late: what they change of what has been decided since they ended.

The newer runs that are known are judged again, so that an alert is open if and only if it would be
had all come in the order of their ends. What is over by then is told in one message, as ever; what
belongs to an alert that has ended is counted there, and not told.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import dropwhile
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.alerting.course import follow, open_alert, step
from app.alerting.kinds import KINDS
from app.alerting.recent import Told, read_around
from app.alerting.rulebook import Rulebook
from app.alerting.verdicts import SeenRun, Sign, Verdict, detail_of
from app.models import Alert, AlertRule, Run

LOOK_BACK = 100
"""Runs before a late one that are judged again where what came after it does not tell whether an
alert is open: as many good ones as a rule can want for a recovery."""
Hushes = Callable[[datetime], bool]
"""Whether nothing is told of what was found at a moment."""
FINDINGS = (Sign.OPENS, Sign.ADDS)


class Stretch(NamedTuple):
    """From the verdict that opens an alert to the one that ends it; None: it is open."""

    begin: int
    end: int | None


class Course(NamedTuple):
    """What verdicts come to. `is_open` is None where it depends on what was before them; `good`
    are the good ones since the last finding; `end` is the last that ended an alert."""

    stretches: list[Stretch]
    is_open: bool | None
    good: int
    end: int


def trace(verdicts: Sequence[Verdict], recovery_after: int) -> Course:
    stretches: list[Stretch] = []
    is_open: bool | None = None
    begin, end, good = -1, -1, 0
    for at, verdict in enumerate(verdicts):
        if verdict.sign in FINDINGS:
            good = 0
        if verdict.sign is Sign.OPENS:
            begin = begin if is_open else at
            is_open = True
        elif verdict.sign is Sign.GOOD:
            good += 1
            if is_open is not False and good >= recovery_after:
                if is_open:
                    stretches.append(Stretch(begin, at))
                is_open, end = False, at
    if is_open:
        stretches.append(Stretch(begin, None))
    return Course(stretches, is_open, good, end)


class Hindsight(NamedTuple):
    """The runs from the first late one on with their verdicts, and what those come to; which of
    them are new, and which were in an alert before the new ones came."""

    runs: Sequence[SeenRun]
    verdicts: list[Verdict]
    course: Course
    new: frozenset[int]
    counted: frozenset[int] = frozenset()
    was_open: bool | None = None

    def find(self, begin: int, end: int | None, but: Collection[int] = ()) -> list[int]:
        """The indexes of the findings of a stretch."""
        span = range(begin, len(self.verdicts) if end is None else end)
        return [at for at in span if self.verdicts[at].sign in FINDINGS and at not in but]

    def has_news(self) -> bool:
        """Whether a finding belongs to an alert and was in none, or one is open that was not."""
        stretches = self.course.stretches
        is_open = stretches[-1].end is None
        return (is_open and not self.was_open) or any(
            self.find(begin, end, but=self.counted) for begin, end in stretches
        )

    def list_open(self) -> list[int]:
        """The indexes of the findings that open an alert and belong to it. One that a person has
        closed is opened by new ones alone."""
        begin, end = self.course.stretches[-1]
        if end is not None:
            return []
        fresh = self.find(begin, None, but=self.counted)
        found = self.from_first_that_opens(fresh)
        return found if found or self.was_open else fresh or [begin]

    def from_first_that_opens(self, indexes: Iterable[int]) -> list[int]:
        return list(dropwhile(lambda at: self.verdicts[at].sign is not Sign.OPENS, indexes))


def decide_late(
    session: Session,
    book: Rulebook,
    rule: AlertRule,
    told: Told,
    alert: Alert | None,
    previous: Alert | None,
    now: datetime,
) -> list[Alert]:
    """The alerts that the new ones of the runs have opened, changed or ended; `alert` is the one
    that is open, `previous` the one before, as far as it reaches into the cool-down."""
    hindsight = judge_again(rule, told, told.new[0])
    if hindsight.course.is_open is None:
        told, hindsight = _look_back(session, rule, told, hindsight)
    workflow_id = told.runs[0].workflow_id
    hushes: Hushes = lambda at: book.hushes(rule, workflow_id, at, now)  # noqa: E731
    if alert is not None:
        _go_on(rule, alert, hindsight, hushes, now)
        return [alert]
    if not hindsight.course.stretches:
        return []
    hindsight = _compare(rule, told, hindsight)
    if not hindsight.has_news():
        return []
    past = _read_past(session, rule, workflow_id, hindsight)
    return _find_more(session, rule, previous, past, workflow_id, hindsight, hushes, now)


def _look_back(
    session: Session, rule: AlertRule, told: Told, hindsight: Hindsight
) -> tuple[Told, Hindsight]:
    """The same from an earlier run on, as what came after does not tell what was before."""
    new = [told.runs[at] for at in told.new]
    around = read_around(session, new, LOOK_BACK + KINDS[rule.kind].past(rule.numbers).runs)
    if not around.new:
        return told, hindsight
    return around, judge_again(rule, around, max(around.new[0] - LOOK_BACK, 0))


def judge_again(rule: AlertRule, told: Told, start: int) -> Hindsight:
    """All runs from an index on."""
    verdicts = _judge_from(rule, told.runs, start)
    course = trace(verdicts, rule.recovery_after)
    return Hindsight(told.runs[start:], verdicts, course, frozenset(at - start for at in told.new))


def _compare(rule: AlertRule, told: Told, hindsight: Hindsight) -> Hindsight:
    """With what the known runs came to without the new ones."""
    start, new = len(told.runs) - len(hindsight.runs), set(told.new)
    known = [at for at in range(len(told.runs)) if at not in new]
    before = _judge_from(rule, [told.runs[at] for at in known], start)
    course = trace(before, rule.recovery_after)
    indexes = [at - start for at in known[start:]]
    counted = frozenset(at for begin, end in course.stretches for at in indexes[begin:end])
    return hindsight._replace(counted=counted, was_open=course.is_open)


def _judge_from(rule: AlertRule, runs: Sequence[SeenRun], start: int) -> list[Verdict]:
    kind = KINDS[rule.kind]
    begin = max(start - kind.past(rule.numbers).runs, 0)
    return list(kind.judge(rule.numbers, runs[begin:], range(start - begin, len(runs) - begin)))


def _go_on(
    rule: AlertRule, alert: Alert, hindsight: Hindsight, hushes: Hushes, now: datetime
) -> None:
    """Count what is new in the open alert, and end it where it is over."""
    verdicts, course, new = hindsight.verdicts, hindsight.course, hindsight.new
    until = course.end if course.is_open is False else None
    for at in hindsight.find(0, until):
        if at in new:
            verdict = verdicts[at]
            step(rule, alert, verdict, alert.workflow_id, now, hushes(verdict.at))
    if course.is_open is False:
        alert.ended_at = max(verdicts[course.end].at, alert.began_at)
    elif course.is_open is None and alert.began_at >= verdicts[0].at:
        # A good run between the failures of a row: what had opened it does no more.
        alert.ended_at = max(alert.began_at, *(verdicts[at].at for at in new))
    elif course.is_open or hindsight.find(0, None):
        alert.good_count = course.good
    else:
        alert.good_count += sum(verdicts[at].sign is Sign.GOOD for at in new)


def _read_past(
    session: Session, rule: AlertRule, workflow_id: int, hindsight: Hindsight
) -> Sequence[Alert]:
    """The alerts that may have held what is judged again."""
    since = hindsight.verdicts[hindsight.course.stretches[0].begin].at
    query = select(Alert).where(
        Alert.rule_id == rule.id, Alert.workflow_id == workflow_id, Alert.ended_at >= since
    )
    return session.scalars(query.order_by(Alert.id)).all()


def _find_more(
    session: Session,
    rule: AlertRule,
    previous: Alert | None,
    past: Sequence[Alert],
    workflow_id: int,
    hindsight: Hindsight,
    hushes: Hushes,
    now: datetime,
) -> list[Alert]:
    """The alert of what is over and none has held, and the one that is open now."""
    verdicts, over = hindsight.verdicts, None
    last_told_at = previous.last_told_at if previous else None
    for begin, end in hindsight.course.stretches:
        if end is None:
            break
        fresh = hindsight.find(begin, end, but=hindsight.counted)
        held = [each for each in past if _holds(each, verdicts[begin].at, verdicts[end].at)]
        if held:
            held[-1].count += len(hindsight.new.intersection(fresh))
            continue
        for verdict in _name(session, hindsight, hindsight.from_first_that_opens(fresh)):
            if over is None:
                over = open_alert(rule, workflow_id, verdict, now, last_told_at)
                over.is_muted = hushes(verdict.at)
            else:
                follow(rule, over, verdict)
            over.ended_at = verdicts[end].at
    alert = over
    for verdict in _name(session, hindsight, hindsight.list_open()):
        alert = step(rule, alert or previous, verdict, workflow_id, now, hushes(verdict.at))
    if alert is not None and alert.ended_at is None:
        alert.good_count = hindsight.course.good
    return [each for each in {id(each): each for each in (over, alert)}.values() if each]


def _holds(alert: Alert, begin: datetime, end: datetime) -> bool:
    return alert.ended_at is not None and alert.began_at <= end and begin <= alert.ended_at


def _name(session: Session, hindsight: Hindsight, indexes: Sequence[int]) -> list[Verdict]:
    """The verdicts of an alert, the first of which opens it, and the last of which tells what its
    run was: of runs that are not new, that has to be read."""
    found = [hindsight.verdicts[at] for at in indexes]
    if not found:
        return []
    found[0] = replace(found[0], sign=Sign.OPENS)
    if indexes[-1] not in hindsight.new:
        run = hindsight.runs[indexes[-1]]
        told = select(Run.public_id, Run.error_type, Run.error_message).where(Run.id == run.id)
        named = SeenRun(*run[:5], *session.execute(told).one())
        found[-1] = replace(found[-1], detail={**found[-1].detail, **detail_of(named)})
    return found
