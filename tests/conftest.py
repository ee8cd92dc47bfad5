"""What all tests share: both databases, the app, a live server, a browser."""

import gc
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient
from playwright.sync_api import BrowserContext, Playwright
from werkzeug.routing import Rule

from app.extensions import db
from app.workspaces import passwords
from tests import apps, browser, programs
from tests.databases import (
    MEMORY,
    Databases,
    PostgresDatabases,
    SqliteDatabases,
    has_memory_for_files,
)
from tests.drills import running
from tests.postgres import PostgresCluster
from tests.second_chance import SecondChance
from tests.server import LiveServer
from tests.teams import LiveTeam, make_live_team

ROOT = Path(__file__).parent.parent
EVERYTHING = bool(os.environ.get("EVERYTHING"))
"""With EVERYTHING=1 the browser walks through the console on PostgreSQL too, not only on SQLite."""
BROWSER_FIXTURES = {"browser", "context", "page", "new_context"}


def pytest_configure(config: pytest.Config) -> None:
    """Started in the background, the shell or nohup has told us to ignore signals, and so all that
    we start."""
    config.pluginmanager.register(running)
    config.pluginmanager.register(programs)
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(SecondChance())
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session", autouse=True)
def _quick_passwords() -> None:
    """Argon2 with next to no work: what it takes is the library's business, and its tests'."""
    passwords._HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.fixture(scope="module", autouse=True)
def _forget_what_others_left() -> None:
    """A test does not pay for looking through what the modules before it have left in memory."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _compile_each_address_once() -> Iterator[None]:
    """Werkzeug takes each route of each app apart and compiles two functions for it: those of the
    first app will do.

    What comes of it depends on the route alone: its path, defaults, host and the map's converters.
    """
    compile_anew = Rule.compile
    compiled: dict[tuple[object, ...], Rule] = {}

    def compile_once(rule: Rule) -> None:
        converters, defaults = tuple(rule.map.converters.values()), rule.defaults or {}
        place = (rule.host, rule.subdomain, rule.map.host_matching, rule.merge_slashes)
        key = (rule.rule, place, converters, tuple(sorted(defaults.items())))
        first = compiled.get(key)
        if first is None:
            compile_anew(rule)
            compiled[key] = rule
            return
        rule._parts, rule._trace = first._parts, first._trace
        rule._converters = first._converters
        rule.arguments = set(first.arguments)
        for name in ("_build", "_build_unknown"):
            setattr(rule, name, getattr(first, name).__func__.__get__(rule))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Rule, "compile", compile_once)
        yield


# --- Databases ----------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def is_durable(request: pytest.FixtureRequest) -> bool:
    """Where there are drills among the tests, all databases are on the disk, every commit synced:
    what drills measure is told on a page."""
    return any(item.get_closest_marker("drill") for item in request.session.items)


@pytest.fixture(scope="session")
def postgres(is_durable: bool) -> Iterator[PostgresCluster]:
    """A PostgreSQL server of the tests' own."""
    cluster = PostgresCluster(durable=is_durable)
    yield cluster
    cluster.stop()


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def database_kind(request: pytest.FixtureRequest) -> str:
    """The test runs once for each kind."""
    return str(request.param)


@pytest.fixture(scope="session")
def databases(
    database_kind: str,
    is_durable: bool,
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Databases]:
    """Makes and drops databases of this kind."""
    if database_kind != "sqlite":
        yield PostgresDatabases(request.getfixturevalue("postgres"))
    elif has_memory_for_files() and not is_durable:
        with TemporaryDirectory(prefix="flowpulse-tests-", dir=MEMORY) as folder:
            yield SqliteDatabases(Path(folder))
    else:
        yield SqliteDatabases(tmp_path_factory.mktemp("sqlite"))


@pytest.fixture
def database_url(databases: Databases) -> Iterator[str]:
    """A fresh, migrated database for one test."""
    url = databases.create()
    yield url
    databases.drop_later(url)


@pytest.fixture
def empty_database_url(databases: Databases) -> Iterator[str]:
    """A database without tables, for the tests of migrations and `prepare`."""
    url = databases.create_empty()
    yield url
    databases.drop_later(url)


# --- The app ------------------------------------------------------------------------------------


@pytest.fixture
def make_app(database_url: str, tmp_path: Path) -> Iterator[Callable[..., Flask]]:
    """Makes apps on this test's database: `make_app(FLOWPULSE_RATE_LIMIT=5)`."""
    made: list[Flask] = []

    def make(**settings: object) -> Flask:
        made.append(apps.make_app(database_url, tmp_path / "data", **settings))
        return made[-1]

    yield make
    for app in made:
        apps.close_app(app)


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Iterator[Flask]:
    """The app with default settings, its application context open for the test."""
    app = make_app()
    with app.app_context():
        yield app
        db.session.remove()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


# --- The live server ----------------------------------------------------------------------------


@pytest.fixture(scope="session")
def live_server(
    databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveServer]:
    """One server for all tests that don't mind what others have sent, on each database.

    It may send to addresses of this machine, where the tests' receivers are. Whoever counts, kills
    or sets limits makes a server of their own with `make_server`.
    """
    url, may = databases.create(), {"FLOWPULSE_ALLOW_PRIVATE_ADDRESSES": "1"}
    with LiveServer(tmp_path_factory.mktemp("live"), url, is_migrated=True, **may) as server:
        yield server
    databases.drop_later(url)


@pytest.fixture(scope="session")
def live_team(live_server: LiveServer) -> LiveTeam:
    """The team that the shared live server was set up with."""
    return make_live_team(live_server)


@pytest.fixture
def own_team(live_server: LiveServer, live_team: LiveTeam) -> LiveTeam:
    """A team in a workspace of this test's own, on the shared live server."""
    return make_live_team(live_server)


@pytest.fixture
def make_server(database_url: str, tmp_path: Path) -> Iterator[Callable[..., LiveServer]]:
    """Starts servers on this test's database: `make_server(FLOWPULSE_RATE_LIMIT="5")`.

    `make_server(SupervisedServer)` starts one under supervisord.
    """
    made: list[LiveServer] = []

    def make(kind: type[LiveServer] = LiveServer, **options: Any) -> LiveServer:
        folder = tmp_path / f"server-{len(made)}"
        server = kind(folder, database_url, is_migrated=True, **options)
        made.append(server)
        return server.start()

    yield make
    for server in made:
        server.kill()


@pytest.fixture(scope="module")
def share_server(
    databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., LiveServer]]:
    """Starts servers for a module's tests, whose settings, load or mishaps are not for others."""
    with ExitStack() as ends:

        def share(**options: Any) -> LiveServer:
            url = databases.create()
            ends.callback(databases.drop, url)
            server = LiveServer(tmp_path_factory.mktemp("shared"), url, is_migrated=True, **options)
            ends.callback(server.kill)
            return server.start()

        yield share


# --- The browser --------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def browser_type_launch_args(
    browser_type_launch_args: dict[str, Any], playwright: Playwright
) -> dict[str, Any]:
    """pytest-playwright's `browser`, `context` and `page` start the Chromium that is there."""
    executable = str(browser.find_chromium(playwright))
    return {**browser_type_launch_args, **browser.launch_options(executable)}


@pytest.fixture
def context(context: BrowserContext) -> Iterator[BrowserContext]:
    """Whatever a test does with the pages, the content security policy has nothing to stop."""
    stopped = browser.hear_policy(context)
    yield context
    assert stopped == []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        kinds = getattr(item, "callspec", None) and item.callspec.params.values()
        is_walk = bool(BROWSER_FIXTURES & set(getattr(item, "fixturenames", ())))
        is_run_once = item.get_closest_marker("once") or (
            is_walk and not item.get_closest_marker("everywhere") and not EVERYTHING
        )
        if is_run_once and "postgresql" in (kinds or ()):
            item.add_marker(pytest.mark.skip("the database plays no part in it"))
        if is_walk:
            item.add_marker(pytest.mark.browser)
            if sys.platform == "linux":  # Playwright's own Node is linked against it.
                item.add_marker(pytest.mark.needs("libatomic"))
