"""A full disk: 503 with the cause, nothing is lost, and all goes on once there is room."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import psutil
import pytest
import requests

from tests.drills.disks import (
    LimitedFiles,
    MountError,
    PostgresOnDisk,
    SmallDisk,
    may_mount,
    mounted,
)
from tests.drills.load import Answer, Load
from tests.drills.marks import DISK_BORNE, FEWEST_BETWEEN, TOLD_WITHIN_SECONDS
from tests.drills.reckoning import reconcile
from tests.drills.record import Figure, record
from tests.main_job.visitors import sign_in
from tests.server import LiveServer, wait_for
from tests.storage import IN_MEMORY
from tests.teams import LiveTeam, make_live_team

MEGABYTES = 420
LOW = 100 * 2**20
PAGES = ("/", "/events", "/runs", "/insights", "/workflows", "/alerts", "/settings", "/account")


class Disk(Protocol):
    def fill(self) -> None: ...
    def relieve(self) -> None: ...


@dataclass
class Watched:
    """What somebody sees who looks at the server from outside."""

    server: LiveServer
    team: LiveTeam
    person: requests.Session
    pids: set[int] = field(default_factory=set)

    def processes(self) -> set[int]:
        return {each.pid for each in list_processes(self.server)}

    def page(self, path: str = "/") -> requests.Response:
        return self.person.get(self.server.url + path, timeout=30)

    def send(self) -> requests.Response:
        fields = {"workflow_slug": self.team.slug, "ended_at": "2026-01-15T09:31:00Z"}
        url = "/api/v1/ingest/run-success"
        return self.server.post(url, json=fields, headers=self.team.headers, timeout=30)


def list_processes(server: LiveServer) -> list[psutil.Process]:
    return [
        each
        for started in server.processes.values()
        for parent in [psutil.Process(started.pid)]
        for each in (parent, *parent.children(recursive=True))
    ]


def watch(server: LiveServer) -> Watched:
    team = make_live_team(server)
    watched = Watched(server, team, sign_in(server, team))
    wait_for(lambda: len(watched.processes()) >= 4, seconds=20)
    watched.pids = watched.processes()
    return watched


def drill(
    watched: Watched, disk: Disk, seconds: float, cluster: PostgresOnDisk | None = None
) -> dict[str, Figure]:
    """`resumed_s`: from the moment that there was space to the first 202; `unready_s`: from that of
    the full disk until /readyz told that it can't be written. `restarted`: processes of
    ours that have gone or come; `restarts` are PostgreSQL's.

    PostgreSQL gives up where it can't write its log of changes: then it is started anew once
    there is room, as its service manager does, and until then all that can be told is that it is
    away. `without_cause`: refusals that tell neither. `taken_when_full`: 202s from the first
    refusal on until there was space, which had found some in a database's log; none may be lost.
    """
    restarts = 0
    is_there = cluster.answers if cluster else lambda: True
    with Load(watched.server, watched.team) as load:
        load.wait_for_accepted(FEWEST_BETWEEN, within=60)
        before = len(load.accepted)
        full_at = time.monotonic()
        pages, unready_s = 0, None
        while (
            time.monotonic() - full_at < seconds
            or unready_s is None
            or not load.statuses(full_at)[503]
        ):
            assert time.monotonic() - full_at < seconds + 60, load.statuses(full_at)
            disk.fill()
            pages += look_around(watched, is_there)
            if unready_s is None and watched.server.get("/readyz").status_code == 503:
                unready_s = time.monotonic() - full_at
        disk.relieve()
        relieved_at = time.monotonic()
        if cluster and not cluster.is_running:
            cluster.start_again()
            restarts += 1
        resumed_s = load.seconds_to_202(relieved_at, within=60)
        since = len(load.accepted)
        load.wait_for_accepted(FEWEST_BETWEEN, within=60)
        between = min(before, len(load.accepted) - since)
    statuses = load.statuses()
    refused = [each for each in load.answers if each.status == 503]
    refused_at = min(each.sent_at for each in refused)
    restarted = len(watched.processes() ^ watched.pids)
    reckoning = reconcile(watched.server, watched.team, load)
    return {
        **reckoning.figures,
        "between": between,
        "refused": len(refused),
        "without_retry_after": sum(not each.retry_after for each in refused),
        "without_cause": sum(not tells_cause(each, cluster is not None) for each in refused),
        "taken_when_full": sum(
            refused_at <= each.sent_at < relieved_at for each in load.answers if each.status == 202
        ),
        "others": statuses.total() - statuses[202] - statuses[503],
        "restarted": restarted,
        "resumed_s": resumed_s,
        "unready_s": round(unready_s, 1),
        "pages": pages,
        "restarts": restarts,
        "rate": round(load.rate, 1),
    }


def tells_cause(refusal: Answer, may_be_away: bool) -> bool:
    """That the disk is full or, of a database that has ended for it, that it can't be reached."""
    return "disk" in refusal.detail or (may_be_away and "can't be reached" in refusal.detail)


def look_around(watched: Watched, is_there: Callable[[], bool]) -> int:
    """Pages can be read; what is refused tells why. How many pages were read."""
    pages = 0
    for path in PAGES:
        status = watched.page(path).status_code
        assert status == 200 or (status == 503 and not is_there()), path
        pages += status == 200
    answer = watched.send()
    if answer.status_code != 202:  # SQLite's log may have had some room left.
        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (503, "unavailable")
        assert "disk" in problem["detail"] or not is_there(), problem
    return pages


def test_files_that_cannot_grow_lose_nothing_and_are_told(
    make_server: Callable[..., LiveServer], database_kind: str
) -> None:
    if database_kind != "sqlite":
        pytest.skip("a matter of the machine that writes the files: PostgreSQL's")
    check(limited_files(make_server, seconds=1))


Placed = tuple[LiveServer, PostgresOnDisk | None]


@contextmanager
def server_on(
    disk: SmallDisk, kind: str, folder: Path
) -> Iterator[tuple[LiveServer, PostgresOnDisk | None]]:
    """A server whose database is on the disk, and for SQLite everything else of its data folder."""
    with ExitStack() as ends:
        cluster = None
        if kind == "sqlite":
            place = disk.folder / "data"
            server = LiveServer(place, f"sqlite:///{place}/flowpulse.db")
        else:
            cluster = PostgresOnDisk(disk)
            ends.callback(cluster.stop)
            server = LiveServer(folder, cluster.create_database("full"))
        with server:
            yield server, cluster


def full_disk(kind: str, folder: Path, seconds: float) -> tuple[dict[str, Figure], str]:
    """What was found, and what the page says once there is room. Raises MountError."""
    with mounted(MEGABYTES) as disk, server_on(disk, kind, folder) as (server, cluster):
        watched = watch(server)
        check_banner(watched, disk, fills=cluster is None)
        found = drill(watched, disk, seconds, cluster)
        way: dict[str, Figure] = {"way": "a small tmpfs", "storage": IN_MEMORY}
        return found | way, watched.page().text


def limited_files(make_server: Callable[..., LiveServer], seconds: float) -> dict[str, Figure]:
    """As with a full disk, without root: a limit on what our processes write, SQLite too."""
    server = make_server()
    watched = watch(server)
    found = drill(watched, LimitedFiles(list_processes(server)), seconds)
    return found | {"way": "no disk could be mounted: a limit on files, no banner looked for"}


def check(found: dict[str, Figure], page: str = "") -> None:
    assert DISK_BORNE(found) and float(found["unready_s"]) <= TOLD_WITHIN_SECONDS, found
    assert "The disk is nearly full" not in page


def check_banner(watched: Watched, disk: SmallDisk, fills: bool) -> None:
    """Before the disk is full, and once it is; gone when there is room. PostgreSQL may end itself
    as soon as its disk is full, which is the drill's matter."""
    assert "disk is" not in watched.page().text
    assert watched.server.get("/healthz").json() == {"status": "ok"}
    disk.fill(left=LOW)
    page = watched.page()
    assert "The disk is nearly full." in page.text and str(disk.folder) in page.text
    assert watched.server.get("/healthz").json() == {"status": "ok", "disk": "low"}
    assert watched.send().status_code == 202
    if fills:
        disk.fill()
        page = watched.page("/workflows")
        assert "The disk is full." in page.text and str(disk.folder) in page.text
        assert watched.server.get("/healthz").json() == {"status": "ok", "disk": "full"}
    disk.relieve()
    assert "The disk is nearly full." not in watched.page().text


def test_a_full_disk_loses_nothing_and_is_told(database_kind: str, tmp_path: Path) -> None:
    try:
        check(*full_disk(database_kind, tmp_path, seconds=1))
    except MountError as reason:
        assert not may_mount(), reason
        pytest.skip(str(reason))


@pytest.mark.drill("full_disk")
@pytest.mark.timeout(900)
def test_a_disk_that_is_full_for_a_minute(
    make_server: Callable[..., LiveServer], database_kind: str, tmp_path: Path
) -> None:
    try:
        found, page = full_disk(database_kind, tmp_path, seconds=60)
    except MountError as reason:
        if database_kind != "sqlite":
            pytest.skip(str(reason))
        found, page = limited_files(make_server, seconds=60), ""
    record("full_disk", database_kind, **found)
    check(found, page)
