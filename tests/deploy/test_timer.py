"""The timer of integrations/systemd is what its page promises; `test_units` has systemd read it."""

import configparser
from pathlib import Path

from tests.server import ROOT

EXAMPLE = ROOT / "integrations" / "systemd"
PAGE = (EXAMPLE / "README.md").read_text("utf-8")


def read_unit(name: str) -> dict[str, dict[str, str]]:
    """Its sections. What stands twice in one is an error."""
    parser = configparser.RawConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(EXAMPLE / name)
    return {section: dict(parser[section]) for section in parser.sections()}


def test_the_timer_starts_the_job_each_night_and_makes_up_for_a_missed_one() -> None:
    assert read_unit("nightly.timer") == {
        "Unit": {"Description": "Start the nightly job"},
        "Timer": {
            "OnCalendar": "*-*-* 02:30:00",
            "RandomizedDelaySec": "120",
            "Persistent": "true",
        },
        "Install": {"WantedBy": "timers.target"},
    }, "without Unit= it starts the service of its own name"
    assert (EXAMPLE / "nightly.service").is_file()
    assert "systemctl enable --now nightly.timer\n" in PAGE


def test_the_job_is_told_by_the_unit_that_is_there_for_what_keeps_it_from_running() -> None:
    job = configparser.RawConfigParser(strict=False)
    job.read(EXAMPLE / "nightly.service")
    assert job["Unit"]["OnFailure"] == "flowpulse-failed@%n.service"
    assert (EXAMPLE / "flowpulse-failed@.service").is_file()
    assert job["Service"]["Type"] == "oneshot"


def test_the_page_says_of_each_file_where_it_goes() -> None:
    units = [path.name for path in EXAMPLE.iterdir() if path.suffix in (".service", ".timer")]
    assert len(units) == 3
    places = [f"/etc/systemd/system/{name}" for name in units]
    job = configparser.RawConfigParser(strict=False)
    job.read(EXAMPLE / "nightly.service")
    for place in (*places, job["Service"]["EnvironmentFile"]):
        assert f"`{place}`" in PAGE
    assert Path(job["Service"]["ExecStart"].split()[0]) == Path("/usr/local/bin/flowpulse-run")
    assert "Install `flowpulse-run` into `/usr/local/bin`" in PAGE
