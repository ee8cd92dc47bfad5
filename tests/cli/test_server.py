"""`prepare` and `worker`."""

import json
import re
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import inspect

from app import create_app
from app.extensions import db
from app.invocation import shell_command
from app.models import WorkerHeartbeat
from app.workspaces.people import is_setup_token
from tests.cli.conftest import Run
from tests.factories import make_team
from tests.server import test_environment


def test_prepare_prints_the_address_and_the_set_up_link(run: Run) -> None:
    printed = run("prepare").stdout
    assert printed.startswith("FlowPulse runs at http://127.0.0.1:8000\n")
    link = re.search(r"^ +http://127\.0\.0\.1:8000/setup\?token=(\w+)$", printed, re.MULTILINE)
    assert link and is_setup_token(link[1])


def test_prepare_prints_the_same_link_again_until_the_server_is_set_up(run: Run) -> None:
    assert run("prepare").stdout == run("prepare").stdout
    make_team()
    assert run("prepare").stdout == "FlowPulse runs at http://127.0.0.1:8000\n"


def test_a_taken_port_is_told_before_the_start(make_app: Callable[..., Flask]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        app = make_app(PORT=port)
        said = app.test_cli_runner().invoke(args=["prepare", "--to-start"])
        assert said.exit_code == 1, said.output
        assert f"Port {port} is taken" in said.output and f"PORT={port + 1} make run" in said.output
        assert app.test_cli_runner().invoke(args=["prepare"]).exit_code == 0  # It may run.
    assert app.test_cli_runner().invoke(args=["prepare", "--to-start"]).exit_code == 0


def test_an_address_of_another_machine_is_told_too(make_app: Callable[..., Flask]) -> None:
    said = make_app(HOST="192.0.2.1").test_cli_runner().invoke(args=["prepare", "--to-start"])
    assert said.exit_code == 1
    assert "Change HOST or PORT" in said.output


def test_prepare_prints_json_for_programs(run: Run) -> None:
    answer = json.loads(run("prepare", "--json").stdout)
    assert answer["setup_url"].startswith(answer["address"] + "/setup?token=")
    make_team()
    assert json.loads(run("prepare", "--json").stdout)["setup_url"] is None


@pytest.mark.parametrize(
    ("settings", "address"),
    [
        ({"HOST": "0.0.0.0", "PORT": 80}, "http://127.0.0.1:80"),  # noqa: S104
        ({"HOST": "::"}, "http://[::1]:8000"),
        ({"HOST": "10.1.2.3", "PORT": 8123}, "http://10.1.2.3:8123"),
        ({"FLOWPULSE_PUBLIC_URL": "https://flow.example.org"}, "https://flow.example.org"),
    ],
)
def test_prepare_prints_an_address_that_a_browser_can_open(
    make_app: Callable[..., Flask], settings: dict[str, object], address: str
) -> None:
    result = make_app(**settings).test_cli_runner().invoke(args=["prepare", "--json"])
    assert json.loads(result.stdout)["address"] == address


def test_prepare_makes_the_folders_and_a_database_that_only_we_can_read(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "data"
    app = create_app({"FLOWPULSE_DATA_DIR": folder, "FLOWPULSE_DATABASE_URL": ""})
    assert app.test_cli_runner().invoke(args=["prepare"]).exit_code == 0
    for name in ("flowpulse.db", "secret_key"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600, name


def test_prepare_migrates_an_empty_database(empty_database_url: str, tmp_path: Path) -> None:
    app = create_app({"FLOWPULSE_DATABASE_URL": empty_database_url, "FLOWPULSE_DATA_DIR": tmp_path})
    result = app.test_cli_runner().invoke(args=["prepare"])
    assert result.exit_code == 0
    assert result.stderr == ""
    with app.app_context():
        assert inspect(db.engine).has_table("events")
        db.session.remove()
        db.engine.dispose()


def test_a_command_on_an_empty_database_says_what_to_do(
    empty_database_url: str, tmp_path: Path
) -> None:
    app = create_app({"FLOWPULSE_DATABASE_URL": empty_database_url, "FLOWPULSE_DATA_DIR": tmp_path})
    for arguments in (["workflow", "list"], ["user", "create", "a@example.org", "--role", "owner"]):
        result = app.test_cli_runner().invoke(args=arguments)
        assert result.exit_code == 1
        assert result.stderr == (
            f"Error: The database is not up to date. Run: {shell_command('prepare')}\n"
        )
    with app.app_context():
        db.engine.dispose()


def test_a_database_that_cannot_be_opened_is_one_clear_line(tmp_path: Path) -> None:
    url = "postgresql://nobody@127.0.0.1:1/nothing"
    app = create_app({"FLOWPULSE_DATABASE_URL": url, "FLOWPULSE_DATA_DIR": tmp_path})
    result = app.test_cli_runner().invoke(args=["workflow", "list"])
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: The database can't be used: ")
    assert result.stderr.count("\n") == 1


@pytest.mark.once
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_worker_works_until_it_is_told_to_stop(
    app: Flask, database_url: str, tmp_path: Path, number: signal.Signals
) -> None:
    worker = subprocess.Popen(
        [sys.executable, "-m", "flask", "--app", "wsgi", "worker"],
        env=test_environment(tmp_path, database_url, 8000),
        stderr=subprocess.PIPE,
    )
    deadline = time.monotonic() + 30
    while not db.session.query(WorkerHeartbeat).count() and time.monotonic() < deadline:
        db.session.rollback()
        time.sleep(0.05)
    worker.send_signal(number)
    _, said = worker.communicate(timeout=10)
    assert (worker.returncode, said) == (0, b"")
    db.session.rollback()
    assert db.session.query(WorkerHeartbeat).count() == 0
