"""systemd's units and the Procfile: they start what `make run` starts, and it serves."""

import configparser
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import requests

from app.console.integration_files import read_file
from tests.databases import Databases
from tests.ports import free_port
from tests.programs import find
from tests.server import ROOT, answers, test_environment, wait_for

UNITS = sorted((ROOT / "deploy" / "systemd").glob("*.service"))
HOME = "/opt/flowpulse"


class Unit(configparser.RawConfigParser):
    """Of what may stand several times, the last counts here."""

    def __init__(self, path: Path) -> None:
        super().__init__(strict=False, interpolation=None)
        self.optionxform = str  # type: ignore[assignment,method-assign]
        self.read(path)


def supervised(name: str) -> str:
    config = configparser.RawConfigParser()
    config.read(ROOT / "supervisord.conf")
    return config[f"program:{name}"]["command"]


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_a_unit_starts_what_supervisord_starts(path: Path) -> None:
    service = Unit(path)["Service"]
    name = path.stem.partition("-")[2]
    assert service["ExecStart"] == f"{HOME}/.venv/bin/{supervised(name)}"
    assert service["ExecStartPre"].startswith(
        f"{HOME}/.venv/bin/python -m flask --app wsgi prepare"
    )
    assert int(service["TimeoutStopSec"]) >= 30
    assert service["User"] == "flowpulse" and service["StateDirectory"] == "flowpulse"


def verify(folder: Path, *names: str) -> list[str]:
    """What systemd says of these units in the folder, and not of others that it knows."""
    command = [str(find("systemd-analyze")), "verify", *(str(folder / name) for name in names)]
    env = {"PATH": os.environ["PATH"]}
    done = subprocess.run(command, capture_output=True, text=True, env=env)
    words = (str(folder), *(Path(name).stem.partition("@")[0] for name in names))
    return [line for line in done.stderr.splitlines() if any(word in line for word in words)]


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_systemd_understands_a_unit(path: Path, tmp_path: Path) -> None:
    program = tmp_path / ".venv" / "bin" / "python"
    program.parent.mkdir(parents=True)
    program.symlink_to("/bin/true")
    text = path.read_text().replace(HOME, str(tmp_path))
    (tmp_path / path.name).write_text(text)
    assert verify(tmp_path, path.name) == []
    (tmp_path / path.name).write_text(text.replace("ExecStart=", "ExecStrat="))
    assert "ExecStrat" in "".join(verify(tmp_path, path.name))


def test_systemd_understands_the_units_that_report_a_job(tmp_path: Path) -> None:
    for name in ("nightly.service", "nightly.timer"):
        text = read_file(f"systemd/{name}").replace("/usr/local/bin/flowpulse-run", "/bin/true")
        (tmp_path / name).write_text(text)
    template = read_file("systemd/flowpulse-failed@.service")
    (tmp_path / "flowpulse-failed@nightly.service").write_text(template)
    names = ("nightly.service", "nightly.timer", "flowpulse-failed@nightly.service")
    assert verify(tmp_path, *names) == []


def test_there_are_a_unit_for_web_and_one_for_the_worker() -> None:
    assert [path.stem for path in UNITS] == ["flowpulse-web", "flowpulse-worker"]


def read_procfile() -> dict[str, str]:
    text = (ROOT / "Procfile").read_text()
    return dict(line.split(": ", 1) for line in text.splitlines())


def test_the_procfile_starts_what_supervisord_starts() -> None:
    processes = read_procfile()
    assert list(processes) == ["release", "web", "worker"]
    assert processes["web"].removeprefix("env HOST=0.0.0.0 ") == supervised("web")
    assert processes["worker"] == supervised("worker")


def test_what_the_procfile_starts_is_well(databases: Databases, tmp_path: Path) -> None:
    """As such a platform does it: `release` to its end, then the others by a shell, with PORT."""
    processes, port = read_procfile(), free_port()
    url = databases.create_empty()
    env = test_environment(tmp_path / "data", url, port)
    env.pop("HOST")
    done = subprocess.run(
        ["sh", "-c", processes["release"]], cwd=ROOT, env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    address = f"http://127.0.0.1:{port}"
    with start(processes["web"], env, tmp_path / "web"):
        wait_for(lambda: answers(address), 30)
        assert requests.get(f"{address}/healthz", timeout=5).status_code == 200
        unready = requests.get(f"{address}/readyz", timeout=5)
        assert unready.status_code == 503 and "worker" in unready.text
        with start(processes["worker"], env, tmp_path / "worker"):
            wait_for(lambda: requests.get(f"{address}/readyz", timeout=5).status_code == 200, 30)
    databases.drop(url)


@contextmanager
def start(command: str, env: dict[str, str], log: Path) -> Iterator[None]:
    """Ended by TERM, as platforms do it, to all that it has started."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["sh", "-c", command],
            cwd=ROOT,
            env=env,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield
        assert process.poll() is None, log.read_text()
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(35)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
