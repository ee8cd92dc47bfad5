"""Whether known vulnerabilities end a build, and a missing network does not."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from supply import advisories
from supply.advisories import Report, UnusableError, ask, judge, main

FLAW = {"id": "PYSEC-2099-1", "aliases": ["CVE-2099-1"], "fix_versions": ["1.1"], "description": ""}


@pytest.fixture
def pins(tmp_path: Path) -> Path:
    path = tmp_path / "requirements.txt"
    path.write_text("flask==3.1.2\n")
    return path


def write_program(folder: Path, output: str, errors: str = "", code: int = 0) -> list[str]:
    """In the place of pip-audit, whose services are the network's edge."""
    path = folder / "program.py"
    said = f"import sys; print({output!r}); print({errors!r}, file=sys.stderr); sys.exit({code})"
    path.write_text(said)
    return [sys.executable, str(path)]


def as_json(*packages: dict[str, Any]) -> str:
    return json.dumps({"dependencies": packages, "fixes": []})


GOOD = {"name": "flask", "version": "3.1.2", "vulns": []}
BAD = {"name": "wheels", "version": "1.0", "vulns": [FLAW]}
UNKNOWN = {"name": "own", "skip_reason": "Dependency not found on PyPI"}


def test_a_known_vulnerability_ends_the_build(pins: Path, tmp_path: Path) -> None:
    report = ask("pypi", pins, write_program(tmp_path, as_json(GOOD, BAD), code=1))
    code, text = judge([report])
    assert code == 1
    assert "wheels 1.0: PYSEC-2099-1, CVE-2099-1; mended in 1.1" in text
    assert "2 packages checked." in text


def test_without_one_it_passes_and_says_what_it_could_not_check(pins: Path, tmp_path: Path) -> None:
    report = ask("pypi", pins, write_program(tmp_path, as_json(GOOD, UNKNOWN)))
    assert judge([report]) == (
        0,
        "No known vulnerabilities.\n1 packages checked; 1 are not known to the service.",
    )


def test_what_a_second_service_finds_counts_where_the_first_knows_nothing() -> None:
    knows_nothing, found = Report([], 0, 2), Report(["wheels 1.0: X"], 1, 0)
    assert judge([knows_nothing, None, found])[0] == 1
    assert judge([None, knows_nothing]) == judge([])
    assert judge([])[0] == 0 and judge([])[1].startswith("NOT CHECKED")


def test_a_program_that_is_broken_is_no_missing_network(pins: Path, tmp_path: Path) -> None:
    program = write_program(tmp_path, "", "invalid requirement in line 3", 1)
    with pytest.raises(UnusableError, match="invalid requirement in line 3"):
        ask("pypi", pins, program)


FAULTS = {
    "an error of the server": "requests.exceptions.HTTPError: 503 Server Error\n"
    "pip_audit._service.interface.ServiceError",
    "an answer that is none": "ServiceError: Received malformed version from PyPI: ['x']",
    "a certificate of somebody else": "requests.exceptions.SSLError: CERTIFICATE_VERIFY_FAILED",
    "an end in the middle": "requests.exceptions.ConnectionError: ('Connection aborted.', ...)",
    "silence": "requests.exceptions.ReadTimeout: Read timed out. (read timeout=15)",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_service_that_is_reached_and_fails_does_not_pass(
    pins: Path, tmp_path: Path, fault: str
) -> None:
    with pytest.raises(UnusableError):
        ask("pypi", pins, write_program(tmp_path, "", FAULTS[fault], 1))


def give(monkeypatch: pytest.MonkeyPatch, **answers: Report | Exception | None) -> None:
    """In the place of the services, by their names."""

    def answer(service: str) -> Report | None:
        given = answers[service]
        if isinstance(given, Exception):
            raise given
        return given

    monkeypatch.setattr(advisories, "ask", answer)


def test_a_build_ends_where_no_service_answers_and_one_was_reached(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fault, good, bad = UnusableError("503"), Report([], 9, 0), Report(["wheels 1.0: X"], 9, 0)
    for pypi, osv, code in (
        (fault, None, 2),
        (None, fault, 2),
        (fault, Report([], 0, 9), 2),
        (fault, good, 0),
        (fault, bad, 1),
        (bad, fault, 1),
        (None, None, 0),
    ):
        give(monkeypatch, pypi=pypi, osv=osv)
        assert main() == code
        said = capsys.readouterr()
        assert ("NOT CHECKED" in said.err) == (code == 2) and ("503" in said.err) == (code == 2)
        assert ("NOT CHECKED" in said.out) == (pypi is osv is None)


def test_the_real_program_without_a_network_finds_no_service(
    pins: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    assert ask("pypi", pins) is None


def test_pins_that_are_not_there_are_no_missing_network(tmp_path: Path) -> None:
    with pytest.raises(UnusableError):
        ask("pypi", tmp_path / "missing.txt")
