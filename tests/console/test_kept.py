"""Below each list stands from when its oldest item is: whoever misses something sees why."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from string import Formatter
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import insert, select, update

from app.channels.outbox import put_mail
from app.clock import now
from app.console.schedules import LATEST
from app.extensions import db, is_sqlite, writing
from app.ingest.service import ingest_service
from app.models import (
    OUTCOMES,
    RUNNING,
    STATES,
    Alert,
    ApiKey,
    Channel,
    Delivery,
    Event,
    OutboxMessage,
    Purge,
    Run,
    Silence,
)
from app.processing.batch import process_batch
from app.processing.oldest import KEPT, find_oldest, find_oldest_event, find_oldest_run
from tests.channels.conftest import make_channel
from tests.channels.deliveries import make_message, post_to
from tests.console.pages import open_page
from tests.factories import Team, make_alert, make_team, report, run_row
from tests.pages_map import PAGES
from tests.statements import Statements

OLD = datetime(2026, 2, 3, 12, tzinfo=UTC)


def add_reports(client: FlaskClient, team: Team) -> None:
    """Three of each; the first came long ago."""
    for number in range(3):
        ended_at = (OLD + timedelta(days=number)).isoformat()
        report(client, team, ended_at=ended_at)
        report(client, team, "failure", ended_at=ended_at)
        report(client, team, ended_at="yesterday")
    ingest_service().recorder.flush()
    process_batch(10)
    for table, column in ((Event, "received_at"), (Run, "updated_at")):
        make_first_older(table, column)


def add_alerts(client: FlaskClient, team: Team) -> None:
    """The first has not ended: it is no past alert."""
    for number in range(3):
        make_alert(team.workspace_id, team.workflow_id, f"Alert {number}")
    with writing() as session:
        ids = session.scalars(select(Alert.id).order_by(Alert.id)).all()
        session.execute(update(Alert).where(Alert.id.in_(ids[1:])).values(ended_at=now()))
        session.execute(update(Alert).where(Alert.id == ids[1]).values(began_at=OLD))


def add_deliveries(client: FlaskClient, team: Team) -> None:
    make_channel(team, url="https://example.org/hook")
    for number in range(3):
        post_to(db.session.scalars(select(Channel)).one(), id=f"m{number}", incident=f"i{number}")
    make_first_older(OutboxMessage, "created_at")


def add_mails(client: FlaskClient, team: Team) -> None:
    with writing() as session:
        message = make_message(id="week-20260112-1", kind="digest", incident="")
        put_mail(session.connection(), message, team.workspace_id, [team.email], now())
    make_first_older(OutboxMessage, "created_at")


def add_refused(client: FlaskClient, team: Team) -> None:
    for _ in range(3):
        client.post("/api/v1/ingest/run-success", data="{", headers=team.headers)
    ingest_service().recorder.flush()
    make_first_older(Event, "received_at")


def add_told_alert(client: FlaskClient, team: Team) -> None:
    make_alert(team.workspace_id, team.workflow_id)
    make_first_older(OutboxMessage, "created_at")


def add_silences(client: FlaskClient, team: Team) -> None:
    """More than the page shows."""
    days = [OLD + timedelta(days=number) for number in range(LATEST + 2)]
    with writing() as session:
        session.add_all(
            Silence(
                workflow_id=team.workflow_id,
                expected_at=day,
                silent_since=day,
                ended_at=day + timedelta(hours=1),
                missed_count=1,
            )
            for day in days
        )


def make_first_older(table: Any, column: str) -> None:
    with writing() as session:
        first = session.scalar(select(table.id).order_by(table.id).limit(1))
        session.execute(update(table).where(table.id.in_([first, first + 1])).values({column: OLD}))


def fields_of(path: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(path) if name}


LISTS: dict[str, tuple[Callable[[FlaskClient, Team], None], str]] = {
    "/events": (
        add_reports,
        "The oldest event that is kept came 3 Feb 2026. Refused requests are kept 7 days, "
        "other events 90 days, failures 365 days.",
    ),
    "/events?state=processed": (
        add_reports,
        "The oldest processed event that is kept came 3 Feb 2026. "
        "Processed events are kept 90 days.",
    ),
    "/runs": (
        add_reports,
        "The oldest run that is kept was told 3 Feb 2026. Successes are kept 90 days, "
        "failures 365 days.",
    ),
    "/workflows/{workflow}": (
        add_reports,
        "The oldest run of the workspace that is kept was told 3 Feb 2026.",
    ),
    "/runs/errors": (
        add_reports,
        "The oldest failed run that is kept was told 3 Feb 2026. Failures are kept 365 days.",
    ),
    "/problems": (add_reports, "Refused requests are kept 7 days."),
    "/problems/{problem}": (
        add_refused,
        "The oldest of these requests that is kept came 3 Feb 2026. "
        "Refused requests are kept 7 days.",
    ),
    "/workflows/{workflow}/schedule": (
        add_silences,
        "The oldest silence that is kept began 3 Feb 2026. Silences are kept 365 days.",
    ),
    "/alerts/{alert}": (
        add_told_alert,
        "The oldest message that is kept was put in 3 Feb 2026. Messages are kept 90 days.",
    ),
    "/alerts?view=past": (
        add_alerts,
        "The oldest past alert that is kept began 3 Feb 2026. Past alerts are kept 365 days.",
    ),
    "/alerts/channels/{channel}": (
        add_deliveries,
        "The oldest message that is kept was put in 3 Feb 2026. Messages are kept 90 days.",
    ),
    "/alerts/mails": (
        add_mails,
        "The oldest message that is kept was put in 3 Feb 2026. Messages are kept 90 days.",
    ),
}


EXCEPTIONS = {
    "account.show_account": "Sessions are listed while they last.",
    "alert_rules.show_rules": "Rules stay until somebody removes them.",
    "audit.show_log": "It says below what is kept for how long: nearly all of it for good.",
    "channel.show_new": "A form.",
    "channels.show_channels": "Channels stay until somebody removes them.",
    "connect.show_connect": "Instructions.",
    "delivery.show_delivery": "The tries of one delivery go with it.",
    "doc_pages.show_guides": "A text.",
    "doc_pages.show_index": "A text.",
    "doc_pages.show_page": "A text.",
    "docs.show_reference": "A text.",
    "doctor.show_doctor": "It tells of now.",
    "event.show_event": "One event; of what is related it shows the newest.",
    "importing.show_form": "A form.",
    "insights.show_insights": "Its figures are sums, which stay.",
    "key_page.show_key": "Who used it in 30 days, of 90; the refused requests lead to the log.",
    "keys.show_keys": "Keys stay.",
    "maintenance.show_windows": "Windows stay until somebody removes them.",
    "mending.show_resend": "A form.",
    "overview.show_overview": "Each of its lists leads to a whole one.",
    "rule_form.show_new": "A form; its preview says which days it looks at.",
    "rule_form.show_rule": "A form; its preview says which days it looks at.",
    "runs.show_run": "One run; where its events are gone, it says so.",
    "settings.show_settings": "It says of each period from when the oldest is.",
    "troubleshooting.show_table": "A text; its counts say of which days they are.",
    "two_factor.show_offer": "A form.",
    "workflows.show_workflows": "Workflows stay.",
}
"""Pages without the line, and why they need none."""


def test_each_page_has_the_line_or_a_reason_to_go_without() -> None:
    """A new page is one or the other."""
    paths = {path.partition("?")[0] for path in LISTS}
    with_line = {
        endpoint
        for endpoint, addresses in PAGES.items()
        if paths & {address.partition("?")[0] for address in addresses}
    }
    assert paths <= {each.partition("?")[0] for own in PAGES.values() for each in own}
    assert not with_line & EXCEPTIONS.keys()
    assert with_line | EXCEPTIONS.keys() == PAGES.keys()


def test_a_keys_refused_requests_lead_to_the_whole_list(
    owner: FlaskClient, client: FlaskClient, team: Team
) -> None:
    add_refused(client, team)
    key = db.session.scalars(select(ApiKey.public_id)).first()
    page = open_page(owner, f"/keys/{key}")
    (href,) = [each for each in page.links if "state=rejected" in each]
    assert "The oldest refused request that is kept came 3 Feb" in open_page(owner, href).text


def address_of(path: str, team: Team) -> str:
    ids = {
        "workflow": team.workflow_public_id,
        "channel": db.session.scalar(select(Channel.public_id)),
        "alert": db.session.scalar(select(Alert.public_id).order_by(Alert.id)),
        "problem": db.session.scalar(select(Event.fingerprint).order_by(Event.id)),
    }
    return path.format(**ids)


@pytest.mark.parametrize("path", LISTS)
def test_each_list_says_from_when_its_oldest_item_is(
    owner: FlaskClient, client: FlaskClient, team: Team, path: str
) -> None:
    add, line = LISTS[path]
    add(client, team)
    assert line in open_page(owner, address_of(path, team)).text.replace(" .", ".")


@pytest.mark.parametrize(
    "path", [path for path in LISTS if not {"channel", "alert", "problem"} & fields_of(path)]
)
def test_an_empty_list_has_no_oldest_item(owner: FlaskClient, team: Team, path: str) -> None:
    other = make_team("Other", first=False)
    assert other.workspace_id != team.workspace_id
    assert "that is kept" not in open_page(owner, address_of(path, team)).text


@pytest.mark.parametrize("name", ["events", "runs"])
def test_the_reading_api_tells_it_beside_the_cursor(
    client: FlaskClient, team: Team, name: str
) -> None:
    def read(**query: Any) -> Any:
        return client.get(f"/api/v1/{name}", query_string=query, headers=team.headers).json

    assert read() == {"data": [], "next_cursor": None, "oldest_at": None}
    add_reports(client, team)
    page = read(limit=1)
    assert page["oldest_at"] == OLD.isoformat()
    assert read(limit=1, cursor=page["next_cursor"])["oldest_at"] == page["oldest_at"]
    schema = client.get("/api/v1/openapi.json").json["paths"][f"/api/v1/{name}"]["get"]
    content = schema["responses"]["200"]["content"]["application/json"]["schema"]
    assert set(content["required"]) == set(content["properties"]) == set(page)


def test_a_run_counts_from_when_it_was_told(
    owner: FlaskClient, client: FlaskClient, team: Team
) -> None:
    """As retention does: a back-fill of long ago is as young as its requests."""
    report(client, team, ended_at="2024-01-02T03:04:05Z")
    ingest_service().recorder.flush()
    process_batch(10)
    for path in ("/runs", f"/workflows/{team.workflow_public_id}"):
        page = open_page(owner, path).text
        assert re.search("The oldest run (of the workspace )?that is kept was told", page)
        assert "told 2 Jan 2024" not in page
    told_at = db.session.scalars(select(Run.updated_at)).one()
    assert client.get("/api/v1/runs", headers=team.headers).json["oldest_at"] == told_at.isoformat()


OF_STATES = {
    "accepted": ("event", "Refused requests are kept 7 days, "),
    "processed": ("processed event", "Processed events are kept 90 days."),
    "failed": ("event that was not processed", "Failures are kept 365 days."),
    "rejected": ("refused request", "Refused requests are kept 7 days."),
}
OF_OUTCOMES = {
    "success": ("successful run", "Successes are kept 90 days."),
    "failure": ("failed run", "Failures are kept 365 days."),
    "running": ("open run", "Open runs are kept 365 days."),
}


@pytest.mark.parametrize("state", STATES)
def test_a_list_of_events_in_a_state_tells_of_these_only(
    owner: FlaskClient, client: FlaskClient, team: Team, state: str
) -> None:
    """Each came on a day of its own, in the order of the states."""
    ids = [report(client, team).json["event_id"] for _ in STATES]
    ids += [report(client, team).json["event_id"] for _ in STATES]
    days = [*range(4), *range(10, 14)]
    with writing() as session:
        for public_id, day, one in zip(ids, days, [*STATES] * 2, strict=True):
            changed = {"state": one, "received_at": OLD + timedelta(days=day)}
            changed |= {"code": "invalid_json"} if one == "rejected" else {}
            session.execute(update(Event).where(Event.public_id == public_id).values(changed))
    moment = OLD + timedelta(days=STATES.index(state))
    noun, kept = OF_STATES[state]
    page = open_page(owner, f"/events?state={state}").text.replace(" .", ".")
    assert f"The oldest {noun} that is kept came {moment.day} Feb 2026. {kept}" in page
    assert find_oldest_event([team.workspace_id, None], state) == moment
    answer = client.get(f"/api/v1/events?status={state}", headers=team.headers)
    assert answer.json["oldest_at"] == moment.isoformat()


@pytest.mark.parametrize("outcome", [*OUTCOMES, RUNNING])
def test_a_list_of_runs_with_an_outcome_tells_of_these_only(
    owner: FlaskClient, client: FlaskClient, team: Team, outcome: str
) -> None:
    outcomes = [*OUTCOMES, RUNNING]
    with writing() as session:
        for number, each in enumerate([*outcomes, *outcomes]):
            row = run_row(team, now(), outcome=each, updated_at=OLD + timedelta(days=number))
            if each == RUNNING:
                row |= {"started_at": now(), "ended_at": None}
            session.execute(insert(Run).values(row))
    moment = OLD + timedelta(days=outcomes.index(outcome))
    noun, kept = OF_OUTCOMES[outcome]
    page = open_page(owner, f"/runs?outcome={outcome}").text.replace(" .", ".")
    assert f"The oldest {noun} that is kept was told {moment.day} Feb 2026. {kept}" in page
    answer = client.get(f"/api/v1/runs?outcome={outcome}", headers=team.headers)
    assert answer.json["oldest_at"] == moment.isoformat()


def test_the_oldest_is_found_along_an_index(client: FlaskClient, team: Team) -> None:
    mine = team.workspace_id
    whose = {
        "event": Event.workspace_id == team.workspace_id,
        "alert": Alert.workspace_id == team.workspace_id,
        "delivery": Delivery.channel_id == 1,
        "silence": Silence.workflow_id == team.workflow_id,
    }
    assert whose.keys() == KEPT.keys()
    statements = Statements()
    with statements.noted():
        for what, owner in whose.items():
            find_oldest(what, owner)
        for state in (None, *STATES[1:]):
            find_oldest_event([mine], state)
        for outcome in (None, *OUTCOMES, RUNNING):
            find_oldest_run(mine, outcome)
    plans = statements.explain("events", "runs", "alerts", "deliveries", "silences")
    assert len(plans) == len(KEPT) - 1 + len(STATES) + len(OUTCOMES) + 2
    for statement, plan in plans:
        assert "TEMP B-TREE" not in plan and "Sort  (" not in plan, f"{statement}\n{plan}"
        plan = plan.replace("SCAN events USING INDEX ix_events_rejected", "")  # To the first row.
        assert "SCAN" not in plan and "Seq Scan" not in plan, f"{statement}\n{plan}"
        assert is_sqlite() or "Index" in plan


@pytest.mark.parametrize(("days_ago", "is_told"), [(2, True), (400, False)])
def test_what_went_for_its_size_is_not_said_to_have_gone_for_its_age(
    owner: FlaskClient, team: Team, days_ago: int, is_told: bool
) -> None:
    report(owner, team)
    moment = now()
    went: dict[str, Any] = {"day": moment.date(), "why": "size", "what": "success"}
    went |= {"row_count": 7, "last_at": moment, "reached_at": moment - timedelta(days=days_ago)}
    with writing() as session:
        session.execute(insert(Purge), [went])
    told = "Some went before that, as the database had reached its limit."
    assert told not in open_page(owner, "/events").text
    owner.application.config["FLOWPULSE_MAX_DATABASE_MB"] = 5
    assert (told in open_page(owner, "/events").text) == is_told
    assert told not in open_page(owner, "/events?state=rejected").text
