"""The banner of a disk that is nearly full: who sees what of it."""

from pathlib import Path

import pytest
from flask.testing import FlaskClient

from app import outages
from app.console import disk_notice, health
from app.extensions import db
from app.models import Workspace
from app.processing.disk_space import LOW_BYTES, Disk
from app.workspaces.people import create_user
from tests.console.pages import sign_in
from tests.factories import PASSWORD, make_team

GIGABYTE = 2**30
FOLDER = Path("/srv/flowpulse")


@pytest.fixture(autouse=True)
def _no_failed_write(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outages, "_seen", {})


def set_disk(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    """What the system says of the disk."""
    for module in (disk_notice, health):
        monkeypatch.setattr(module, "look_at_disk", lambda: Disk(FOLDER, free, 10 * GIGABYTE))


def test_little_is_the_larger_of_two_hundred_megabytes_and_a_twentieth() -> None:
    assert Disk(FOLDER, LOW_BYTES - 1, GIGABYTE).is_low
    assert not Disk(FOLDER, LOW_BYTES, GIGABYTE).is_low
    assert Disk(FOLDER, 4 * GIGABYTE, 100 * GIGABYTE).is_low
    assert not Disk(FOLDER, 6 * GIGABYTE, 100 * GIGABYTE).is_low


def test_the_owner_sees_where_and_others_whom_to_tell(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    team = make_team()
    workspace = db.session.get_one(Workspace, team.workspace_id)
    create_user("viewer@example.org", PASSWORD, "viewer", workspace)
    set_disk(monkeypatch, 100 * 2**20)
    assert "nearly full" not in client.get("/sign-in").text
    sign_in(client, team.email)
    page = client.get("/workflows").text
    assert "The disk is nearly full." in page
    assert "100 MB of 10 GB are left where /srv/flowpulse is." in page
    assert "#disk_nearly_full" in page
    other = client.application.test_client()
    sign_in(other, "viewer@example.org")
    page = other.get("/workflows").text
    assert "Tell whoever runs this server." in page and "/srv/flowpulse" not in page
    assert client.get("/healthz").json == {"status": "ok", "disk": "low"}
    set_disk(monkeypatch, 9 * GIGABYTE)
    assert "nearly full" not in client.get("/workflows").text
    assert client.get("/healthz").json == {"status": "ok"}


def test_a_write_that_found_no_room_is_told_though_the_disk_cannot_be_seen(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in(client, make_team().email)
    for module in (disk_notice, health):
        monkeypatch.setattr(module, "look_at_disk", lambda: None)
    assert "The disk is full." not in client.get("/workflows").text
    assert outages.explain(OSError(28, "No space left on device")) == outages.DISK_FULL
    page = client.get("/workflows").text
    assert "The disk is full." in page and "the disk of the PostgreSQL server" in page
    assert client.get("/healthz").json == {"status": "ok", "disk": "full"}
