"""An address that is too long to be read: a page for who looks at one, an event for a sender."""

import json
import socket
from collections.abc import Callable

import pytest
from sqlalchemy import select

from app.extensions import db
from app.models import Event
from tests.apps import close_app, make_app
from tests.server import LiveServer, wait_for
from tests.teams import make_live_team

pytestmark = pytest.mark.once
TOO_MANY = "a" * 20_000


@pytest.fixture(scope="module")
def server(share_server: Callable[..., LiveServer]) -> LiveServer:
    server = share_server(worker=False, WEB_CONCURRENCY="1")
    make_live_team(server)
    return server


def ask(server: LiveServer, target: str, line_ends: bool = True) -> tuple[bytes, bytes]:
    """Head and body of the answer."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(f"GET {target}".encode())
        if line_ends:
            connection.sendall(b" HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    return head, body


def list_logged(server: LiveServer) -> list[str]:
    """The public ids of the requests that were refused for this."""
    app = make_app(server.database_url, server.data_dir)
    with app.app_context():
        query = select(Event.public_id).where(Event.code == "address_too_long")
        found = list(db.session.scalars(query.order_by(Event.id)))
    close_app(app)
    return found


@pytest.mark.parametrize("line_ends", [True, False])
@pytest.mark.parametrize("target", ["/events?q=", "http://x/runs?q=", "/api-keys?", "/"])
def test_a_page_answers_with_a_page_and_no_event(
    server: LiveServer, target: str, line_ends: bool
) -> None:
    before = list_logged(server)
    head, page = ask(server, target + TOO_MANY, line_ends)
    assert head.startswith(b"HTTP/1.1 414 ")
    assert b"Content-Type: text/html" in head and b"Content-Security-Policy:" in head
    assert b"Connection: close" in head
    assert b"The address is too long" in page and b"Back to the start" in page
    assert b"aaaa" not in page and b"JSON" not in page
    _, later = ask(server, f"/api/v1/?{TOO_MANY}")
    event_id = json.loads(later)["event_id"]
    wait_for(lambda: event_id in list_logged(server), 10)
    assert list_logged(server) == [*before, event_id]


@pytest.mark.parametrize(
    "target", ["/api?", "/API/v1/x?", "/%61pi/v1/?", "http://x/api/?", "x", ""]
)
def test_an_address_of_the_api_stays_an_event(server: LiveServer, target: str) -> None:
    head, body = ask(server, target + TOO_MANY)
    assert head.startswith(b"HTTP/1.1 414 ")
    assert b"Content-Type: application/problem+json" in head
    event_id = json.loads(body)["event_id"]
    wait_for(lambda: event_id in list_logged(server), 10)
