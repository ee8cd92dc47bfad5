"""Several workers that tick at once: what one decides, the others do not decide again."""

import threading
from collections.abc import Callable, Collection

import pytest
from flask import Flask
from sqlalchemy import delete, insert, update
from sqlalchemy.orm import Session

from app.alerting import ticking
from app.extensions import db, is_sqlite, writing
from app.models import AlertRule, Silence, Workflow
from app.workspaces.workflows import create_workflow
from tests.alerting.stories import Time, alerts, at, messages, store_channel, store_rule, told
from tests.alerting.test_deciding import store_events
from tests.alerting.test_ticking import silence, store
from tests.factories import Team
from tests.together import do_together


def switch_off(session: Session) -> None:
    session.execute(update(AlertRule).values(is_on=False))


def remove(session: Session) -> None:
    session.execute(delete(AlertRule))


def archive(session: Session) -> None:
    session.execute(update(Workflow).values(archived_at=at(1)))


def look_elsewhere(session: Session) -> None:
    session.execute(update(AlertRule).values(label="other"))


@pytest.mark.parametrize("change", [switch_off, remove, archive, look_elsewhere])
def test_an_alert_that_nobody_looks_after_is_resolved_once_by_two_workers(
    team: Team,
    time: Time,
    app: Flask,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Session], None],
) -> None:
    pager = store_channel(team, "Pager", "pagerduty")
    store_rule(team, channels=[pager])
    store_events(team, 1, "run-failure", 0, begin=0)
    time.work(0)
    with writing() as session:
        change(session)
    both = threading.Barrier(2)
    lock_rules = ticking.lock_rules

    def lock_after_both_have_looked(session: Session, rule_ids: Collection[int]) -> None:
        if not is_sqlite():
            both.wait(20)
        lock_rules(session, rule_ids)

    monkeypatch.setattr(ticking, "lock_rules", lock_after_both_have_looked)

    failures = do_together(app, 2, lambda: ticking.tick(at(2)))
    assert failures == []
    assert [alert.ended_at for alert in alerts()] == [at(2)]
    assert [message.kind for message in messages()] == ["alert", "resolve"]


def test_what_comes_while_the_rules_are_locked_waits_for_the_next_tick(
    team: Team, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On SQLite nothing can come meanwhile."""
    numbers = {"minutes": 0}
    other = create_workflow(team.workspace_id, "Other").id
    for name, workflow_id in (("Mine", team.workflow_id), ("Others", other)):
        store_rule(team, name=name, kind="silent", numbers=numbers, workflow_id=workflow_id)
    store(silence(team, 0))
    lock_rules = ticking.lock_rules
    late = insert(Silence).values(
        workflow_id=other,
        expected_at=at(0),
        silent_since=at(0),
        missed_count=1,
        during_downtime=False,
    )

    def lock_late(session: Session, rule_ids: Collection[int]) -> None:
        lock_rules(session, rule_ids)
        monkeypatch.setattr(ticking, "lock_rules", lock_rules)
        if not is_sqlite():
            with db.engine.begin() as connection:
                connection.execute(late)

    monkeypatch.setattr(ticking, "lock_rules", lock_late)
    time.work(1)
    assert [title for _, title in told()] == ["Lead enrichment is silent"]
    if is_sqlite():
        with writing() as session:
            session.execute(late)
    time.work(2)
    assert [title for _, title in told()] == ["Lead enrichment is silent", "Other is silent"]
