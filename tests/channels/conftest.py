"""A team with channels, the other side, and a clock to turn."""

import socket
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask

from app.channels import courier
from app.channels.kinds import opsgenie, pagerduty, pushover, telegram, webhook
from app.channels.sealing import seal
from app.clock import now
from app.extensions import db, writing
from app.models import Channel, Delivery
from tests.channels.deliveries import deliver, post_to
from tests.channels.receivers import MailBox, Receiver
from tests.factories import Team, make_team


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def mail_box() -> Iterator[MailBox]:
    with MailBox() as mail_box:
        yield mail_box


@pytest.fixture
def serve_raw() -> Iterator[Callable[[Callable[[socket.socket], None]], str]]:
    """A server that does with a connection what the test says; gives its address."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(behave: Callable[[socket.socket], None]) -> str:
        def run() -> None:
            try:
                plug, _ = listener.accept()
                with plug:
                    behave(plug)
            except OSError:
                pass

        threading.Thread(target=run, daemon=True).start()
        return f"127.0.0.1:{listener.getsockname()[1]}"

    yield serve
    listener.close()


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Iterator[Flask]:
    """One that may send to the receivers on loopback."""
    app = make_app(FLOWPULSE_ALLOW_PRIVATE_ADDRESSES=True)
    with app.app_context():
        yield app
        db.session.remove()


@pytest.fixture
def team(app: Flask) -> Team:
    return make_team()


class Clock:
    """The time that the courier goes by; `go(hours=1)` turns it on."""

    def __init__(self) -> None:
        self.moment = now() + timedelta(minutes=1)  # What is put in by then is due.

    def __call__(self) -> datetime:
        return self.moment

    def go(self, **amount: float) -> None:
        self.moment += timedelta(**amount)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    for module in (courier, webhook):
        monkeypatch.setattr(module, "now", clock)
    return clock


def make_channel(team: Team, kind: str = "webhook", name: str = "Ops", **settings: Any) -> Channel:
    if kind == "webhook":
        settings = {"secret": webhook.make_secret(), **settings}
    channel = Channel(
        workspace_id=team.workspace_id, name=name, kind=kind, sealed_settings=seal(settings)
    )
    with writing() as session:
        session.add(channel)
    return channel


def fail(channel: Channel, clock: Clock, moment: datetime, kind: str = "alert") -> None:
    """One try of one message, and no more: it is given up at once."""
    clock.moment = moment
    post_to(channel, at=moment, kind=kind)
    assert deliver() >= 1
    with writing() as session:
        session.query(Delivery).filter_by(state="waiting").update(
            {"state": "given_up", "next_try_at": None}
        )


@pytest.fixture
def settings(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, str]]:
    """Good settings of each kind, all leading to the receiver."""
    for module in (telegram, pushover):
        monkeypatch.setattr(module, "API", receiver.url)
    for module in (pagerduty, opsgenie):
        monkeypatch.setattr(module, "APIS", {"us": receiver.url, "eu": f"{receiver.url}/eu"})
    return {
        "email": {"recipients": "ana@example.org, bo@example.org"},
        "slack": {"url": f"{receiver.url}/services/T0/B0/secretpart"},
        "discord": {"url": f"{receiver.url}/api/webhooks/1/secretpart"},
        "teams": {"url": f"{receiver.url}/workflows/x?sig=secretpart"},
        "telegram": {"token": "123456789:AAEsecretpart_secretpart_secretpart", "chat": "-1001"},
        "ntfy": {"server": receiver.url, "topic": "ops", "token": "tk_secretpart"},
        "pushover": {"user": "u" * 30, "token": "a" * 30},
        "pagerduty": {"routing_key": "0123456789abcdef" * 2, "region": "us"},
        "opsgenie": {"api_key": "01234567-89ab-cdef-0123-456789abcdef", "region": "us"},
        "webhook": {"url": f"{receiver.url}/hook"},
        "apprise": {"url": f"gotify://127.0.0.1:{receiver.port}/Asecretpart1234"},
    }
