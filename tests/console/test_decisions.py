"""Why an event decided its run's outcome, or another event of the same execution did."""

from flask.testing import FlaskClient

from app.extensions import db
from app.ingest.service import ingest_service
from app.processing.batch import process_batch
from tests.console.pages import open_page
from tests.factories import Team, report

EARLY, LATE = "2026-01-15T09:00:00Z", "2026-01-15T10:00:00+00:00"
OTHERWISE = "Another event for the same execution ended {} and told otherwise; {}."
AT_ONCE = OTHERWISE.format("at the same time", "of two that ended together, the failure decides")


def send(client: FlaskClient, team: Team, kind: str, ended_at: str) -> str:
    answer = report(client, team, kind, external_execution_id="e", ended_at=ended_at)
    ingest_service().recorder.flush()
    process_batch(10)
    db.session.rollback()
    return str(answer.json["event_id"])


def told(client: FlaskClient, event_id: str) -> str:
    return open_page(client, f"/events/{event_id}").text


def test_the_later_event_decides(owner: FlaskClient, team: Team) -> None:
    early, late = send(owner, team, "failure", EARLY), send(owner, team, "success", LATE)
    decides = "the later one decides"
    assert OTHERWISE.format("earlier", decides) in told(owner, late)
    assert OTHERWISE.format("later", decides) in told(owner, early)


def test_of_two_that_ended_together_the_failure_decides(owner: FlaskClient, team: Team) -> None:
    events = [send(owner, team, kind, LATE) for kind in ("success", "failure", "success")]
    for event_id in events:
        assert AT_ONCE in told(owner, event_id)
        assert "earlier and told" not in told(owner, event_id)


def test_what_ended_earlier_is_not_taken_for_what_ended_together(
    owner: FlaskClient, team: Team
) -> None:
    early, late = send(owner, team, "success", EARLY), send(owner, team, "failure", LATE)
    assert AT_ONCE not in told(owner, early) + told(owner, late)


def test_an_event_that_told_the_same_is_not_said_to_be_contradicted(
    owner: FlaskClient, team: Team
) -> None:
    same = send(owner, team, "failure", EARLY)
    send(owner, team, "success", EARLY)
    send(owner, team, "failure", LATE)
    assert "told otherwise" not in told(owner, same)
    assert "Events for the same execution told different outcomes" in told(owner, same)


def test_events_that_agree_need_no_word(owner: FlaskClient, team: Team) -> None:
    first, second = send(owner, team, "failure", LATE), send(owner, team, "failure", LATE)
    assert "same execution ended" not in told(owner, first) + told(owner, second)
