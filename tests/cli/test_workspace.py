"""`workspace`: a workspace as a file, on another server as it was, and hostile files refused."""

import json
import stat
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from app.archives import reading, taking
from app.archives.layout import MANIFEST, PARTS
from app.extensions import db, writing
from app.ingest.service import ingest_service
from app.keys import PREFIX_LENGTH
from app.models import (
    ApiKey,
    AuditEntry,
    Channel,
    Event,
    Membership,
    Run,
    User,
    Workflow,
    Workspace,
)
from app.processing.batch import process_batch
from app.workspaces.badges import renew_badge
from app.workspaces.workflows import create_workflow
from tests.apps import close_app, make_app
from tests.cli.conftest import Run as RunCommand
from tests.databases import Databases
from tests.factories import Team, make_alert, make_team, report
from tests.secret_forms import forms_of
from tests.server import SECRET

ANOTHER = "another-secret-key-that-is-long-enough-0123456789"


@pytest.fixture
def team(app: Flask, client: FlaskClient) -> Team:
    """With runs, of which one was told twice, refused requests, an alert, and one that waits."""
    team = make_team()
    other = make_team("Another team's", first=False)
    for number in range(12):
        report(client, other)
        kind = "failure" if number % 4 == 0 else "success"
        report(client, team, kind, external_execution_id=f"e{number}", metadata={"n": number})
    report(client, team, "failure", external_execution_id="e1", ended_at="2026-01-15T09:30:00Z")
    report(client, team, workflow_slug="nowhere")
    _process()
    make_alert(team.workspace_id, team.workflow_id, "It failed")
    report(client, team, external_execution_id="waits")
    ingest_service().recorder.flush()
    db.session.rollback()
    return team


@pytest.fixture
def elsewhere(databases: Databases, tmp_path: Path) -> Iterator[Callable[..., Flask]]:
    """Another server, whose numbers are others."""
    made: list[tuple[Flask, str]] = []

    def make(**settings: object) -> Flask:
        url = databases.create()
        app = make_app(url, tmp_path / "elsewhere", **settings)
        made.append((app, url))
        return app

    yield make
    for app, url in made:
        close_app(app)
        databases.drop(url)


def _process() -> None:
    ingest_service().recorder.flush()
    while process_batch(100):
        pass
    db.session.rollback()


def command(app: Flask, *arguments: str, exit_code: int = 0) -> Any:
    result = app.test_cli_runner().invoke(args=["workspace", *arguments])
    assert result.exit_code == exit_code, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
    db.session.rollback()
    return result


def read_all(path: Path) -> dict[str, list[dict[str, Any]]]:
    with zipfile.ZipFile(path) as file:
        return {
            part.name: [json.loads(line) for line in file.read(part.member).splitlines()]
            for part in PARTS
        }


def test_it_is_elsewhere_as_it_was(
    run: RunCommand, team: Team, elsewhere: Callable[..., Flask], tmp_path: Path
) -> None:
    path, again = tmp_path / "team.zip", tmp_path / "again.zip"
    told = json.loads(run("workspace", "export", "Team", str(path), "--json").stdout)
    assert (told["tables"]["runs"], told["tables"]["events"]) == (12, 13)
    assert (told["tables"]["refused_events"], told["tables"]["waiting_events"]) == (1, 1)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    there = elsewhere()
    with there.app_context():
        own = make_team("Own", first=True)
        client = there.test_client()
        for _ in range(5):
            report(client, own)
        _process()
        taken = json.loads(command(there, "import", str(path), "--json").stdout)
        assert taken["keys_work"] and taken["tables"] == told["tables"]
        command(there, "export", taken["id"], str(again))
        _compare(read_all(path), read_all(again))
        _look(there, team)
        db.session.remove()


IDS = ("id", "workspace_id", "workflow_id", "run_id", "api_key_id", "rule_id", "channel_id")
OTHERS = ("next_attempt_at", "disabled_at", "disabled_why", "failing_since")


def _compare(sent: dict[str, Any], arrived: dict[str, Any]) -> None:
    """All but the numbers is the same, and numbers keep their distances."""
    for name, rows in sent.items():
        assert len(rows) == len(arrived[name]), name
        for was, is_ in zip(rows, arrived[name], strict=True):
            left_out = {*IDS, *OTHERS, "decided_by_event_id", "kept_from"}
            assert {key: was[key] for key in was.keys() - left_out} == {
                key: is_[key] for key in is_.keys() - left_out
            }, name
    moved = {now["id"] - was["id"] for was, now in _pairs(sent, arrived, "events")}
    assert len(moved) == 1 and moved != {0}
    (shift,) = moved
    for was, now in _pairs(sent, arrived, "runs"):
        assert now["decided_by_event_id"] - was["decided_by_event_id"] == shift


def _pairs(sent: dict[str, Any], arrived: dict[str, Any], name: str) -> Any:
    return zip(sent[name], arrived[name], strict=True)


def _look(there: Flask, team: Team) -> None:
    """What points to what is right, the worker goes on, and so do senders."""
    workspace = db.session.scalars(select(Workspace).order_by(Workspace.id.desc())).first()
    assert workspace is not None and workspace.name == "Team"
    mine = Run.workspace_id == workspace.id
    for told in db.session.scalars(select(Run).where(mine)):
        assert told.decided_by_event_id in {each.id for each in told.events}
        assert told.workflow.public_id == team.workflow_public_id
    owners = db.session.scalars(
        select(User).join(Membership).where(Membership.workspace_id == workspace.id)
    ).all()
    first = db.session.scalars(select(User).order_by(User.id)).first()
    assert owners == [first]
    answer = report(there.test_client(), team, external_execution_id="new")
    assert answer.status_code == 202, "a sender with the same key goes on"
    _process()
    counted = select(func.count()).where(mine)
    assert db.session.scalar(counted) == 14, "the one that waited, and the new one"
    entry = db.session.scalars(
        select(AuditEntry).where(AuditEntry.what == "workspace_imported")
    ).one()
    assert (entry.workspace_id, entry.about) == (workspace.id, "Team")


def test_what_is_here_already_is_refused(run: RunCommand, team: Team, tmp_path: Path) -> None:
    path = tmp_path / "team.zip"
    run("workspace", "export", "Team", str(path))
    assert "is there already" in run("workspace", "export", "Team", str(path), exit_code=1).stderr
    before = db.session.scalar(select(func.count(Event.id)))
    assert "is here already" in run("workspace", "import", str(path), exit_code=1).stderr
    assert db.session.scalar(select(func.count(Event.id))) == before


def test_with_another_secret_key_its_keys_are_revoked(
    run: RunCommand, team: Team, elsewhere: Callable[..., Flask], tmp_path: Path
) -> None:
    path = tmp_path / "team.zip"
    run("workspace", "export", "Team", str(path))
    there = elsewhere(FLOWPULSE_SECRET_KEY=ANOTHER)
    with there.app_context():
        make_team("Own", first=True)
        result = command(there, "import", str(path))
        assert "make new ones" in result.stderr
        keys = select(ApiKey).where(ApiKey.name == "n8n-prod").order_by(ApiKey.id.desc())
        key = db.session.scalars(keys).first()
        assert key is not None and key.key_hash != read_all(path)["api_keys"][0]["key_hash"]
        assert key.revoked_at is not None
        assert report(there.test_client(), team).status_code == 401
        assert all(each.sealed_settings == "" for each in db.session.scalars(select(Channel)))
        db.session.remove()


def test_a_badge_lives_on_where_its_token_is_free(
    run: RunCommand, team: Team, elsewhere: Callable[..., Flask], tmp_path: Path
) -> None:
    path = tmp_path / "team.zip"
    other = create_workflow(team.workspace_id, "Other")
    token, taken = (make_badge(each) for each in (team.workflow_id, other.id))
    run("workspace", "export", "Team", str(path))
    there = elsewhere()
    with there.app_context():
        own = make_team("Own", first=True)
        with writing() as session:
            session.get_one(Workflow, own.workflow_id).badge_token = taken
        client = there.test_client()
        assert client.get(f"/badge/{token}.svg").status_code == 404
        command(there, "import", str(path))
        assert client.get(f"/badge/{token}.json").json["label"] == "Lead enrichment"
        tokens = {each.public_id: each.badge_token for each in db.session.scalars(select(Workflow))}
        assert tokens[own.workflow_public_id] == taken, "whoever has it keeps it"
        assert tokens[other.public_id] is None
        db.session.remove()


def make_badge(workflow_id: int) -> str:
    renew_badge(db.session.get_one(Workflow, workflow_id))
    db.session.rollback()
    return str(db.session.get_one(Workflow, workflow_id).badge_token)


def test_a_badge_token_that_is_none_is_refused(
    run: RunCommand, team: Team, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "team.zip"
    run("workspace", "export", "Team", str(path))
    monkeypatch.setattr(reading.Archive, "_check_sizes", lambda self: None)

    def change(members: dict[str, bytes]) -> None:
        lines = members["tables/workflows.jsonl"]
        members["tables/workflows.jsonl"] = lines.replace(
            b'"badge_token":null', b'"badge_token":"guessable"'
        )

    result = run("workspace", "import", str(rewrite(path, change)), exit_code=1)
    assert "tables/workflows.jsonl, line 1: badge_token is none" in result.stderr


def test_no_usable_secret_is_in_it(run: RunCommand, team: Team, tmp_path: Path) -> None:
    path = tmp_path / "team.zip"
    run("workspace", "export", "Team", str(path))
    with zipfile.ZipFile(path) as file:
        held = b"".join(file.read(each) for each in file.namelist())
    assert team.slug.encode() in held, "it is no empty one"
    sought = forms_of(team.key) | forms_of(team.key[PREFIX_LENGTH:]) | forms_of(SECRET)
    assert {form for form in sought if form in held} == set()
    assert b"sealed_settings" not in held
    assert team.email.encode() not in held


# --- what is refused ----------------------------------------------------------------------------


def rewrite(path: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    """The archive with its members changed."""
    with zipfile.ZipFile(path) as file:
        members = {name: file.read(name) for name in file.namelist()}
    change(members)
    changed = path.with_name("changed.zip")
    with zipfile.ZipFile(changed, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return changed


def _alter(members: dict[str, bytes]) -> None:
    members["tables/runs.jsonl"] = members["tables/runs.jsonl"].replace(b"failure", b"success")


def _drop_a_row(members: dict[str, bytes]) -> None:
    lines = members["tables/events.jsonl"].splitlines(keepends=True)
    members["tables/events.jsonl"] = b"".join(lines[1:])


def _climb(members: dict[str, bytes]) -> None:
    members["../../evil.py"] = b"print('here')"


def _leave_out(members: dict[str, bytes]) -> None:
    del members["tables/rollups.jsonl"]


def _swell(members: dict[str, bytes]) -> None:
    members["tables/events.jsonl"] = b'{"a":"' + b"0" * 50_000_000 + b'"}\n'


def _in_manifest(name: str, value: Any) -> Callable[[dict[str, bytes]], None]:
    def change(members: dict[str, bytes]) -> None:
        manifest = json.loads(members[MANIFEST])
        manifest[name] = value
        members[MANIFEST] = json.dumps(manifest).encode()

    return change


HOSTILE: dict[str, tuple[Callable[[dict[str, bytes]], None], str]] = {
    "rows altered": (_alter, "has another size|is not as it was written"),
    "a row left out": (_drop_a_row, "has another size"),
    "a path that climbs": (_climb, "other tables than version 1"),
    "a table left out": (_leave_out, "other tables than version 1"),
    "a bomb": (_swell, "unpacks to more than"),
    "another version": (_in_manifest("version", 2), "of version 2"),
    "another format": (_in_manifest("format", "x"), "no archive of a workspace"),
    "no ids": (_in_manifest("ids", {}), "is not whole"),
    "a span of all ids": (
        _in_manifest("ids", {"events": [1, 2**62], "runs": [1, 1]}),
        "is not whole",
    ),
    "a manifest that is a list": (
        lambda members: members.update({MANIFEST: b"[]"}),
        "no archive of a workspace",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_hostile_is_refused_before_anything_is_taken_in(
    run: RunCommand, team: Team, tmp_path: Path, name: str
) -> None:
    change, said = HOSTILE[name]
    path = tmp_path / "team.zip"
    run("workspace", "export", "Team", str(path))
    changed = rewrite(path, change)
    before = db.session.scalar(select(func.count(Workspace.id)))
    result = run("workspace", "import", str(changed), exit_code=1)
    assert any(each in result.stderr for each in said.split("|")), result.stderr
    assert db.session.scalar(select(func.count(Workspace.id))) == before
    assert not list(tmp_path.parent.rglob("evil.py"))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"no archive" * 100])
def test_what_is_no_archive_is_refused(
    run: RunCommand, team: Team, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "file.zip"
    path.write_bytes(content)
    assert "no archive of a workspace" in run("workspace", "import", str(path), exit_code=1).stderr


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("duration_ms", "long", "is no number"),
        ("ended_at", "yesterday", "is no moment"),
        ("correlation_id", "x" * 256, "has more than 255 characters"),
        ("workflow_id", 2**70, "is too large a number"),
        ("public_id", None, "is empty"),
    ],
)
def test_a_value_that_the_column_cannot_hold_is_named(
    run: RunCommand, team: Team, tmp_path: Path, column: str, value: Any, said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    path = tmp_path / "team.zip"
    run("workspace", "export", "Team", str(path))
    monkeypatch.setattr(reading.Archive, "_check_sizes", lambda self: None)

    def change(members: dict[str, bytes]) -> None:
        first, *rest = members["tables/runs.jsonl"].splitlines(keepends=True)
        row = {**json.loads(first), column: value}
        members["tables/runs.jsonl"] = json.dumps(row).encode() + b"\n" + b"".join(rest)

    result = run("workspace", "import", str(rewrite(path, change)), exit_code=1)
    assert f"tables/runs.jsonl, line 1: {column} {said}" in result.stderr


def test_what_fails_half_way_leaves_nothing_and_can_be_tried_again(
    run: RunCommand,
    team: Team,
    elsewhere: Callable[..., Flask],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "team.zip"
    run("workspace", "export", "Team", str(path))
    monkeypatch.setattr(taking, "BATCH", 3)
    there = elsewhere()
    with there.app_context():
        make_team("Own", first=True)
        with monkeypatch.context() as patch:
            patch.setattr(taking, "_clear", lambda import_id: None)  # As when it is killed.
            patch.setattr(taking._Taking, "_compare", _break)
            result = there.test_cli_runner().invoke(args=["workspace", "import", str(path)])
            assert isinstance(result.exception, ZeroDivisionError)
        db.session.rollback()
        newest = db.session.scalars(select(Workspace.public_id).order_by(Workspace.id.desc()))
        whole = read_all(path)["workspaces"][0]["public_id"]
        assert newest.first() == taking.make_import_id(whole)
        assert report(there.test_client(), team).status_code == 401, (
            "no key opens what is half here"
        )
        with monkeypatch.context() as patch:
            patch.setattr(taking._Taking, "_compare", _break)
            there.test_cli_runner().invoke(args=["workspace", "import", str(path)])
        db.session.rollback()
        counts = [
            db.session.scalar(select(func.count(each.id)).where(each.workspace_id.is_not(None)))
            for each in (Run, Event)
        ]
        assert counts == [0, 0]
        command(there, "import", str(path))
        assert db.session.scalar(select(func.count(Run.id))) == 12
        db.session.remove()


def _break(*_: object, **__: object) -> None:
    raise ZeroDivisionError


def test_the_owner_is_who_is_named(
    run: RunCommand, team: Team, elsewhere: Callable[..., Flask], tmp_path: Path
) -> None:
    path = tmp_path / "team.zip"
    run("workspace", "export", "Team", str(path))
    there = elsewhere()
    with there.app_context():
        assert "not set up" in command(there, "import", str(path), exit_code=1).stderr
        make_team("Own", first=True)
        other = make_team("Two", first=False)
        assert (
            "no user"
            in command(there, "import", str(path), "--owner", "x@example.org", exit_code=1).stderr
        )
        command(there, "import", str(path), "--owner", other.email)
        owned = select(Workspace.name).join(Membership).join(User).where(User.email == other.email)
        assert "Team" in db.session.scalars(owned).all()
        names = json.loads(command(there, "list", "--json").stdout)
        assert [each["members"] for each in names] == [1, 1, 1]
        db.session.remove()


def test_two_imports_at_once_do_not_disturb_each_other(
    run: RunCommand, team: Team, tmp_path: Path
) -> None:
    path = tmp_path / "team.zip"
    run("workspace", "export", "Team", str(path))
    with taking._alone():
        said = run("workspace", "import", str(path), exit_code=1).stderr
    assert "Another import is under way" in said
    assert "is here already" in run("workspace", "import", str(path), exit_code=1).stderr


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("alert_rules", "kind", "nonsense"),
        ("alert_rules", "numbers", {"in_a_row": -1}),
        ("alerts", "detail", []),
        ("events", "headers", {"a": "b"}),
        ("workflows", "public_id", "../../../../../etc/passwd"[:24]),
        ("workflows", "slug", "a b"),
    ],
)
def test_what_the_worker_could_not_live_with_is_refused(
    run: RunCommand, team: Team, tmp_path: Path, table: str, column: str, value: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    path = tmp_path / "team.zip"
    run("workspace", "export", "Team", str(path))
    monkeypatch.setattr(reading.Archive, "_check_sizes", lambda self: None)

    def change(members: dict[str, bytes]) -> None:
        first, *rest = members[f"tables/{table}.jsonl"].splitlines(keepends=True)
        row = {**json.loads(first), column: value}
        members[f"tables/{table}.jsonl"] = json.dumps(row).encode() + b"\n" + b"".join(rest)

    result = run("workspace", "import", str(rewrite(path, change)), exit_code=1)
    assert f"tables/{table}.jsonl, line 1: {column} " in result.stderr
