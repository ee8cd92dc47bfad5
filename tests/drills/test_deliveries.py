"""kill -9 of the worker between decision and delivery: each message arrives, doubles by one id."""

import random
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from app.extensions import db
from app.models import Delivery
from tests.channels.conftest import make_channel
from tests.channels.deliveries import post_to
from tests.channels.receivers import Received, Receiver, Reply
from tests.factories import make_team
from tests.server import LiveServer, wait_for

KILLS = 50
ANSWER_SECONDS = 0.3


class WatchedReceiver(Receiver):
    """Answers late, and tells whoever waits that a message has come."""

    def __init__(self) -> None:
        super().__init__()
        self.has_come = threading.Event()
        self.reply = self._answer

    def _answer(self, request: Received) -> Reply:
        self.has_come.set()
        return Reply(wait_seconds=ANSWER_SECONDS)


@pytest.fixture
def watched() -> Iterator[WatchedReceiver]:
    with WatchedReceiver() as receiver:
        yield receiver


def kill_before(server: LiveServer, receiver: WatchedReceiver, chance: random.Random) -> None:
    """Somewhere between the decision and the claim, or a little later."""
    threading.Event().wait(chance.random() * 2)
    server.kill_worker()


def kill_between(server: LiveServer, receiver: WatchedReceiver, chance: random.Random) -> None:
    """Once the other side has it, and before that can be recorded."""
    assert receiver.has_come.wait(60)
    threading.Event().wait(chance.random() * ANSWER_SECONDS)
    server.kill_worker()


@pytest.mark.drill
@pytest.mark.timeout(1_800)
def test_fifty_kills_between_decision_and_delivery_lose_no_message(
    make_server: Callable[..., LiveServer],
    app: Flask,
    watched: WatchedReceiver,
) -> None:
    server = make_server(FLOWPULSE_ALLOW_PRIVATE_ADDRESSES="1")
    team, chance, sent = make_team(), random.Random(1), []
    for number in range(KILLS):
        watched.has_come.clear()
        # New ones: a killed worker's channel waits until its lease has run out.
        for name in (f"{number}a", f"{number}b"):
            channel = make_channel(team, name=name, url=f"{watched.url}/{name}")
            sent += [post_to(channel).id for _ in range(2)]
        kill = kill_between if number % 2 else kill_before
        kill(server, watched, chance)
        server.restart_worker()
    wait_for(lambda: count(Delivery.state == "delivered") == len(sent), 120, 0.5)
    assert count(Delivery.state != "delivered") == 0
    bodies: dict[str, set[bytes]] = {}
    for request in watched.received:
        bodies.setdefault(request.headers["webhook-id"], set()).add(request.body)
    assert bodies.keys() == set(sent)
    assert all(len(each) == 1 for each in bodies.values())
    print(f"{len(sent)} messages, {len(watched.received) - len(sent)} doubles")


def count(condition: Any) -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count(Delivery.id)).where(condition)) or 0
