"""People who read and save in the console while something breaks, and what they were answered."""

import itertools
import time
from collections import Counter
from dataclasses import dataclass
from functools import partial

import requests

from tests.console.pages import Page
from tests.main_job.visitors import sign_in
from tests.server import LiveServer
from tests.teams import LiveTeam
from tests.together import Meanwhile

PAGES = ("/", "/events", "/runs", "/workflows")
TIMEOUT = 90
"""Seconds; longer than any drill allows, so that what was too slow is told and not cut off."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A page that was asked for, or a form that was sent; `status` 0: no answer."""

    is_saving: bool
    sent_at: float
    seconds: float
    status: int


class Visitors(Meanwhile):
    """Signed-in people of the team: some go from page to page, the others save new workflows.

    `with Visitors(server, team) as visitors:`; they are signed in before the block begins.
    """

    def __init__(
        self, server: LiveServer, team: LiveTeam, readers: int = 1, savers: int = 4
    ) -> None:
        sessions = [sign_in(server, team) for _ in range(readers + savers)]
        tasks = [partial(self._read, session) for session in sessions[:readers]]
        for name, session in zip("ABCDEFGH", sessions[readers:], strict=False):
            page = session.get(f"{server.url}/workflows", timeout=TIMEOUT)
            fields = Page(page.text).form("/workflows").fields
            tasks.append(partial(self._save, session, fields, name))
        super().__init__(tasks)
        self._server = server
        self.visits: list[Visit] = []

    def statuses(self) -> Counter[int]:
        return Counter(visit.status for visit in list(self.visits))

    def longest(self) -> float:
        """Seconds that somebody waited for an answer."""
        return max((visit.seconds for visit in list(self.visits)), default=0.0)

    def _read(self, session: requests.Session) -> None:
        for page in itertools.cycle(PAGES):
            if self.is_over.wait(0.2):
                return
            self._visit(session, "GET", page)

    def _save(self, session: requests.Session, fields: dict[str, str], name: str) -> None:
        for number in itertools.count(1):
            if self.is_over.wait(0.5):
                return
            self._visit(session, "POST", "/workflows", {**fields, "name": f"{name} {number}"})

    def _visit(
        self,
        session: requests.Session,
        method: str,
        page: str,
        data: dict[str, str] | None = None,
    ) -> None:
        sent_at, status = time.monotonic(), 0
        try:
            status = session.request(
                method, self._server.url + page, data=data, timeout=TIMEOUT, allow_redirects=False
            ).status_code
        except requests.RequestException:
            pass
        visit = Visit(method == "POST", sent_at, time.monotonic() - sent_at, status)
        self.visits.append(visit)
