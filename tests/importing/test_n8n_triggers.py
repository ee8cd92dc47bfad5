"""When n8n starts a workflow, as its nodes write it down: what has its default is left out."""

from typing import Any

import pytest

from app.importing.n8n_triggers import Pace, read_paces
from app.timetable import UnreadableError

TRIGGER, CRON, INTERVAL = (
    f"n8n-nodes-base.{name}" for name in ("scheduleTrigger", "cron", "interval")
)


def read(kind: str, parameters: Any) -> list[Pace]:
    return list(read_paces([{"type": kind, "parameters": parameters}]))


def trigger(**interval: Any) -> dict[str, Any]:
    return {"rule": {"interval": [interval]}}


@pytest.mark.parametrize(
    ("kind", "parameters", "expected"),
    [
        (TRIGGER, {}, "0 0 * * *"),
        (TRIGGER, trigger(), "0 0 * * *"),
        (TRIGGER, trigger(triggerAtHour=7, triggerAtMinute=30), "30 7 * * *"),
        (TRIGGER, trigger(field="minutes"), "*/5 * * * *"),
        (TRIGGER, trigger(field="hours", hoursInterval=6, triggerAtMinute=5), "5 */6 * * *"),
        (TRIGGER, trigger(field="hours", hoursInterval=7), 7 * 3_600),
        (TRIGGER, trigger(field="days", daysInterval=3), 3 * 86_400),
        (TRIGGER, trigger(field="weeks"), "0 0 * * 0"),
        (TRIGGER, trigger(field="weeks", triggerAtDay=[1, 4], triggerAtHour=9), "0 9 * * 1,4"),
        (TRIGGER, trigger(field="weeks", triggerAtDay=[]), "0 0 * * *"),
        (TRIGGER, trigger(field="weeks", weeksInterval=2, triggerAtDay=[1]), 14 * 86_400),
        (TRIGGER, trigger(field="months", triggerAtDayOfMonth=15), "0 0 15 * *"),
        (TRIGGER, trigger(field="months", monthsInterval=3), "0 0 1 */3 *"),
        (TRIGGER, trigger(field="cronExpression", expression="0 15 * 1 sun"), "0 15 * 1 SUN"),
        (TRIGGER, trigger(field="cronExpression", expression="30 0 15 * * *"), "0 15 * * *"),
        (TRIGGER, trigger(field="seconds", secondsInterval=120), 120),
        (CRON, {"triggerTimes": {"item": [{}]}}, "0 14 * * *"),
        (CRON, {"triggerTimes": {"item": [{"mode": "everyHour", "minute": 4}]}}, "4 * * * *"),
        (CRON, {"triggerTimes": {"item": [{"mode": "everyWeek", "weekday": "5"}]}}, "0 14 * * 5"),
        (CRON, {"triggerTimes": {"item": [{"mode": "everyX"}]}}, 2 * 3_600),
        (INTERVAL, {"interval": 10, "unit": "minutes"}, 600),
    ],
)
def test_a_pace_is_read_with_the_defaults_of_its_node(
    kind: str, parameters: Any, expected: str | int
) -> None:
    pace = Pace(expected, None) if isinstance(expected, str) else Pace(None, expected)
    assert read(kind, parameters) == [pace]


@pytest.mark.parametrize(
    ("kind", "parameters", "reason"),
    [
        (TRIGGER, trigger(field="seconds"), "more than once a minute"),
        (TRIGGER, trigger(field="cronExpression", expression="*/5 * * * * *"), "more than once"),
        (TRIGGER, trigger(field="cronExpression", expression="={{ $json.cron }}"), "expression"),
        (TRIGGER, trigger(field="cronExpression", expression="61 * * * *"), "0 to 59"),
        (TRIGGER, trigger(field="minutes", minutesInterval="={{ 5 }}"), "expression"),
        (TRIGGER, trigger(field="minutes", minutesInterval=True), "no number"),
        (TRIGGER, trigger(field="hours", hoursInterval=10**30), "from 1 to 23"),
        (TRIGGER, trigger(field="weeks", weeksInterval=2, triggerAtDay=[1, 2]), "no form here"),
        (TRIGGER, trigger(field="months", monthsInterval=5), "no form here"),
        (TRIGGER, trigger(field="moons"), "not known"),
        (TRIGGER, {"rule": {"interval": "x"}}, "can't be read"),
        (CRON, {"triggerTimes": {"item": [{"mode": "custom"}]}}, "more than once"),
        (INTERVAL, {}, "more than once"),
    ],
)
def test_what_can_t_be_expected_here_is_told(kind: str, parameters: Any, reason: str) -> None:
    with pytest.raises(UnreadableError, match=reason):
        read(kind, parameters)


def test_nodes_of_other_kinds_start_nothing_by_the_clock() -> None:
    nodes: list[dict[str, Any]] = [{"type": "n8n-nodes-base.webhook"}, {"type": ["x"]}, {}]
    assert list(read_paces(nodes)) == []
    assert read(CRON, None) == []
