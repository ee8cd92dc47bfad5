"""What the worker finds in the tables: silences, stuck runs, refusals, and what is due."""

from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from app.alerting import ticking
from app.alerting.replay import replay
from app.console import alerts as alert_pages
from app.extensions import db, writing
from app.models import (
    Alert,
    AlertRule,
    Event,
    MaintenanceWindow,
    Run,
    Schedule,
    Silence,
    UnstoredCount,
)
from app.workspaces.alert_rules import snooze_rule
from tests.alerting.stories import (
    START,
    Time,
    alerts,
    at,
    messages,
    refusals,
    store_rule,
    told,
)
from tests.console.pages import sign_in
from tests.factories import Team, make_team, run_row


def store(*rows: Any) -> None:
    with writing() as session:
        session.add_all(rows)


def change(table: Any, **columns: Any) -> None:
    with writing() as session:
        session.query(table).update(columns)


def silence(team: Team, minute: float, **columns: Any) -> Silence:
    return Silence(
        workflow_id=team.workflow_id,
        expected_at=at(minute - 5),
        silent_since=at(minute),
        missed_count=1,
        **columns,
    )


def test_a_silent_workflow_is_told_after_the_rule_s_patience_and_its_next_run_too(
    team: Team, time: Time
) -> None:
    store_rule(team, kind="silent", numbers={"minutes": 10})
    store(silence(team, 0), *refusals(team, 0, 1, reference=team.slug))
    time.work(9.9)
    assert alerts() == []
    time.work(10)
    assert "No run has ended yet. The last request was refused: 400" in messages()[0].text
    (alert,) = alerts()
    assert (alert.what, alert.began_at, alert.count) == ("Lead enrichment is silent", at(0), 1)
    change(Silence, missed_count=4)
    time.work(20)
    time.work(21)
    assert [alert.count for alert in alerts()] == [4]
    run = stuck_run(team, 0)
    run.outcome, run.ended_at, run.stuck_since = "success", at(25), None
    store(run)
    change(Silence, ended_at=at(25), ended_by_run_id=run.id)
    time.work(25)
    assert told() == [
        ("alert", "Lead enrichment is silent"),
        ("recovery", "Lead enrichment runs again"),
    ]


def test_downtime_and_a_removed_schedule_are_no_news(team: Team, time: Time) -> None:
    store_rule(team, kind="silent", numbers={"minutes": 0})
    store(silence(team, 0, during_downtime=True))
    time.work(1)
    assert alerts() == []
    change(Silence, during_downtime=False)
    time.work(2)
    change(Silence, ended_at=at(3))  # By no run.
    time.work(3)
    assert [alert.ended_at for alert in alerts()] == [at(3)]
    assert told() == [("alert", "Lead enrichment is silent")]


def stuck_run(team: Team, minute: float, name: str = "e") -> Run:
    running = {"outcome": "running", "started_at": START, "ended_at": None}
    row = run_row(team, START, external_execution_id=name, stuck_since=at(minute), **running)
    return Run(**row)


def test_stuck_runs_are_one_alert_until_none_is_stuck(team: Team, time: Time) -> None:
    store_rule(team, kind="stuck", numbers={"runs": 2})
    store(stuck_run(team, 0, "a"))
    time.work(1)
    assert alerts() == []
    store(stuck_run(team, 2, "b"), stuck_run(team, 2, "c"))
    time.work(2)
    (alert,) = alerts()
    assert (alert.what, alert.count) == ("Lead enrichment has 3 stuck runs", 3)
    assert len(alert.detail["runs"]) == 3
    change(Run, outcome="success", ended_at=at(3))
    time.work(3)
    assert [kind for kind, _ in told()] == ["alert", "recovery"]


def test_a_silent_workflow_s_message_and_page_say_since_when_it_has_not_run(
    team: Team, time: Time, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_rule(team, kind="silent", numbers={"minutes": 0})
    run, refused = stuck_run(team, 0), refusals(team, 1, 1, reference=team.slug)
    run.outcome, run.ended_at, run.stuck_since = "success", at(-120), None
    schedule = Schedule(
        workflow_id=team.workflow_id,
        kind="interval",
        every_seconds=3_600,
        time_zone="UTC",
        grace_seconds=0,
        next_expected_at=at(0),
        overdue_at=at(0),
    )
    store(silence(team, 60), run, schedule, *refused)
    time.work(60)
    said = "(the last ended 2 Nov 2026, 07:00 UTC); expected every hour."
    text = messages()[0].text
    assert text.startswith(f"No run for 3 h {said} The last request was refused: 400")
    assert text.endswith("\nSince 2 Nov 2026, 10:00 UTC, 1 missed run so far.")
    (alert,) = alerts()
    event = db.session.scalars(select(Event.public_id)).one()
    monkeypatch.setattr(alert_pages, "now", lambda: at(60))
    sign_in(client, team.email)
    page = client.get(f"/alerts/{alert.public_id}").text
    assert f"No run for 3 h {said}" in page and f'href="/events/{event}"' in page


@pytest.mark.parametrize("hush", ["snooze", "maintenance"])
@pytest.mark.parametrize("lasts", [True, False])
def test_a_state_that_outlasts_a_hush_is_told_at_its_end(
    team: Team, time: Time, hush: str, lasts: bool
) -> None:
    until = at(30)
    columns = {"snoozed_until": until} if hush == "snooze" else {}
    store_rule(team, kind="silent", numbers={"minutes": 0}, **columns)
    store_rule(team, kind="stuck", numbers={"runs": 1}, name="Stuck", **columns)
    if hush == "maintenance":
        store(
            MaintenanceWindow(
                workspace_id=team.workspace_id,
                name="Upgrade",
                starts_at=START,
                ends_at=until,
                is_weekly=False,
                zone="UTC",
            )
        )
    run = stuck_run(team, 5)
    store(silence(team, 5), run)
    time.work(5)
    time.work(29.9)
    assert [alert.due_at for alert in alerts()] == [until, until] and messages() == []
    if not lasts:
        change(Run, outcome="success", ended_at=at(29.95))
        change(Silence, ended_at=at(29.95), ended_by_run_id=run.id)
        time.work(29.95)
    for minute in (30, 31, 60):
        time.work(minute)
    expected = {"Lead enrichment is silent", "Lead enrichment has a stuck run"}
    assert {title for _, title in told()} == (expected if lasts else set())
    assert len(told()) == (2 if lasts else 0)
    assert all("2 Nov 2026, 09:05 UTC" in message.text for message in messages())


def test_ending_a_snooze_by_hand_tells_at_once_what_is_silent(team: Team, time: Time) -> None:
    store_rule(team, kind="silent", numbers={"minutes": 0}, snoozed_until=at(600))
    store(silence(team, 5))
    time.work(5)
    snooze_rule(db.session.scalars(select(AlertRule)).one(), None)
    assert [alert.due_at == at(600) for alert in alerts()] == [False]
    change(Alert, due_at=at(6))  # The clock of the worker is not that of people here.
    time.work(6)
    assert told() == [("alert", "Lead enrichment is silent")]


def test_refusals_that_go_on_within_the_cool_down_are_counted_once(team: Team, time: Time) -> None:
    store_rule(team, kind="refused", numbers={"requests": 4, "minutes": 5}, cool_down_minutes=30)
    store(*refusals(team, 0, 2), *refusals(team, 4, 4))
    time.work(4)
    store(*refusals(team, 7.5, 1))
    for minute in (7.5, 9.5):  # Within the window are then 5, and 1.
        time.work(minute)
    assert [alert.ended_at for alert in alerts()] == [at(9.5)]
    store(*refusals(team, 10, 3))
    time.work(10)
    assert [(alert.ended_at, alert.count) for alert in alerts()] == [(None, 10)]


def test_refusals_pile_up_and_are_over_at_half_the_limit(team: Team, time: Time) -> None:
    other = make_team("Elsewhere", first=False)
    store_rule(team, kind="refused", numbers={"requests": 10, "minutes": 5})
    store(*refusals(team, 0, 9), *refusals(other, 0, 50), *refusals(team, 0, 5, origin="test"))
    time.work(0.5)
    assert alerts() == []
    store(*refusals(team, 1, 1))
    time.work(1)
    (alert,) = alerts()
    assert (alert.what, alert.workflow_id) == ("10 requests were refused within 5 minutes", None)
    # Exact, also of those that came too fast to be stored; seen once however often one looks.
    store(
        *refusals(team, 2, 7),
        UnstoredCount(
            minute_at=at(2), workspace_id=team.workspace_id, code="rate_limited", count=1_000
        ),
    )
    for minute in (2, 2.5, 3):
        time.work(minute)
    assert [alert.count for alert in alerts()] == [1_017]
    time.work(6.5)
    assert alerts()[0].ended_at is None  # 1,007 are still within the window.
    time.work(7.5)
    assert alerts()[0].ended_at is not None
    assert [kind for kind, _ in told()] == ["alert", "digest", "recovery"]
    assert "1,007 more refused requests" in messages()[1].title


def test_a_reminder_is_due_without_any_event(team: Team, time: Time) -> None:
    store_rule(team, kind="silent", numbers={"minutes": 0}, reminder_minutes=60)
    store(silence(team, 0))
    for minute in (0, 30, 59, 60, 61, 121):
        time.work(minute)
    assert [message.created_at for message in messages()] == [at(0), at(60), at(121)]


def test_without_work_a_tick_writes_nothing(
    team: Team, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_rule(team, kind="silent", numbers={"minutes": 0})
    store(silence(team, 0))
    time.work(0)
    monkeypatch.setattr(ticking, "writing", lambda: pytest.fail("it wrote"))
    ticking.tick(at(1))


def test_the_replay_finds_what_was_found(team: Team, time: Time) -> None:
    """The same alerts and messages, from the same tables, and writes none."""
    kinds = {
        "silent": {"minutes": 0},
        "stuck": {"runs": 1},
        "refused": {"requests": 10, "minutes": 5},
    }
    for kind, numbers in kinds.items():
        store_rule(team, kind=kind, numbers=numbers, name=kind)
    store(silence(team, 0), stuck_run(team, 0), *refusals(team, 0, 12))
    time.work(0)
    change(Silence, ended_at=at(2), ended_by_run_id=db.session.scalar(select(Run.id)))
    change(Run, outcome="success", ended_at=at(2))
    for minute in range(1, 8):
        time.work(minute)
    found = {(alert.kind, alert.began_at, alert.count) for alert in alerts()}
    assert len(found) == 3 and all(alert.ended_at for alert in alerts())
    count = len(messages())
    for rule in db.session.scalars(select(AlertRule)).all():
        again = replay(db.session(), rule, at(0) + timedelta(days=1))
        assert {(each.kind, each.began_at, each.count) for each in again.alerts} <= found
        assert len(again.alerts) == 1 and again.messages == 2
    assert len(messages()) == count
