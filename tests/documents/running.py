"""A command of the documents, run with what stands for its hosts, keys and places here."""

import re
import shlex
import subprocess
from pathlib import Path
from typing import NamedTuple

from tests.apps import close_app, make_app
from tests.documents.blocks import CALL, Code
from tests.documents.exceptions import ELSEWHERE, How
from tests.documents.foreign import HOSTS
from tests.server import LiveServer, test_environment
from tests.teams import LiveTeam

NEEDS_SHELL = re.compile(r"[|<>;&$]| restore ")
REFUSED_QUIETLY = re.compile(r"^curl (?!-f|--fail)", re.MULTILINE)


class Place(NamedTuple):
    """`foreign` is the address of other systems."""

    folder: Path
    server: LiveServer
    team: LiveTeam
    foreign: str

    def fill_in(self, text: str) -> str:
        for old, new in (
            ("https://flowpulse.example.org", self.server.url),
            ("http://127.0.0.1:8000", self.server.url),
            ("fp_your_key", self.team.key),
            ("fp_…", self.team.key),
            ("lead-enrichment", self.team.slug),
            ("/mnt/other", str(self.folder / "other")),
            ("/tmp/rehearsal", str(self.folder / "rehearsal")),
            *((host, self.foreign) for host in HOSTS),
        ):
            text = text.replace(old, new)
        return REFUSED_QUIETLY.sub("curl --fail-with-body ", text)


def run(code: Code, how: How, place: Place) -> tuple[int, str]:
    """Its exit status, and all that it says."""
    text = how.before + code.text
    for old, new in how.replaced:
        assert old in text, f"{code.file}: {old!r} is not there to be replaced"
        text = text.replace(old, new)
    text = place.fill_in(text)
    lines = [line for line in text.splitlines() if line.strip()]
    folder, port = place.folder, place.server.port
    if not all(line.startswith((f"{CALL} ", ELSEWHERE)) for line in lines):
        return in_shell(text, how.stdin, folder, port)
    ends = []
    for line in lines:
        needs_shell = NEEDS_SHELL.search(line)
        ends.append(
            in_shell(line, how.stdin, folder, port)
            if needs_shell
            else in_process(line, how.stdin, folder)
        )
    return max(status for status, _ in ends), "\n".join(said for _, said in ends)


def in_shell(text: str, stdin: str, folder: Path, port: int, **env: str) -> tuple[int, str]:
    """Without a terminal, so that who asks for a password reads it from `stdin`."""
    usual = test_environment(folder / "data", "", port)
    done = subprocess.run(
        ["sh", "-euc", text],
        cwd=folder,
        env={**usual, "HOME": str(folder), **env},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
        start_new_session=True,
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
