"""What a reload looks at before it gives up what runs."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.config import resolve_database_url
from app.invocation import shell_command
from tests.ports import free_port
from tests.server import test_environment


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Somebody listens there, and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def try_out(url: str, running_url: str, folder: Path) -> tuple[int, str]:
    """Its exit code, and what it says last, with `url` as the new setting."""
    done = subprocess.run(
        [sys.executable, "-m", "serving.try_out", "wsgi:app"],
        env=test_environment(folder, url, free_port()),
        cwd=folder,
        input=resolve_database_url(
            {"FLOWPULSE_DATABASE_URL": running_url, "FLOWPULSE_DATA_DIR": folder}
        ),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, (done.stderr.strip().splitlines() or [""])[-1]


@pytest.mark.parametrize("running_url", ["", None], ids=["another", "the same"])
def test_a_database_that_answers_and_is_up_to_date_will_do(
    database_url: str, running_url: str | None, tmp_path: Path
) -> None:
    running = database_url if running_url is None else running_url
    assert try_out(database_url, running, tmp_path) == (0, "")


@pytest.mark.parametrize("is_same", [True, False])
def test_a_database_without_the_programs_tables_will_not_do(
    empty_database_url: str, is_same: bool, tmp_path: Path
) -> None:
    """Not the running program's own either: it would have been upgraded before."""
    code, said = try_out(empty_database_url, empty_database_url if is_same else "", tmp_path)
    assert code == 1
    assert said.startswith("The database is at nothing, the program at ")
    assert said.endswith(f"Run: {shell_command('prepare')}")


@pytest.mark.once
def test_a_database_that_is_not_there_will_not_do_unless_it_is_the_present_one(
    tmp_path: Path,
) -> None:
    url = f"postgresql://flowpulse:s3cret@127.0.0.1:{free_port()}/flowpulse"
    code, said = try_out(url, "", tmp_path)
    assert code == 1
    assert said.startswith("The database can't be used: connection failed")
    assert "s3cret" not in said
    assert try_out(url, url, tmp_path) == (0, "")


@pytest.mark.once
def test_a_database_that_never_answers_is_not_waited_for(silent_port: int, tmp_path: Path) -> None:
    url = f"postgresql://flowpulse:s3cret@127.0.0.1:{silent_port}/flowpulse?connect_timeout=600"
    said = "The database can't be used: it does not answer within 6 s"
    assert try_out(url, "", tmp_path) == (1, said)
    assert try_out(url, url, tmp_path)[0] == 0


@pytest.mark.once
def test_no_message_about_an_address_shows_its_password(tmp_path: Path) -> None:
    for url in ("mysql://u:s3cret@host/d", "mysql:u:s3cret@host", "postgresql://u:a@s3cret@host/d"):
        code, said = try_out(url, "", tmp_path)
        assert code == 1
        assert "FLOWPULSE_DATABASE_URL" in said
        assert "s3cret" not in said
