"""The course of an alert: how verdicts open, continue and end it, and when what is told of it.

Nothing here asks a database or a clock: the worker and the replay go through the same steps.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from app.alerting.kinds import KINDS
from app.alerting.quiet import end_of_quiet
from app.alerting.verdicts import Sign, Verdict
from app.identifiers import new_id
from app.models import Alert, AlertRule

Saying = Literal["opened", "digest", "reminder", "recovered", "passed"]
"""`passed`: it began and ended before anybody was told."""
Hush = Callable[[Alert], datetime | None]
"""Until when an alert must not be told of, for a snooze or for maintenance."""

DIGEST_FROM = 10
"""New findings that are worth a digest."""
DIGEST_AFTER = timedelta(minutes=5)
LONGEST_PAUSE = timedelta(hours=4)
MOST_A_MINUTE = 5
"""Messages of one rule; what is more goes into the last of them."""
A_MINUTE = timedelta(minutes=1)


def step(
    rule: AlertRule,
    alert: Alert | None,
    verdict: Verdict,
    workflow_id: int | None,
    now: datetime,
    is_hushed: bool,
) -> Alert | None:
    """The rule's alert of a workflow after one more verdict: also one that this has ended.

    `alert` is the open one or else the one before. What ends and begins again within the cool-down
    stays one alert: a workflow that fails now and then makes no row each time. What begins while
    the rule is hushed is muted until a finding comes when it no longer is; a state that lasts
    waits instead until the hush is over.
    """
    mutes = is_hushed and not KINDS[rule.kind].lasts
    if alert is not None and alert.ended_at is None:
        follow(rule, alert, verdict)
        if alert.is_muted and verdict.sign in (Sign.OPENS, Sign.ADDS):
            alert.is_muted = mutes
        return alert
    if verdict.sign is not Sign.OPENS:
        return None
    if alert is not None and alert.ended_at and now < alert.ended_at + reopens_within(rule):
        _reopen(rule, alert, verdict)
    else:
        alert = open_alert(rule, workflow_id, verdict, now, alert.last_told_at if alert else None)
    alert.is_muted = mutes
    return alert


def reopens_within(rule: AlertRule) -> timedelta:
    """So long after its end an alert goes on with the next finding."""
    return max(timedelta(minutes=rule.cool_down_minutes), A_MINUTE)


def _reopen(rule: AlertRule, alert: Alert, verdict: Verdict) -> None:
    """Where its end was told, it has to be told of anew, once the cool-down is over."""
    alert.ended_at = alert.end_told_at = None
    alert.good_count = 0
    alert.count += max(verdict.count_after(alert.last_at), 1)
    alert.last_at = max(alert.last_at, verdict.at)
    detail = {**alert.detail, **verdict.detail}
    detail.pop("ended", None)
    alert.detail = detail
    if alert.told_at is not None and alert.last_told_at is not None:
        alert.told_at = None
        alert.not_before = alert.last_told_at + timedelta(minutes=rule.cool_down_minutes)


def open_alert(
    rule: AlertRule,
    workflow_id: int | None,
    verdict: Verdict,
    now: datetime,
    last_told_at: datetime | None,
) -> Alert:
    """A new alert; it waits while the cool-down lasts since the one before it was told of."""
    free_at = (last_told_at or now) + timedelta(minutes=rule.cool_down_minutes)
    return Alert(
        public_id=new_id(),
        workspace_id=rule.workspace_id,
        rule_id=rule.id,
        rule_name=rule.name,
        kind=rule.kind,
        workflow_id=workflow_id,
        what="",
        detail=verdict.detail,
        opened_at=now,
        began_at=verdict.since or verdict.at,
        last_at=verdict.at,
        ended_at=None,
        count=verdict.count,
        good_count=0,
        is_muted=False,
        not_before=free_at if last_told_at and free_at > now else None,
        told_at=None,
        last_told_at=None,
        told_count=0,
        digest_count=0,
        end_told_at=None,
        due_at=None,
    )


def follow(rule: AlertRule, alert: Alert, verdict: Verdict) -> None:
    """Continue an open alert, or end it."""
    if verdict.sign is Sign.NOTHING:
        return
    if verdict.sign is Sign.GOOD:
        if verdict.at >= alert.last_at:
            alert.good_count += 1
            _look_for_end(rule, alert, verdict.at)
        return
    alert.good_count = 0
    alert.count += verdict.new
    if verdict.at >= alert.last_at:
        alert.last_at = verdict.at
        alert.detail = {**alert.detail, **verdict.detail}


def _look_for_end(rule: AlertRule, alert: Alert, at: datetime) -> None:
    """A row of good runs ends an alert; of what isn't about runs, one good look."""
    wanted = rule.recovery_after if KINDS[rule.kind].source == "runs" else 1
    if alert.good_count >= wanted:
        alert.ended_at = at


def end_quietly(alert: Alert, why: str, now: datetime) -> None:
    """End an alert that has not recovered; nobody is told. One that has is told of no more."""
    if alert.ended_at is None:
        alert.ended_at = now
        alert.detail = {**alert.detail, "ended": why}
    alert.is_muted = True
    alert.due_at = None


def is_left_open(alert: Alert) -> bool:
    """Whether its begin was told, and it is over and its end will not be told."""
    is_over = alert.ended_at is not None and alert.end_told_at is None and alert.due_at is None
    return is_over and alert.told_at is not None


# --- Telling ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Plan:
    """What to say of an alert now, or when to look at it again."""

    saying: Saying | None = None
    due_at: datetime | None = None


def plan(rule: AlertRule, alert: Alert, now: datetime, hush: datetime | None) -> Plan:
    """What is silenced by a snooze or by maintenance is not told afterwards, unless it is a state
    that still lasts; what the quiet hours and the cool-down hold back is."""
    if alert.is_muted:
        return Plan()
    wanted = _want(rule, alert, now)
    if wanted is None:
        return Plan()
    saying, at = wanted
    if hush is not None:
        waits = alert.told_at is not None or KINDS[rule.kind].lasts
        return Plan(due_at=max(hush, at)) if waits and alert.ended_at is None else Plan()
    at = end_of_quiet(rule, max(at, now))
    return Plan(saying) if at <= now else Plan(due_at=at)


def _want(rule: AlertRule, alert: Alert, now: datetime) -> tuple[Saying, datetime] | None:
    if alert.told_at is None or alert.last_told_at is None:
        waits = alert.not_before is not None and alert.not_before > now
        if alert.ended_at is None:
            return "opened", alert.not_before or now
        return None if waits else ("passed", now)
    if alert.ended_at is not None:
        return ("recovered", now) if rule.tells_recovery and alert.end_told_at is None else None
    times: list[tuple[datetime, Saying]] = []
    if alert.count - alert.told_count >= DIGEST_FROM:
        pause = min(DIGEST_AFTER * 2 ** min(alert.digest_count, 10), LONGEST_PAUSE)
        times.append((alert.last_told_at + pause, "digest"))
    if rule.reminder_minutes:
        times.append((alert.last_told_at + timedelta(minutes=rule.reminder_minutes), "reminder"))
    if not times:
        return None
    at, saying = min(times)
    return saying, at


class Said(NamedTuple):
    """One alert's part in a message: what is said, and how many findings were told before."""

    alert: Alert
    saying: Saying
    told_before: int
    told_last_at: datetime | None


def settle(
    rule: AlertRule,
    alerts: Iterable[Alert],
    now: datetime,
    hush: Hush,
    told_times: Callable[[], Sequence[datetime]],
) -> list[list[Said]]:
    """Decide what is told of these alerts now, and when they are looked at again.

    Returns the messages, each as the alerts that it tells of. `told_times` are those of the rule's
    messages within the last minute.
    """
    pending: list[Said] = []
    for alert in alerts:
        until = hush(alert)
        planned = plan(rule, alert, now, until)
        alert.due_at = planned.due_at
        if planned.saying:
            pending.append(Said(alert, planned.saying, alert.told_count, alert.last_told_at))
        elif until is not None and planned.due_at is None:
            # One that was told and goes on is only quiet for now.
            alert.is_muted |= alert.told_at is None or alert.ended_at is not None
    recent = [at for at in told_times() if now - at < A_MINUTE] if pending else []
    messages, held = share_out(pending, MOST_A_MINUTE - len(recent))
    for said in held:
        said.alert.due_at = min(recent) + A_MINUTE
    for message in messages:
        for said in message:
            _mark(said, now)
            said.alert.due_at = plan(rule, said.alert, now, hush(said.alert)).due_at
    return messages


def share_out(pending: list[Said], free: int) -> tuple[list[list[Said]], list[Said]]:
    """One message each while there is room, the rest in the last one; and what has to wait."""
    if free <= 0:
        return [], pending
    if len(pending) <= free:
        return [[said] for said in pending], []
    return [[said] for said in pending[: free - 1]] + [pending[free - 1 :]], []


def _mark(said: Said, now: datetime) -> None:
    alert = said.alert
    alert.told_at = alert.told_at or now
    alert.last_told_at = now
    alert.told_count = alert.count
    alert.digest_count += said.saying == "digest"
    if alert.ended_at is not None:
        alert.end_told_at = now
