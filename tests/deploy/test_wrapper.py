"""`flowpulse`, the command of an installation by systemd: the services' account and settings."""

import json
import os
import pwd
import runpy
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from app import invocation
from tests.deploy import files
from tests.deploy.test_units import HOME, UNITS, Unit
from tests.factories import PASSWORD
from tests.server import ROOT, SECRET

WRAPPER = ROOT / "deploy" / "systemd" / "flowpulse"
MADE = "HOME, SETTINGS, ACCOUNT ="
STATE, SETTINGS = "/var/lib/flowpulse", "/etc/flowpulse.env"

pytestmark = pytest.mark.once


def load() -> dict[str, object]:
    return runpy.run_path(str(WRAPPER))


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_it_has_what_the_units_have(path: Path) -> None:
    own, service = load(), Unit(path)["Service"]
    lines = path.read_text().splitlines()
    given = [line.split("=", 2)[1:] for line in lines if line.startswith("Environment=")]
    assert own["OWN"] == dict(given)
    assert service["User"] == service["Group"] == own["ACCOUNT"]
    assert service["EnvironmentFile"] == f"-{own['SETTINGS']}"
    assert service["WorkingDirectory"] == own["HOME"] == HOME
    assert service["UMask"] == "0077" and "os.umask(0o077)" in WRAPPER.read_text()
    assert WRAPPER.stat().st_mode & 0o111 == 0o111


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("A=plain", "plain"),
        ("A=postgresql://u:p@h/d?x=1&y=#2 ", "postgresql://u:p@h/d?x=1&y=#2"),
        ("  A = two words \t", "two words"),
        ('A="two  words "', "two  words "),
        ("A='$HOME \\n \"x\"'", '$HOME \\n "x"'),
        ('A="a\\"b\\\\c\\$d\\e"', 'a"b\\c$d\\e'),
        ("A=it's", "it's"),
        ("A=$(touch /tmp/x) `y` ; z", "$(touch /tmp/x) `y` ; z"),
        ("A=a\\\nb", "ab"),
        ("A='a\nb'", "a\nb"),
        ("A='a' \"b\"c", "abc"),
        ("A=\\ x\\ ", " x "),
        ("A=", ""),
        ("A=old\nA=new", "new"),
        ("# A=x\n; A=y\n\nno pair\nA=real\n#A=z", "real"),
        ("# goes on \\\nA=not\nA=yes", "yes"),
        ("export A=x\nA=y\n1A=z", "y"),
    ],
)
def test_settings_are_read_as_systemd_reads_them(text: str, value: str) -> None:
    """By systemd.exec(5), EnvironmentFile=, and its src/basic/env-file.c."""
    read = load()["read_settings"]
    assert read(text) == {"A": value}  # type: ignore[operator]


def account() -> str:
    """Whose the services are here: as in `test_image`, root where others can't reach Python."""
    folders = (ROOT, *ROOT.parents, *Path(sys.executable).resolve().parents)
    python = Path(sys.prefix)
    folders += (python, *python.parents)
    is_open = all(folder.stat().st_mode & stat.S_IXOTH for folder in folders)
    return "nobody" if is_open else "root"


class Installation:
    """The program, its settings, its data and the wrapper, in places of the test's own."""

    def __init__(self, folder: Path) -> None:
        self.home, self.data = folder / "opt", folder / "data"
        self.settings, self.wrapper = folder / "flowpulse.env", folder / "bin" / "flowpulse"
        self.account = account()
        files.copy_tree(self.home)
        (self.home / ".venv").symlink_to(sys.prefix)
        self.rewrite(self.home / "app" / "invocation.py", str(invocation.WRAPPER), self.wrapper)
        self.data.mkdir(mode=0o700)
        shutil.chown(self.data, self.account)
        self.wrapper.parent.mkdir()
        shutil.copy(WRAPPER, self.wrapper)
        for written, here in ((HOME, self.home), (STATE, self.data), (SETTINGS, self.settings)):
            self.rewrite(self.wrapper, written, here)
        self.rewrite(self.wrapper, '"flowpulse"\nOWN', f'"{self.account}"\nOWN')
        self.settings.touch(mode=0o600)
        self.settings.write_text(f"# of the services\nFLOWPULSE_SECRET_KEY='{SECRET}'\nPORT=8123\n")

    @staticmethod
    def rewrite(path: Path, written: str, here: Path | str) -> None:
        text = path.read_text()
        assert written in text
        path.write_text(text.replace(written, str(here)))

    def call(
        self, *words: str, stdin: str = "", **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """From a shell with settings of its own, in a folder that has some, too."""
        elsewhere = self.home.parent / "elsewhere"
        elsewhere.mkdir(exist_ok=True)
        (elsewhere / ".env").write_text("FLOWPULSE_PUBLIC_URL=nonsense\n")
        return subprocess.run(
            [self.wrapper, *words],
            cwd=elsewhere,
            input=stdin,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(elsewhere), **environment},
            capture_output=True,
            text=True,
        )

    def call_past(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """As the documents of other installations say."""
        return subprocess.run(
            [self.home / ".venv/bin/python", "-m", "flask", "--app", "wsgi", *words],
            cwd=self.home,
            env={"PATH": os.environ["PATH"], **environment},
            capture_output=True,
            text=True,
        )


@pytest.fixture(scope="module")
def installed() -> Iterator[Installation]:
    """Outside of pytest's folders, which are closed to other accounts."""
    if os.getuid() != 0:
        pytest.skip("only root can become another account")
    folder = Path(tempfile.mkdtemp(prefix="flowpulse-systemd-"))
    folder.chmod(0o755)
    yield Installation(folder)
    shutil.rmtree(folder)


def test_a_command_reaches_the_services_database_whatever_the_shell_has(
    installed: Installation,
) -> None:
    others = {
        "FLOWPULSE_DATABASE_URL": "sqlite:////nowhere/x.db",
        "FLOWPULSE_SECRET_KEY": "",
        "FLASK_APP": "nowhere",
        "PORT": "1",
    }
    done = installed.call("prepare", **others)
    assert done.returncode == 0, done.stderr
    assert "http://127.0.0.1:8123" in done.stdout
    typed = ("user", "create", "ana@example.org", "--role", "owner", "--password-stdin")
    done = installed.call(*typed, stdin=PASSWORD, **others)
    assert done.returncode == 0, done.stderr
    with sqlite3.connect(installed.data / "flowpulse.db") as database:
        assert database.execute("SELECT email FROM users").fetchall() == [("ana@example.org",)]
    database.close()
    made = (installed.data / "flowpulse.db").stat()
    assert made.st_uid == pwd.getpwnam(installed.account).pw_uid
    assert made.st_mode & 0o777 == 0o600
    assert not (installed.data / "secret_key").exists(), "The settings have one"
    assert not (installed.home / "data").exists()


def test_its_status_is_the_commands_and_fixes_name_it(installed: Installation) -> None:
    installed.call("prepare")
    done = installed.call("doctor", "--json")
    assert done.returncode == 1, done.stderr
    findings = {each["name"]: each for each in json.loads(done.stdout)}
    assert findings["worker"]["fix"] == (
        "Start it: `systemctl start flowpulse-web flowpulse-worker`, or flowpulse worker"
    )
    assert "flowpulse backup" in findings["backups"]["fix"]
    assert installed.call("no-such-command").returncode == 2


def test_what_it_backs_up_it_restores(installed: Installation) -> None:
    installed.call("prepare")
    kept = installed.data / "kept.db"
    done = installed.call("backup", str(kept))
    assert done.returncode == 0, done.stderr
    done = installed.call("restore", str(kept), "--force")
    assert done.returncode == 0, done.stderr
    assert str(installed.data / "flowpulse.db") in done.stderr
    assert "Start: systemctl start flowpulse-web flowpulse-worker" in done.stderr


@pytest.mark.parametrize(
    "words", [("restore", str(WRAPPER)), ("prepare", "--to-start"), ("user", "list")]
)
def test_a_call_past_it_is_refused_and_not_done_on_another_database(
    installed: Installation, words: tuple[str, ...]
) -> None:
    """`make run` begins with `prepare`."""
    done = installed.call_past(*words)
    assert done.returncode == 1
    name = " ".join(word for word in words if word.isalpha())
    assert f"by `flowpulse {name} …`" in done.stderr
    assert not list(installed.home.glob("data/*.db"))


@pytest.mark.parametrize("way", ["call", "call_past"])
def test_who_names_another_database_means_it(installed: Installation, way: str) -> None:
    """As in the rehearsal of a restore; the services' other settings hold for `flowpulse`."""
    data = installed.home.parent / f"rehearsal-{way}"
    data.mkdir()
    shutil.chown(data, installed.account)
    done = getattr(installed, way)("prepare", FLOWPULSE_DATA_DIR=str(data), PORT="8124")
    assert done.returncode == 0, done.stderr
    assert "http://127.0.0.1:8124" in done.stdout
    assert (data / "flowpulse.db").exists()
    assert (data / "secret_key").exists() == (way == "call_past")


def test_it_becomes_the_account_with_nothing_of_roots_left(installed: Installation) -> None:
    """With a program in Python's place that every account can run."""
    copy = installed.wrapper.with_name("as-nobody")
    shutil.copy(installed.wrapper, copy)
    home = installed.home.parent / "shown"
    program = home / ".venv" / "bin" / "python"
    program.parent.mkdir(parents=True)
    program.write_text('#!/bin/sh\nid -u; id -G; umask; pwd; echo "$USER $PORT"; echo "$@"\n')
    program.chmod(0o755)
    installed.rewrite(copy, f'{MADE} "{installed.home}"', f'{MADE} "{home}"')
    installed.rewrite(copy, f'"{installed.account}"\nOWN', '"nobody"\nOWN')
    done = subprocess.run([copy, "user", "list"], capture_output=True, text=True)
    nobody = pwd.getpwnam("nobody")
    assert done.stdout.splitlines() == [
        str(nobody.pw_uid),
        str(nobody.pw_gid),
        "0077",
        str(home),
        "nobody 8123",
        "-m flask --app wsgi user list",
    ], done.stderr


def test_who_is_not_root_is_told() -> None:
    """Wherever this Python lies: others may not reach it."""
    program = (
        "import os, runpy; own = runpy.run_path({!r}); os.getuid = lambda: 1000; own['main']()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program.format(str(WRAPPER))], capture_output=True, text=True
    )
    assert done.returncode == 1 and "Call it with sudo" in done.stderr
