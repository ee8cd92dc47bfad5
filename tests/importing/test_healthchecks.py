"""Checks of Healthchecks: what of a schedule is carried over, and what has another form here."""

from typing import Any

import pytest

from app.importing.healthchecks import read_checks
from app.importing.plans import Plan

UUID = "5d1c8a3e-94b7-4f02-a6d9-3e7b1c5f8a20"


def read(**members: Any) -> Plan:
    (plan,) = read_checks({"checks": [{"name": "A", "uuid": UUID, "grace": 600, **members}]})
    return plan


@pytest.mark.parametrize(
    ("timeout", "grace", "every_seconds", "grace_seconds", "noted"),
    [
        (3_600, 600, 3_600, 600, 0),
        (60, 60, 60, 60, 0),
        (90, 61, 120, 120, 2),
        (31_536_000, 31_536_000, 31_536_000, 31 * 86_400, 1),
    ],
)
def test_a_period_is_in_whole_minutes_and_its_grace_has_an_end(
    timeout: int, grace: int, every_seconds: int, grace_seconds: int, noted: int
) -> None:
    plan = read(timeout=timeout, grace=grace)
    assert plan.wish is not None
    assert (plan.wish.every_seconds, plan.wish.grace_seconds) == (every_seconds, grace_seconds)
    assert len(plan.notes) == noted


def test_a_cron_expression_keeps_its_zone() -> None:
    plan = read(schedule="*/5 9-17 * * MON-FRI", tz="Asia/Tokyo")
    assert plan.wish is not None and plan.wish.kind == "cron"
    assert plan.wish.cron_expression == "*/5 9-17 * * MON-FRI"
    assert plan.wish.time_zone == "Asia/Tokyo"


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({}, "It has none"),
        ({"schedule": "Mon..Fri 9:00", "tz": "UTC"}, "OnCalendar"),
        ({"schedule": "0 9 30 2 *", "tz": "UTC"}, "as far as the month"),
        ({"schedule": "0 9 * * *", "tz": "Mars/Base"}, "not known here"),
        ({"timeout": 10**12}, "a year"),
        ({"timeout": 60, "status": "paused"}, "paused"),
    ],
)
def test_what_has_no_schedule_here_says_why(members: dict[str, Any], reason: str) -> None:
    plan = read(**members)
    assert plan.wish is None and reason in " ".join(plan.notes)
    assert plan.left_out == "" and plan.secret == UUID


def test_tags_become_labels() -> None:
    plan = read(timeout=60, tags=" ".join(["Prod", "prod", "db,main", *map(str, range(12))]))
    assert plan.labels[:3] == ("prod", "db", "main") and len(plan.labels) == 10
    assert "first 10" in " ".join(plan.notes)


@pytest.mark.parametrize(
    ("name", "reason"), [("\x1b[2J", "U+001B"), ("x" * 121, "1 to 120"), ("\u202e", "U+202E")]
)
def test_a_name_that_can_t_be_had_leaves_it_out(name: str, reason: str) -> None:
    assert reason in read(name=name, timeout=60).left_out


@pytest.mark.parametrize("key", [None, "", "x", "a" * 61, "<b>", "ab\n", "\udcff", "\u0661"])
def test_without_any_id_it_is_left_out(key: str | None) -> None:
    (plan,) = read_checks([{"name": "A", "timeout": 60, "unique_key": key}])
    assert "neither a uuid nor a unique_key" in plan.left_out and plan.source == ""
