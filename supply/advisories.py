"""`python -m supply.advisories`: whether a pinned package has a known vulnerability (`make audit`).

Ends with 1 where one has. Where the network can't be reached at all it says so, and ends with 0: a
build without the internet must not fail for what it can't know. A service that is reached and gives
no answer ends it with 2, unless another one answers: what was not asked must not pass for good.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parent.parent
PINS = ROOT / "requirements-dev.txt"
"""Which holds those of requirements.txt too."""
SERVICES = ("pypi", "osv")
"""Asked in this order, until one knows the packages."""
SECONDS = 300
_NOT_REACHED = re.compile(
    r"NewConnectionError|NameResolutionError|ProxyError|ConnectTimeout|Could not connect"
)
"""No name was resolved, or nobody took the connection. What was refused later, was reached."""


class UnusableError(Exception):
    """pip-audit failed, or the service that it asked; the message is what it said."""


class Report(NamedTuple):
    """What a service says: vulnerabilities as lines, and how many packages it knew and did not."""

    found: list[str]
    checked: int
    unknown: int


def read_report(output: str) -> Report:
    """Of what pip-audit writes as JSON."""
    packages: list[dict[str, Any]] = json.loads(output)["dependencies"]
    known = [package for package in packages if "skip_reason" not in package]
    found = [_describe(package, flaw) for package in known for flaw in package["vulns"]]
    return Report(found, len(known), len(packages) - len(known))


def _describe(package: dict[str, Any], flaw: dict[str, Any]) -> str:
    fixed = ", ".join(flaw["fix_versions"]) or "no version yet"
    names = ", ".join([flaw["id"], *flaw.get("aliases", ())])
    return f"{package['name']} {package['version']}: {names}; mended in {fixed}"


def ask(service: str, pins: Path = PINS, program: Iterable[str] = ()) -> Report | None:
    """None where the network can't be reached. Raises UnusableError."""
    command = [*(program or (sys.executable, "-m", "pip_audit"))]
    options = ["--no-deps", "--disable-pip", "--format", "json", "--progress-spinner", "off"]
    command += ["--requirement", str(pins), "--vulnerability-service", service, *options]
    try:
        done = subprocess.run(  # noqa: S603 (our own words)
            command, capture_output=True, text=True, timeout=SECONDS, cwd=ROOT
        )
    except subprocess.TimeoutExpired as error:
        raise UnusableError(f"No answer within {SECONDS} s.") from error
    try:
        return read_report(done.stdout)
    except (ValueError, KeyError) as error:
        if _NOT_REACHED.search(done.stderr):
            return None
        raise UnusableError(
            done.stderr.strip() or f"pip-audit ended with {done.returncode}."
        ) from error


def judge(reports: Iterable[Report | None]) -> tuple[int, str]:
    """By the first service that knows any of the packages: the exit code, and what to print."""
    report = next((each for each in reports if each and each.checked), None)
    if report is None:
        return 0, (
            "NOT CHECKED: no network could be reached, or no service knows any of the packages. "
            "Run `make audit` where the internet is."
        )
    rest = f"; {report.unknown} are not known to the service" if report.unknown else ""
    lines = [*report.found, f"{report.checked} packages checked{rest}."]
    if not report.found:
        lines.insert(0, "No known vulnerabilities.")
    return (1 if report.found else 0), "\n".join(lines)


def survey(services: Iterable[str] = SERVICES) -> tuple[list[Report | None], list[str]]:
    """Reports up to the first that knows any package, and what went wrong before."""
    reports: list[Report | None] = []
    faults: list[str] = []
    for service in services:
        try:
            report = ask(service)
        except UnusableError as error:
            faults.append(f"{service}: {error}")
            continue
        reports.append(report)
        if report and report.checked:
            return reports, []
    return reports, faults


def main() -> int:
    reports, faults = survey()
    if faults:
        print("NOT CHECKED: pip-audit could not be used.", *faults, sep="\n", file=sys.stderr)
        return 2
    code, text = judge(reports)
    print(text)
    return code


if __name__ == "__main__":
    sys.exit(main())
