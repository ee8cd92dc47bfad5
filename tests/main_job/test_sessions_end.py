"""A session ends at once in every process, and its live log within ten seconds."""

import threading
import time
from collections.abc import Callable
from typing import Any

import requests

from tests.console import pages
from tests.factories import PASSWORD
from tests.main_job.visitors import send_form, sign_in
from tests.server import LiveServer
from tests.teams import LiveTeam, make_live_colleague

MOST_SECONDS = 10.0
ENDED = (302, 401)


class OpenLog(threading.Thread):
    """A live log, open until the server ends it."""

    def __init__(self, server: LiveServer, visitor: requests.Session, query: str) -> None:
        super().__init__(daemon=True)
        self.answer = visitor.get(f"{server.url}/events/stream{query}", stream=True, timeout=30)
        assert self.answer.status_code == 200
        self.ended_at = 0.0
        self.start()

    def run(self) -> None:
        for _ in self.answer.iter_content(None):
            pass
        self.ended_at = time.monotonic()


def is_out(server: LiveServer, visitor: requests.Session) -> bool:
    """Asked over several new connections, which both processes answer."""
    statuses = {
        requests.get(
            server.url + "/events", cookies=visitor.cookies, allow_redirects=False, timeout=30
        ).status_code
        for _ in range(6)
    }
    return statuses <= set(ENDED)


def act_on(
    owner: requests.Session, server: LiveServer, email: str, what: str, **fields: str
) -> Any:
    """Send the form of this person on the page of settings, past its question."""
    page = pages.Page(owner.get(server.url + "/settings").text)
    label = {"role": f"Change the role of {email}?", "remove": f"Remove {email}?"}[what]
    form = next(form for form in page.forms if label in form.fields.get("asked", ()))
    data = {**form.fields, **fields}
    del data["asked"]
    return owner.post(server.url + form.action, data=data, allow_redirects=False)


def change_password(visitor: requests.Session, server: LiveServer) -> Any:
    form = pages.Page(visitor.get(server.url + "/account").text).form("/account/password")
    new = {"old_password": PASSWORD, "new_password": PASSWORD + " and more"}
    address = server.url + form.action
    return visitor.post(address, data={**form.fields, **new}, allow_redirects=False)


def test_a_session_ends_at_once_and_everywhere_and_its_live_log_soon(
    live_server: LiveServer, own_team: LiveTeam
) -> None:
    server, team = live_server, own_team
    owner = sign_in(server, team)
    emails = {
        role: make_live_colleague(server, team, role) for role in ("viewer", "member", "admin")
    }

    def visit(role: str) -> requests.Session:
        return sign_in(server, team, emails[role])

    elsewhere = sign_in(server, team)
    ends: dict[str, tuple[requests.Session, Callable[[], Any]]] = {
        "role": (
            visit("viewer"),
            lambda: act_on(owner, server, emails["viewer"], "role", role="member"),
        ),
        "removal": (visit("member"), lambda: act_on(owner, server, emails["member"], "remove")),
        "sign-out": (admin := visit("admin"), lambda: send_form(admin, server, "/sign-out")),
        "password": (elsewhere, lambda: change_password(owner, server)),
    }
    cookies = requests.Session()
    cookies.cookies.update(admin.cookies)  # Whoever has copied the cookie before it was cleared.
    logs = {
        (name, query): OpenLog(server, visitor, query)
        for name, (visitor, _) in ends.items()
        for query in ("", "?after=0&q=nowhere")
    }
    asked = {}
    for name, (visitor, act) in ends.items():
        assert act().status_code == 303, name
        asked[name] = time.monotonic()
        assert is_out(server, cookies if name == "sign-out" else visitor), name
    for (name, query), log in logs.items():
        log.join(MOST_SECONDS + 5)
        assert 0 < log.ended_at < asked[name] + MOST_SECONDS, (name, query)
    assert owner.get(server.url + "/events", allow_redirects=False).status_code == 200
