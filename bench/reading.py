"""What readers wait for: the reading API and each page of the console, over real HTTP."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import requests
from flask import Flask
from sqlalchemy import select

from app.cli.demo import make_demo
from app.console.session_cookie import NAME
from app.extensions import db
from app.models import Membership
from app.workspaces.invitations import invite
from bench.events import fill
from bench.load import Load, Request, run_round
from bench.measured import Measured, Progress, Round
from bench.pages import find_ids
from bench.servers import Web
from bench.subjects import FlowPulse, databases, flowpulse
from tests.channels.deliveries import store_channels
from tests.factories import Team, make_alert
from tests.pages_map import PAGES, addresses
from tests.sessions import make_cookie

EVENTS = 20_000
CONNECTIONS = 1
OPENED_BEFORE = 4
API = (
    "/api/v1/events",
    "/api/v1/events?state=rejected",
    "/api/v1/events/{event}",
    "/api/v1/runs",
    "/api/v1/runs?outcome=failure",
    "/api/v1/runs/{run}",
    "/api/v1/workflows",
    "/api/v1/workflows/{workflow}",
    "/api/v1/openapi.json",
)
FILES = (
    "/events/export.csv?state=rejected",
    "/runs/export.csv?outcome=failure",
    "/problems/export.csv",
    "/settings/audit/export.csv?kind=keys",
)
"""Lists as files, of what is rare: what is common in them would only be longer."""
INVITED = 20
EVENT_STATES = ("refused", "processed")
"""Of the events that find_ids finds, in its order."""


def memory_of(kind: str) -> str:
    """The subject of what the web processes take; all others are addresses."""
    return f"{kind}, memory"


class Library(NamedTuple):
    """A running FlowPulse with something to read, and who reads what."""

    flow: FlowPulse
    web: Web
    requests: dict[str, Request]
    start_mb: float
    """What its web processes took before anybody read."""

    def name(self, address: str) -> str:
        return f"{self.flow.database.kind}, `{address}`"


def measure(
    folder: Path,
    rounds: int,
    seconds: int,
    with_postgresql: bool,
    say: Progress,
    events: int = EVENTS,
) -> Measured:
    with ExitStack() as stack:
        libraries = [
            open_library(flowpulse(each), stack, events)
            for each in databases(folder, stack, with_postgresql)
        ]
        results: dict[str, list[Round]] = {
            each.name(address): [] for each in libraries for address in each.requests
        }
        memory = {
            memory_of(each.flow.database.kind): [{"start_mb": each.start_mb}] for each in libraries
        }
        for number in range(1, rounds + 1):
            for library in libraries:
                read_all(library, seconds, results)
                kind = library.flow.database.kind
                memory[memory_of(kind)].append({"web_mb": library.web.web_mb()})
                say(f"{number} {kind}: all read")
    return Measured(rounds, seconds, results | memory)


def read_all(library: Library, seconds: int, results: dict[str, list[Round]]) -> None:
    load = Load(seconds, CONNECTIONS)
    for address, request in library.requests.items():
        measured = run_round(library.web, request, load, library.flow.database)
        results[library.name(address)].append(measured)


def list_unread(measured: Measured) -> list[str]:
    """Addresses, of the API and of pages, that these results of some database do not have."""
    kinds = {name.partition(", ")[0] for name in measured.subjects}
    wanted = [*API, *list_pages()]
    return [
        each
        for each in wanted
        for names in [[each.replace("{event}", f"{{{state}}}") for state in EVENT_STATES]]
        if any(f"{kind}, `{name}`" not in measured.subjects for kind in kinds for name in names)
    ]


def list_pages() -> list[str]:
    """What a signed-in browser opens: each page of the console, and files."""
    return [*(each for several in PAGES.values() for each in several), *FILES]


def open_library(flow: FlowPulse, stack: ExitStack, events: int) -> Library:
    with flow.app() as app:
        fill_library(flow, events)
        found = dict(make_requests(app, flow))
        db.session.remove()
    web = stack.enter_context(flow.server.running())
    start_mb = web.web_mb()
    opened = {name: _at_last(web, each) for name, each in found.items()}
    return Library(flow, web, opened, start_mb)


def fill_library(flow: FlowPulse, events: int) -> None:
    fill(flow.team, events)
    make_demo(flow.team.workspace_id)
    store_channels(flow.team.workspace_id, ["On call"])
    make_alert(flow.team.workspace_id, flow.team.workflow_id)
    invite_people(flow.team)


def invite_people(team: Team) -> None:
    """Who has not come yet, for the list of them."""
    actor = db.session.scalars(
        select(Membership).where(Membership.workspace_id == team.workspace_id).limit(1)
    ).one()
    for number in range(INVITED):
        invite(actor, f"invited-{number}@example.org", "member")


def make_requests(app: Flask, flow: FlowPulse) -> Iterator[tuple[str, Request]]:
    """By the address with its names in place of ids, so that it is the same every time."""
    ids = find_ids()
    browser = {"Cookie": f"{NAME}={make_cookie(app, flow.team.email)}", "Accept-Encoding": "gzip"}
    templates = [(each, flow.team.headers) for each in API]
    templates += [(each, browser) for each in list_pages()]
    for template, headers in templates:
        paths = list(addresses(ids, {"": (template,)}))
        for state, path in zip(EVENT_STATES, paths, strict=False):
            name = template if len(paths) == 1 else template.replace("{event}", f"{{{state}}}")
            yield name, Request(path, "GET", headers, expected=200)


def _at_last(web: Web, request: Request) -> Request:
    """Where the address leads to, opened some times, so that each process knows it."""
    path = request.path
    for _ in range(OPENED_BEFORE):
        headers = dict(request.headers)  # Followed by hand: requests would leave the cookie out.
        answer = requests.get(web.url + path, headers=headers, timeout=60, allow_redirects=False)
        answer.raise_for_status()
        path = answer.headers.get("Location", path).removeprefix(web.url).partition("#")[0]
    return replace(request, path=path)
