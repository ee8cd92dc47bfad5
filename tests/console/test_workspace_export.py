"""The workspace as a file, from its settings: as the command line writes it, sent meanwhile."""

from collections.abc import Callable
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app.archives import growing
from app.archives.growing import GivenUpError, GrowingFile, begin_archive
from app.archives.layout import PARTS, ArchiveError
from app.archives.making import make_archive
from app.archives.reading import Archive
from app.console import workspace_export
from app.extensions import db
from app.models import AuditEntry, Workspace
from app.processing.disk_space import Disk
from tests.console.pages import Page, open_page, send_form
from tests.factories import Team, report

EXPORT = "/settings/export"


def export(client: FlaskClient) -> Any:
    """To its end."""
    answer = send_form(client, "/settings", EXPORT)
    assert answer.data
    return answer


def read(path: Path) -> dict[str, list[dict[str, Any]]]:
    with Archive(path) as archive:
        return {part.name: list(archive.read(part)) for part in PARTS}


def workspace(team: Team) -> Workspace:
    db.session.rollback()
    return db.session.get_one(Workspace, team.workspace_id)


def test_the_owner_gets_what_the_command_line_writes(
    owner: FlaskClient, team: Team, tmp_path: Path
) -> None:
    for number in range(30):
        report(owner, team, external_execution_id=f"e{number}")
    answer = export(owner)
    assert (answer.status_code, answer.content_type) == (200, "application/zip")
    assert "attachment; filename=team-20" in answer.headers["Content-Disposition"]
    (tmp_path / "web.zip").write_bytes(answer.data)
    make_archive(workspace(team), tmp_path / "command.zip")
    assert read(tmp_path / "web.zip") == read(tmp_path / "command.zip")
    assert len(read(tmp_path / "web.zip")["waiting_events"]) == 30
    (entry,) = db.session.scalars(select(AuditEntry).where(AuditEntry.what == "workspace_exported"))
    assert (entry.who, entry.about) == (team.email, "Team")
    assert entry.details and entry.details["file"].endswith(".zip")


def test_it_is_for_owners(colleague: Callable[[str], FlaskClient], team: Team) -> None:
    admin = colleague("admin")
    page = open_page(admin, "/settings")
    assert EXPORT not in [form.action for form in page.forms]
    assert admin.post(EXPORT, data=page.form("/settings/name").fields).status_code == 403


def test_who_may_not_see_what_is_hidden_gets_none(
    app: Flask, owner: FlaskClient, team: Team
) -> None:
    form = open_page(owner, "/settings").form(EXPORT).fields
    app.config["FLOWPULSE_REVEAL_ROLE"] = "nobody"
    page = open_page(owner, "/settings")
    assert EXPORT not in [each.action for each in page.forms]
    assert "FLOWPULSE_REVEAL_ROLE has nobody of your role see that" in page.text
    answer = owner.post(EXPORT, data=form)
    assert answer.status_code == 403 and "FLOWPULSE_REVEAL_ROLE" in answer.text
    db.session.rollback()
    noted = select(AuditEntry).where(AuditEntry.what == "workspace_exported")
    assert db.session.scalars(noted).all() == []


@pytest.mark.once
def test_one_at_a_time(owner: FlaskClient, team: Team) -> None:
    with growing._one_at_a_time:
        answer = export(owner)
        assert answer.status_code == 409 and "under way" in Page(answer.text).text
    assert export(owner).status_code == 200


@pytest.mark.once
def test_where_the_disk_has_no_room_it_ends_and_the_next_one_may_begin(
    owner: FlaskClient, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says so, and nothing is noted; the room is that of the data folder, where the file is."""
    looked: list[Path] = []

    def look_at(folder: Path) -> Disk:
        looked.append(folder)
        return Disk(folder, 0, 10**12)

    monkeypatch.setattr(growing, "look_at", look_at)
    file = begin_archive(workspace(team))
    with pytest.raises(ArchiveError, match="too little space"):
        list(file.pieces())
    answer = export(owner)
    assert answer.status_code == 503 and "too little space left for an export" in answer.text
    with owner.application.app_context():
        assert set(looked) == {growing._find_folder()} != {Path(gettempdir())}
    exported = select(AuditEntry.id).where(AuditEntry.what == "workspace_exported")
    assert db.session.scalar(exported) is None
    db.session.rollback()
    monkeypatch.undo()
    assert export(owner).status_code == 200


@pytest.mark.once
def test_the_file_is_where_the_data_is(
    owner: FlaskClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """/tmp is small in a container, and serves only where nothing else does."""
    app = owner.application
    monkeypatch.setitem(app.config, "FLOWPULSE_DATA_DIR", str(tmp_path))
    with app.app_context():
        assert growing._find_folder() == Path(str(db.engine.url.database)).parent
        monkeypatch.setattr(growing, "is_sqlite", lambda: False)
        assert growing._find_folder() == tmp_path.resolve()
        monkeypatch.setitem(app.config, "FLOWPULSE_DATA_DIR", str(tmp_path / "none"))
        assert growing._find_folder() == Path(gettempdir())


@pytest.mark.once
def test_what_can_not_be_noted_is_not_handed_out(
    owner: FlaskClient, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: Any) -> None:
        raise LookupError

    monkeypatch.setattr(workspace_export, "note", fail)
    owner.application.testing = False
    assert export(owner).status_code == 500


@pytest.mark.once
def test_a_reader_gets_all_that_was_written_then_why_there_is_no_more(tmp_path: Path) -> None:
    file, got = GrowingFile(tmp_path), bytearray()
    file.write(b"x" * growing.PIECE_BYTES)
    file.write(b"rest")
    file.end(ArchiveError("The disk is full."))
    with pytest.raises(ArchiveError, match="disk is full"):
        for piece in file.pieces():
            got += piece
    assert bytes(got) == b"x" * growing.PIECE_BYTES + b"rest"
    file.give_up()
    with pytest.raises(GivenUpError):
        file.write(b"more")
