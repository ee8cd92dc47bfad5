"""When what is told: cool-down, reminder, quiet hours, snooze, maintenance, digests, recovery.

Told as the replay tells it, which goes through the same steps as the worker.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.alerting.course import Said, settle, step
from app.alerting.kinds import KINDS
from app.alerting.quiet import end_of_quiet, hush_until, window_at
from app.models import Alert, AlertRule, MaintenanceWindow
from tests.alerting.stories import at, make_rule, runs


@dataclass
class Desk:
    """A rule, its alerts of one workflow, and what was told when, in minutes."""

    rule: AlertRule
    windows: list[MaintenanceWindow] = field(default_factory=list)
    alerts: list[Alert] = field(default_factory=list)
    told: list[tuple[float, str, int]] = field(default_factory=list)

    def play(self, outcomes: str, every: float = 1, until: float = 0) -> "Desk":
        """A run each so many minutes; the worker looks once a minute until the end."""
        sights = runs(outcomes, every)
        verdicts = zip(sights, KINDS["failed"].judge(self.rule.numbers, sights), strict=True)
        waiting = list(verdicts)
        last = max(until, (len(outcomes) - 1) * every)
        for minute in range(int(last) + 1):
            while waiting and waiting[0][0].ended_at <= at(minute):
                run, verdict = waiting.pop(0)
                now, before = at(minute), self.alerts[-1] if self.alerts else None
                hushed = self._hush(run.ended_at) is not None or self._hush(now) is not None
                alert = step(self.rule, before, verdict, 1, now, hushed)
                if alert is not None:
                    self.alerts += [] if alert is before else [alert]
                    self._settle([alert], now)
            due = [a for a in self.alerts if a.due_at is not None and a.due_at <= at(minute)]
            self._settle(due, at(minute))
        return self

    def _hush(self, moment: datetime) -> datetime | None:
        return hush_until(self.rule, self.windows, moment)

    def _settle(self, alerts: list[Alert], now: datetime) -> None:
        for message in settle(self.rule, alerts, now, lambda _: self._hush(now), lambda: ()):
            minute = (now - at(0)) / timedelta(minutes=1)
            self.told += [(minute, said.saying, said.alert.count) for said in message]


def quiet(begin: str, end: str) -> dict[str, Any]:
    return {"quiet_from": begin, "quiet_until": end, "quiet_zone": "UTC"}


def window(begin: float, end: float, **columns: Any) -> MaintenanceWindow:
    return MaintenanceWindow(
        **{"starts_at": at(begin), "ends_at": at(end), "is_weekly": False, "zone": "UTC", **columns}
    )


CASES: dict[str, tuple[dict[str, Any], tuple[Any, ...], list[tuple[float, str, int]]]] = {
    "once, and over": ({}, ("FFS",), [(0, "opened", 1), (2, "recovered", 2)]),
    "over after three": (
        {"recovery_after": 3},
        ("FSSFSSS",),
        [(0, "opened", 1), (6, "recovered", 2)],
    ),
    "no word of the end": ({"tells_recovery": False}, ("FS",), [(0, "opened", 1)]),
    "cool-down: what is over within it is not told": (
        {"cool_down_minutes": 10},
        ("FSFSSSSSSSSSSS",),
        [(0, "opened", 1), (1, "recovered", 1)],
    ),
    "cool-down: what lasts is told after it, and is the same alert": (
        {"cool_down_minutes": 10},
        ("FSFFFFFFFFFFFF",),
        [(0, "opened", 1), (1, "recovered", 1), (11, "opened", 11)],
    ),
    "reminder": (
        {"reminder_minutes": 30},
        ("F", 1, 65),
        [(0, "opened", 1), (30, "reminder", 1), (60, "reminder", 1)],
    ),
    # The story begins at 09:00.
    "quiet hours: told afterwards": (
        quiet("08:00", "09:30"),
        ("F", 1, 40),
        [(30, "opened", 1)],
    ),
    "quiet hours: told afterwards, also what is over by then": (
        quiet("08:00", "09:30"),
        ("FS", 1, 40),
        [(30, "passed", 1)],
    ),
    "quiet hours: the end of what was told before": (
        quiet("09:01", "09:30"),
        ("FS", 2, 40),
        [(0, "opened", 1), (30, "recovered", 1)],
    ),
    "snooze: not told afterwards": (
        {"snoozed_until": at(10)},
        ("F", 1, 40),
        [],
    ),
    "snooze: but what comes after it is": (
        {"snoozed_until": at(10)},
        ("FF", 15, 40),
        [(15, "opened", 2)],
    ),
    "digests: from ten new ones on, ever more rarely": (
        {},
        ("F" * 80,),
        [(0, "opened", 1), (10, "digest", 11), (20, "digest", 21), (40, "digest", 41)],
    ),
    "digests: nine new ones are none": ({}, ("F" * 10, 1, 30), [(0, "opened", 1)]),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_told_when(name: str) -> None:
    columns, story, expected = CASES[name]
    assert Desk(make_rule(**columns)).play(*story).told == expected


def test_digests_double_their_pause_up_to_four_hours() -> None:
    desk = Desk(make_rule()).play("F" * 1_000)
    minutes = [minute for minute, saying, _ in desk.told if saying == "digest"]
    pauses = [later - earlier for earlier, later in zip([0, *minutes], minutes, strict=False)]
    # Ten more failures take ten minutes here, longer than the first pause.
    assert pauses == [10, 10, 20, 40, 80, 160, 240, 240]


def test_the_end_within_a_snooze_is_not_told() -> None:
    desk = Desk(make_rule()).play("F")
    desk.rule.snoozed_until = at(10)
    (alert,) = desk.alerts
    alert.ended_at = at(5)
    desk._settle([alert], at(5))
    desk._settle([alert], at(20))
    assert desk.told == [(0, "opened", 1)]


def test_maintenance_is_recorded_and_not_told_afterwards() -> None:
    rule = make_rule(reminder_minutes=30)
    desk = Desk(rule, [window(-5, 10)]).play("FF", 5, 60)
    assert (desk.told, [alert.count for alert in desk.alerts]) == ([], [2])
    assert desk.alerts[0].is_muted
    # What was told before goes on to be told of after the window.
    desk = Desk(rule, [window(10, 50)]).play("F", 1, 90)
    assert [saying for _, saying, _ in desk.told] == ["opened", "reminder", "reminder"]
    assert [minute for minute, _, _ in desk.told] == [0, 50, 80]


def test_more_than_five_at_once_are_five_messages() -> None:
    rule, now = make_rule(), at(0)
    (verdict,) = KINDS["failed"].judge(rule.numbers, runs("F"))
    alerts = [step(rule, None, verdict, number, now, False) for number in range(50)]
    sent: list[list[Said]] = settle(
        rule, [each for each in alerts if each], now, lambda _: None, lambda: ()
    )
    assert [len(message) for message in sent] == [1, 1, 1, 1, 46]
    late = step(rule, None, verdict, 99, at(0.5), False)
    assert late is not None
    times: Callable[[], list[datetime]] = lambda: [at(0)] * 5  # noqa: E731
    assert settle(rule, [late], at(0.5), lambda _: None, times) == []
    assert late.due_at == at(1)


def test_a_zone_that_is_not_known_any_more_counts_as_utc() -> None:
    rule = make_rule(quiet_from="08:00", quiet_until="10:00", quiet_zone="Mars/Olympus")
    assert end_of_quiet(rule, at(0)) == at(60)


@pytest.mark.parametrize(
    ("moment", "ends"),
    [
        ("2026-03-28T21:59", None),
        ("2026-03-28T22:00", "2026-03-29T06:00"),  # An hour less in this night.
        ("2026-03-29T05:59", "2026-03-29T06:00"),
        ("2026-03-29T06:00", None),
        ("2026-10-24T23:00", "2026-10-25T06:00"),  # And one more in this.
    ],
)
def test_quiet_hours_are_those_of_the_clock_on_the_wall(moment: str, ends: str | None) -> None:
    from_berlin = datetime.fromisoformat
    rule = make_rule(quiet_from="22:00", quiet_until="06:00", quiet_zone="Europe/Berlin")

    def berlin(text: str) -> datetime:
        hours = 2 if "2026-03-29T03" <= text < "2026-10-25T03" else 1
        return (from_berlin(text) - timedelta(hours=hours)).replace(tzinfo=UTC)

    expected = berlin(ends or moment)
    assert end_of_quiet(rule, berlin(moment)) == expected


def test_a_weekly_window_keeps_its_hours_across_a_change_of_the_clock() -> None:
    weekly = MaintenanceWindow(
        starts_at=datetime(2026, 3, 22, 1, tzinfo=UTC),  # 02:00 in Berlin, a Sunday.
        ends_at=datetime(2026, 3, 22, 3, tzinfo=UTC),
        is_weekly=True,
        zone="Europe/Berlin",
    )
    later = datetime(2026, 4, 5, 0, 30, tzinfo=UTC)  # 02:30 there, in summer.
    assert window_at(weekly, later) == (
        datetime(2026, 4, 5, 0, tzinfo=UTC),
        datetime(2026, 4, 5, 2, tzinfo=UTC),
    )
    assert window_at(weekly, later + timedelta(hours=2)) is None
    assert window_at(weekly, later - timedelta(weeks=4)) is None
