"""Each command that a document shows works as it stands, against a real server or database."""

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from flask import Flask
from sqlalchemy import select

from app.extensions import db
from app.models import Workspace
from app.workspaces.people import create_user, set_up
from app.workspaces.workflows import create_workflow
from tests.apps import close_app, make_app
from tests.databases import Databases
from tests.documents.blocks import ROOT, Code, documents, list_commands
from tests.documents.exceptions import ELSEWHERE, EXCEPTIONS, How
from tests.factories import PASSWORD
from tests.server import SECRET, LiveServer, test_environment
from tests.teams import LiveTeam, find_workspace, make_live_team

COMMANDS = list_commands()
CALL = ".venv/bin/flask --app wsgi"
NEEDS_SHELL = re.compile(r"[|<>;&$]| restore ")
REFUSED_QUIETLY = re.compile(r"^curl (?!-f|--fail)", re.MULTILINE)
SLUGS = ("Nightly backup", "Nightly sync", "Your workflow")
"""Workflows that the documents report, besides those that each team has."""

pytestmark = pytest.mark.once


def how_to_run(code: Code) -> How:
    found = [
        how for (file, words), how in EXCEPTIONS.items() if file == code.file and words in code.text
    ]
    return found[0] if found else How()


def is_run_here(code: Code) -> bool:
    how = how_to_run(code)
    return not (how.test or how.why)


def name_of(code: Code) -> str:
    return f"{code.file}:{code.line}"


# --- The list -------------------------------------------------------------------------------------


def test_each_exception_is_one_piece_of_its_document() -> None:
    for file, words in EXCEPTIONS:
        found = [code for code in COMMANDS if code.file == file and words in code.text]
        assert len(found) == 1, (file, words, [name_of(each) for each in found])


@pytest.mark.parametrize("test", sorted({how.test for how in EXCEPTIONS.values() if how.test}))
def test_the_test_that_runs_it_is_there(test: str) -> None:
    file, _, name = test.partition("::")
    assert f"def {name}(" in (ROOT / file).read_text("utf-8")


def test_most_are_run_here_and_no_document_is_overlooked() -> None:
    here = [code for code in COMMANDS if is_run_here(code)]
    assert len(here) >= 20
    assert {"README.md", "docs/quick-start.md", "docs/using-the-api.md"} <= {
        code.file for code in here
    }


def list_named() -> set[tuple[str, str]]:
    """Every command of the app's own that a document names, also within its text."""
    found = set()
    for path in documents():
        text = path.read_text("utf-8")
        for words in re.findall(rf"{re.escape(CALL)} ([a-z][^`|>\n]*)", text):
            found.add((path.name, words.partition("#")[0].strip().rstrip("\\")))
    return found


def test_every_command_that_is_named_anywhere_is_there_with_its_options(app: Flask) -> None:
    wrong = {each for each in list_named() if not is_there(app.cli, split(each[1]))}
    assert wrong == set()


def split(words: str) -> list[str]:
    try:
        return shlex.split(words)
    except ValueError:  # The end of a sentence, with an apostrophe in it.
        return words.split()


def is_there(command: click.Command, words: list[str]) -> bool:
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        inner = command.get_command(click.Context(command), words[0])
        if inner is None:
            return False
        command, words = inner, words[1:]
    known = {name for each in command.params for name in each.opts} | {"--help"}
    options = {word.partition("=")[0] for word in words if word.startswith("--")}
    return options <= known


# --- Running them ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def team(live_server: LiveServer) -> LiveTeam:
    made = make_live_team(live_server)
    app = make_app(live_server.database_url, live_server.data_dir)
    with app.app_context():
        workspace_id = find_workspace(made).id
        for name in SLUGS:
            create_workflow(workspace_id, name)
    close_app(app)
    return made


@pytest.fixture
def folder(databases: Databases, tmp_path: Path) -> Iterator[Path]:
    """FlowPulse's folder as the documents see it, with data of its own; and another one."""
    (tmp_path / ".venv").symlink_to(Path(sys.prefix))
    (tmp_path / "other").mkdir()
    for name in ("data", "elsewhere"):
        data = tmp_path / name
        data.mkdir()
        (data / "secret_key").write_text(SECRET)
        shutil.move(databases.create().removeprefix("sqlite:///"), data / "flowpulse.db")
        _fill(data)
    yield tmp_path


def _fill(data: Path) -> None:
    app = make_app(f"sqlite:///{data / 'flowpulse.db'}", data)
    with app.app_context():
        set_up("ana@example.org", PASSWORD, "My workspace")
        workspace = db.session.scalars(select(Workspace)).one()
        create_user("bo@example.org", PASSWORD, "member", workspace)
        create_workflow(workspace.id, "Nightly backup")
    close_app(app)


def run(code: Code, how: How, folder: Path, server: LiveServer, team: LiveTeam) -> tuple[int, str]:
    """Its exit status, and all that it says."""
    text = how.before + code.text
    for old, new in (
        *how.replaced,
        ("https://flowpulse.example.org", server.url),
        ("http://127.0.0.1:8000", server.url),
        ("fp_your_key", team.key),
        ("fp_…", team.key),
        ("lead-enrichment", team.slug),
        ("/mnt/other", str(folder / "other")),
        ("/tmp/rehearsal", str(folder / "rehearsal")),
    ):
        text = text.replace(old, new)
    text = REFUSED_QUIETLY.sub("curl --fail-with-body ", text)
    lines = [line for line in text.splitlines() if line.strip()]
    if not all(line.startswith((f"{CALL} ", ELSEWHERE)) for line in lines):
        return in_shell(text, how.stdin, folder, server.port)
    ends = []
    for line in lines:
        needs_shell = NEEDS_SHELL.search(line)
        ends.append(
            in_shell(line, how.stdin, folder, server.port)
            if needs_shell
            else in_process(line, how.stdin, folder)
        )
    return max(status for status, _ in ends), "\n".join(said for _, said in ends)


def in_shell(text: str, stdin: str, folder: Path, port: int) -> tuple[int, str]:
    done = subprocess.run(
        ["sh", "-euc", text],
        cwd=folder,
        env={**test_environment(folder / "data", "", port), "HOME": str(folder)},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def in_process(line: str, stdin: str, folder: Path) -> tuple[int, str]:
    """The same without a second for each start of the program."""
    data = folder / ("elsewhere" if line.startswith(ELSEWHERE) else "data")
    words = line.removeprefix(f"{CALL} ").removeprefix(ELSEWHERE)
    app = make_app(f"sqlite:///{data / 'flowpulse.db'}", data)
    result = app.test_cli_runner().invoke(args=shlex.split(words, comments=True), input=stdin)
    close_app(app)
    return result.exit_code, result.output


@pytest.mark.parametrize("code", list(filter(is_run_here, COMMANDS)), ids=name_of)
def test_it_works_as_it_stands(
    code: Code,
    folder: Path,
    live_server: LiveServer,
    team: LiveTeam,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(folder)
    how = how_to_run(code)
    status, said = run(code, how, folder, live_server, team)
    assert status == how.status, said
    assert "Traceback" not in said
