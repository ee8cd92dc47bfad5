"""systemd's units and the Procfile: what they start is there, and as `make run` starts it."""

import configparser
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.server import ROOT

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


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_systemd_understands_a_unit(path: Path, tmp_path: Path) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("no systemd-analyze here (Debian: systemd)")
    program = tmp_path / ".venv" / "bin" / "python"
    program.parent.mkdir(parents=True)
    program.symlink_to("/bin/true")
    copy = tmp_path / path.name
    copy.write_text(path.read_text().replace(HOME, str(tmp_path)))
    done = subprocess.run(
        ["systemd-analyze", "verify", str(copy)],
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"]},
    )
    own = [line for line in done.stderr.splitlines() if path.stem in line]
    assert own == []


def test_there_are_a_unit_for_web_and_one_for_the_worker() -> None:
    assert [path.stem for path in UNITS] == ["flowpulse-web", "flowpulse-worker"]


def test_the_procfile_starts_what_supervisord_starts() -> None:
    text = (ROOT / "Procfile").read_text()
    processes = dict(line.split(": ", 1) for line in text.splitlines())
    assert list(processes) == ["release", "web", "worker"]
    assert processes["web"].removeprefix("env HOST=0.0.0.0 ") == supervised("web")
    assert processes["worker"] == supervised("worker")
