"""Why a workflow is silent: found among its own refused requests, whatever else was refused."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy import func, insert, select, text

from app.clock import now
from app.extensions import db, is_sqlite, writing
from app.identifiers import new_id
from app.ingest.service import ingest_service
from app.models import ApiKey, Event, Run, Workflow
from app.processing.silence_causes import MOST_COUNTED, SilenceCause, explain_silence
from app.workspaces.workflows import rename_workflow
from tests.factories import Team, accepted_row, make_team, run_row

FLOOD = 2_500


@pytest.fixture
def team(app: Flask) -> Team:
    return make_team()


def ago(minutes: float) -> datetime:
    return now() - timedelta(minutes=minutes)


def store(team: Team, at: datetime, count: int = 1, **columns: Any) -> None:
    """Refused requests of the team's key, each a millisecond after the one before."""
    usual = {"workspace_id": team.workspace_id, "api_key_id": team.api_key_id}
    refusal = {"state": "rejected", "status": 400, "code": "validation_failed"}
    refusal |= {"next_attempt_at": None, **usual, **columns}
    rows = [
        accepted_row(at + timedelta(milliseconds=number), public_id=new_id(), **refusal)
        for number in range(count)
    ]
    with writing() as session:
        session.execute(insert(Event), rows)


def store_good(team: Team, at: datetime, **columns: Any) -> None:
    """An event of the workflow, and the run that it became."""
    good = {"state": "processed", "status": 202, "code": None, **columns}
    store(team, at, workflow_id=team.workflow_id, **good)
    with writing() as session:
        event_id = session.scalar(select(func.max(Event.id)))
        session.add(Run(**run_row(team, at, decided_by_event_id=event_id)))


def cause(team: Team) -> SilenceCause | None:
    db.session.rollback()
    workflow = db.session.get_one(Workflow, team.workflow_id)
    return explain_silence(db.session(), workflow, now())


NAMED: dict[str, Any] = {"by slug": {}, "by key": {"reference": None, "status": 401}}


def own_refusal(team: Team, kind: str) -> dict[str, Any]:
    """A refused request that names the workflow, or that came with its key and was not read."""
    named = {"reference": team.slug, "workflow_id": team.workflow_id}
    return named | NAMED[kind] | ({"workflow_id": None} if kind == "by key" else {})


@pytest.mark.parametrize("kind", NAMED)
def test_a_flood_of_another_workspace_does_not_hide_the_cause(team: Team, kind: str) -> None:
    other = make_team(first=False)
    store_good(team, ago(60))
    store(team, ago(30), 2, **own_refusal(team, kind))
    store(other, ago(20), FLOOD, reference=other.slug)
    found = cause(team)
    assert found is not None and found.count == 2
    assert found.status == (401 if kind == "by key" else 400)


@pytest.mark.parametrize("kind", NAMED)
def test_nor_does_one_of_another_workflow_or_key_of_its_workspace(team: Team, kind: str) -> None:
    store_good(team, ago(60))
    store(team, ago(30), 2, **own_refusal(team, kind))
    store(team, ago(20), FLOOD, reference="another-one")
    store(team, ago(10), FLOOD, reference=None, api_key_id=None)
    found = cause(team)
    assert found is not None and found.count == 2


def test_a_flood_of_its_own_is_counted_up_to_a_bound_and_the_newest_is_told(team: Team) -> None:
    store_good(team, ago(60))
    store(team, ago(30), FLOOD, **own_refusal(team, "by slug"))
    store(team, ago(5), code="clock_ahead", **own_refusal(team, "by slug"))
    found = cause(team)
    assert found is not None and (found.count, found.code) == (MOST_COUNTED, "clock_ahead")


def test_only_what_came_since_the_last_good_one_and_within_a_week_counts(team: Team) -> None:
    week = 7 * 24 * 60
    store(team, ago(week + 1), **own_refusal(team, "by slug"))
    assert cause(team) is None
    store(team, ago(week - 1), **own_refusal(team, "by slug"))
    assert cause(team) is not None
    store_good(team, ago(60))
    assert cause(team) is None


def test_a_request_that_named_it_by_a_name_that_it_had_still_counts(team: Team) -> None:
    store(team, ago(30), **{**own_refusal(team, "by slug"), "reference": team.name})
    rename_workflow(db.session.get_one(Workflow, team.workflow_id), "Other", "other")
    assert cause(team) is not None


def test_a_request_that_only_its_key_ties_to_the_workflow_is_told_as_such(team: Team) -> None:
    """The key may report other workflows too, and the request may be theirs."""
    store_good(team, ago(60))
    store(team, ago(30), code="insufficient_scope", **own_refusal(team, "by key"))
    found = cause(team)
    which = "A request with key n8n-prod, which also reports this workflow, was refused: 401, "
    assert found is not None and found.text.startswith(which)
    store(team, ago(20), **own_refusal(team, "by slug"))
    found = cause(team)
    assert found is not None and found.text.startswith("The last request was refused: 400, ")


@pytest.mark.parametrize("kind", NAMED)
def test_when_a_key_was_revoked_or_expired_is_told_in_the_zone_that_is_asked_for(
    team: Team, kind: str
) -> None:
    late = datetime(2026, 5, 3, 22, 12, tzinfo=UTC)
    with writing() as session:
        key = session.get_one(ApiKey, team.api_key_id)
        key.revoked_at = key.expires_at = late
    store_good(team, ago(60))
    for minutes, code, word in ((30, "revoked_api_key", "revoked"), (20, "expired_api_key", "exp")):
        store(team, ago(minutes), code=code, **own_refusal(team, kind))
        workflow = db.session.get_one(Workflow, team.workflow_id)
        zoned = explain_silence(db.session(), workflow, now(), ZoneInfo("Europe/Berlin"))
        assert zoned is not None and f"{word}" in zoned.reason
        assert "on 4 May 2026, 00:12 CEST" in zoned.text
        found = cause(team)
        assert found is not None and "on 3 May 2026, 22:12 UTC" in found.text
        assert found.text.count("n8n-prod") == 1


def test_a_ping_that_was_refused_for_its_key_names_its_workflow(
    team: Team, client: FlaskClient
) -> None:
    store_good(team, ago(60))
    with writing() as session:
        session.get_one(ApiKey, team.api_key_id).revoked_at = ago(30)
    assert client.get(f"/api/v1/ping/{team.slug}", headers=team.headers).status_code == 401
    ingest_service().recorder.flush()
    found = cause(team)
    assert found is not None and found.text.startswith("The last request was refused: 401, key n8n")


SENDER = {"remote_addr": "203.0.113.7", "user_agent": "axios/1.7"}
NOBODY: dict[str, Any] = {"workspace_id": None, "api_key_id": None, "reference": None}


def test_a_request_with_nobody_s_key_may_be_the_cause_if_a_sender_of_the_workflow_sent_it(
    team: Team,
) -> None:
    unknown = {**NOBODY, "status": 401, "code": "unknown_api_key"}
    store(team, ago(50), **unknown, **SENDER)
    assert cause(team) is None
    store_good(team, ago(40), **SENDER)
    assert cause(team) is None
    store(team, ago(30), **unknown, **{**SENDER, "user_agent": "curl/8"})
    store(team, ago(30), **unknown, **{**SENDER, "remote_addr": "203.0.113.8"})
    store(team, ago(30), **unknown)
    assert cause(team) is None
    store(team, ago(20), 3, **unknown, **SENDER)
    store(team, ago(10), FLOOD // 5, **unknown, **{**SENDER, "user_agent": "curl/8"})
    found = cause(team)
    assert found is not None and (found.event_id, found.count) == ("", 3)
    store(team, ago(5), **{**unknown, "reference": team.slug}, **SENDER)  # As a ping does.
    store(team, ago(5), **{**unknown, "reference": "another-one"}, **SENDER)
    found = cause(team)
    assert found is not None and found.count == 4
    assert "which may be this workflow's" in found.text and "was refused: 401, " in found.text
    store(team, ago(30), **own_refusal(team, "by slug"))
    found = cause(team)
    assert found is not None and found.text.startswith("The last request was refused: 400, ")


def test_the_search_goes_along_indexes_of_the_workflow_the_reference_and_the_key(
    team: Team,
) -> None:
    other = make_team(first=False)
    store_good(team, ago(60), **SENDER)
    for each, reference in ((other, other.slug), (team, "another-one"), (team, None)):
        store(each, ago(30), 1_000, reference=reference, api_key_id=None)
    store(team, ago(30), 1_000, **NOBODY)
    if not is_sqlite():
        with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE events"))
    noted: list[tuple[str, Any]] = []

    def note(connection: Any, cursor: Any, statement: str, parameters: Any, *rest: Any) -> None:
        noted.append((statement, parameters))

    sqlalchemy_event.listen(db.engine, "before_cursor_execute", note)
    cause(team)
    sqlalchemy_event.remove(db.engine, "before_cursor_execute", note)
    search, of_nobody = [each for each in noted if "UNION" in each[0]]
    assert_goes_along(search, ("workflow", "reference", "key"))
    assert_goes_along(of_nobody, ("reference",))


def assert_goes_along(search: tuple[str, Any], indexes: Iterable[str]) -> None:
    word = "EXPLAIN QUERY PLAN" if is_sqlite() else "EXPLAIN"
    with db.engine.connect() as connection:
        plan = "\n".join(
            str(row[-1]) for row in connection.exec_driver_sql(f"{word} {search[0]}", search[1])
        )
    for index in indexes:
        assert f"ix_events_refused_{index}" in plan, plan
    # `events_other` is all but empty: within an hour of a new month it is read as it stands.
    plan = plan.replace("Seq Scan on events_other", "")
    assert "Seq Scan" not in plan and "SCAN events" not in plan, plan
