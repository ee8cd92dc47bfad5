"""kill -9 of the worker between an alert's decision and its delivery: each arrives, doubles by one
id."""

import random
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import pytest
from flask import Flask
from sqlalchemy import select, update

from app.channels.kinds.webhook import make_secret, sign
from app.clock import now
from app.extensions import db, writing
from app.models import Alert, AlertMessage, Delivery, OutboxMessage
from app.workspaces.workflows import create_workflow
from tests.alerting.stories import store_rule
from tests.channels.conftest import make_channel
from tests.channels.receivers import Received, Receiver, Reply
from tests.drills.record import record
from tests.drills.reliability import is_held
from tests.factories import Team, make_team
from tests.server import LiveServer, wait_for

ANSWER_SECONDS = 0.3
SECRET = make_secret()


@dataclass
class Watch:
    """What is awaited of the messages to one address, and done once the first is answered."""

    answer_seconds: float = 0.0
    has_come: threading.Event = field(default_factory=threading.Event)
    once_answered: Callable[[], None] | None = None


class WatchedReceiver(Receiver):
    """Tells whoever waits that a message has come, and may do something when it is answered."""

    def __init__(self) -> None:
        super().__init__()
        self.watches: dict[str, Watch] = defaultdict(Watch)
        self.reply = self._answer
        self.after = self._go_on

    def _answer(self, request: Received) -> Reply:
        watch = self.watches[request.path]
        watch.has_come.set()
        return Reply(wait_seconds=watch.answer_seconds)

    def _go_on(self, request: Received) -> None:
        watch = self.watches[request.path]
        action, watch.once_answered = watch.once_answered, None
        if action:
            action()


class Drill:
    """A team on a live server; each failure is of a workflow with a rule and a channel of its own,
    since a killed worker's channel waits until its lease has run out."""

    def __init__(self, server: LiveServer, receiver: WatchedReceiver) -> None:
        self.server = server
        self.receiver = receiver
        self.team = make_team()
        self.chance = random.Random(1)
        self.workflows: list[int] = []

    def prepare(self) -> str:
        """A workflow whose failures are told at the address `/slug`; returns the slug."""
        workflow = create_workflow(self.team.workspace_id, f"Job {len(self.workflows)}")
        name, slug = workflow.name, workflow.slug
        url = f"{self.receiver.url}/{slug}"
        channel = make_channel(self.team, name=name, url=url, secret=SECRET)
        store_rule(self.team, id=None, name=name, workflow_id=workflow.id, channels=[channel.id])
        self.workflows.append(workflow.id)
        return slug

    def fail(self, slug: str) -> None:
        body = {
            "workflow_slug": slug,
            "ended_at": now().isoformat(),
            "error_message": f"{slug} has no credit",
        }
        answer = self.server.post(
            "/api/v1/ingest/run-failure", json=body, headers=self.team.headers
        )
        assert answer.status_code == 202, answer.text

    def is_decided(self) -> bool:
        """Whether there is an alert of the newest workflow."""
        db.session.rollback()
        newest = Alert.workflow_id == self.workflows[-1]
        return db.session.scalar(select(Alert.id).where(newest)) is not None


def kill_before_the_decision(drill: Drill, slug: str) -> None:
    """Or a little later: the worker looks for events ten times a second."""
    drill.fail(slug)
    time.sleep(drill.chance.random() * 0.2)
    drill.server.kill_worker()


def kill_after_the_decision(drill: Drill, slug: str) -> None:
    drill.fail(slug)
    wait_for(drill.is_decided, 60, 0.002)
    drill.server.kill_worker()


def kill_while_it_is_sent(drill: Drill, slug: str) -> None:
    """Once the other side has it, and before it answers."""
    watch = drill.receiver.watches[f"/{slug}"]
    watch.answer_seconds = ANSWER_SECONDS
    drill.fail(slug)
    assert watch.has_come.wait(60)
    time.sleep(drill.chance.random() * ANSWER_SECONDS)
    drill.server.kill_worker()


def kill_after_the_answer(drill: Drill, slug: str) -> None:
    """The other side is done with it, and the worker has not yet recorded that."""
    is_killed = threading.Event()

    def kill() -> None:
        drill.server.kill_worker()
        is_killed.set()

    drill.receiver.watches[f"/{slug}"].once_answered = kill
    drill.fail(slug)
    assert is_killed.wait(60)


Kill = Callable[[Drill, str], None]
KILLS: tuple[Kill, ...] = (
    kill_after_the_answer,
    kill_before_the_decision,
    kill_while_it_is_sent,
    kill_after_the_decision,
)


@pytest.fixture
def watched() -> Iterator[WatchedReceiver]:
    with WatchedReceiver() as receiver:
        yield receiver


@pytest.fixture
def drill(make_server: Callable[..., LiveServer], app: Flask, watched: WatchedReceiver) -> Drill:
    return Drill(make_server(FLOWPULSE_ALLOW_PRIVATE_ADDRESSES="1"), watched)


def test_a_kill_at_each_point_between_decision_and_delivery_loses_no_alert(drill: Drill) -> None:
    """That leases run out is left to the long drill: they are let go of by hand."""
    kill_and_reconcile(drill, KILLS, let_go_of_leases)


@pytest.mark.drill("deliveries")
@pytest.mark.timeout(1_800)
def test_fifty_kills_between_decision_and_delivery_lose_no_alert(
    drill: Drill, database_kind: str
) -> None:
    found = kill_and_reconcile(drill, [KILLS[number % len(KILLS)] for number in range(50)])
    record("deliveries", database_kind, **found)
    assert is_held("deliveries", found), found


def kill_and_reconcile(
    drill: Drill, kills: Sequence[Kill], then: Callable[[], None] = lambda: None
) -> dict[str, int]:
    for kill in kills:
        slug = drill.prepare()
        kill(drill, slug)
        then()
        drill.server.restart_worker()
    return reconcile(drill)


def let_go_of_leases() -> None:
    """As time does, when the worker that held them is dead."""
    with writing() as session:
        session.execute(update(Delivery).values(lease_until=None))


def reconcile(drill: Drill) -> dict[str, int]:
    """Each failure is one alert, each alert has arrived, and what came twice is the same."""
    told = wait_for(lambda: read_told(drill.team, len(drill.workflows)), 120, 0.1)
    assert sorted(told) == drill.workflows
    assert [len(messages) for messages in told.values()] == [1] * len(told)
    arrived: dict[str, list[Received]] = defaultdict(list)
    for request in drill.receiver.received:
        check_signature(request)
        arrived[request.headers["webhook-id"]].append(request)
    assert sorted(arrived) == sorted(message for (message,) in told.values())
    for message_id, requests in arrived.items():
        assert {request.body for request in requests} == {requests[0].body}
        assert {request.path for request in requests} == {requests[0].path}
        assert requests[0].json["data"]["id"] == message_id
        assert f"{requests[0].path[1:]} has no credit" in requests[0].json["data"]["text"]
    doubles = len(drill.receiver.received) - len(arrived)
    assert doubles
    return {"alerts": len(told), "arrived": len(arrived), "doubles": doubles}


def read_told(team: Team, count: int) -> dict[int | None, list[str]]:
    """Of each workflow with an alert the ids of its messages; empty until so many are delivered."""
    db.session.rollback()
    query = (
        select(Alert.workflow_id, OutboxMessage.message_id, Delivery.state)
        .join(AlertMessage, AlertMessage.alert_id == Alert.id)
        .join(OutboxMessage, OutboxMessage.id == AlertMessage.message_id)
        .join(Delivery, Delivery.message_id == OutboxMessage.id)
        .where(Alert.workspace_id == team.workspace_id)
    )
    rows = db.session.execute(query).all()
    told: dict[int | None, list[str]] = defaultdict(list)
    for workflow_id, message_id, state in rows:
        if state == "delivered":
            told[workflow_id].append(message_id)
    return told if len(rows) == len(told) == count else {}


def check_signature(request: Received) -> None:
    headers = request.headers
    signed = sign(SECRET, headers["webhook-id"], int(headers["webhook-timestamp"]), request.body)
    assert headers["webhook-signature"] == signed
