"""The image: what it is made of is there, and its command runs as nobody in particular."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.deploy import files
from tests.ports import free_port
from tests.server import ROOT, answers, test_environment, wait_for

USER = "10001"


def runner() -> str:
    """The user id of the server under test, where the tests run as root: the image's or, where the
    tests' Python lies in a closed folder such as root's home, 0 without any capability, which can
    write no more than others where the owner can't."""
    python = Path(sys.executable)
    folders = {*python.parents, *python.resolve().parents}
    is_open = all(folder.stat().st_mode & stat.S_IXOTH for folder in folders)
    return USER if is_open else "0"


@pytest.fixture
def image() -> Iterator[Path]:
    """`app` as in the image, writable for nobody but root; `data` and `tmp` as mounted."""
    folder = Path(tempfile.mkdtemp(prefix="flowpulse-image-"))
    folder.chmod(0o755)
    files.copy_tree(folder / "app")
    for name in ("data", "tmp"):
        (folder / name).mkdir(mode=0o700)
    (folder / "log").touch()  # Which supervisord opens anew; container runtimes give it away too.
    for name in ("data", "tmp", "log"):
        if os.getuid() == 0:
            os.chown(folder / name, int(runner()), int(runner()))
    subprocess.run(["chmod", "-R", "a-w", str(folder / "app")], check=True)
    yield folder
    subprocess.run(["chmod", "-R", "u+w", str(folder)], check=False)
    shutil.rmtree(folder)


def start_container(image: Path, port: int) -> subprocess.Popen[bytes]:
    given = files.environment() | {"PORT": str(port), "HOST": "127.0.0.1"}
    given |= {"FLOWPULSE_DATA_DIR": str(image / "data"), "TMPDIR": str(image / "tmp")}
    given.pop("PATH")
    env = test_environment(image / "data", "", port) | given
    env |= {"HOME": "/nonexistent", "FLOWPULSE_SECRET_KEY": ""}
    env.pop("PYTHONPATH")
    bounds = ["--no-new-privs", "--bounding-set", "-all", "--inh-caps", "-all"]
    as_user = ["setpriv", "--reuid", runner(), "--regid", runner(), "--clear-groups", *bounds]
    with (image / "log").open("wb") as log:
        return subprocess.Popen(
            [*(as_user if os.getuid() == 0 else []), *files.command("CMD")],
            cwd=image / "app",
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def is_healthy(image: Path, port: int) -> bool:
    env = {"PATH": os.environ["PATH"], "PORT": str(port)}
    return not subprocess.run(
        files.command("HEALTHCHECK"), cwd=image / "app", env=env, capture_output=True
    ).returncode


def end_all(process: subprocess.Popen[bytes]) -> None:
    family = []
    if process.poll() is None:
        family = psutil.Process(process.pid).children(recursive=True)
        process.kill()
    for each in family:
        try:
            each.kill()
        except psutil.Error:
            continue
    process.wait()


@pytest.mark.needs("setpriv")
def test_the_command_runs_on_a_read_only_tree_and_ends_in_time(image: Path) -> None:
    port = free_port()
    assert not is_healthy(image, port)
    process = start_container(image, port)
    try:
        log = image / "log"
        try:
            wait_for(lambda: answers(f"http://127.0.0.1:{port}") or process.poll() is not None, 30)
        except AssertionError:
            pytest.fail(log.read_text())
        assert process.poll() is None, log.read_text()
        assert is_healthy(image, port)
        assert "setup?token=" in log.read_text()
        supervisor = psutil.Process(process.pid)
        assert "supervisor.supervisord" in supervisor.cmdline()
        wait_for(lambda: len(supervisor.children()) == 2)
        family = [supervisor, *supervisor.children(recursive=True)]
        if os.getuid() == 0:
            assert {each.uids().real for each in family} == {int(runner())}
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0, log.read_text()
        assert time.monotonic() - began < 30
        assert [each for each in family if each.is_running()] == []
        assert (image / "data" / "secret_key").stat().st_mode & 0o777 == 0o600
        assert list((image / "app").rglob("__pycache__")) == []
    finally:
        end_all(process)


def test_each_source_is_there_and_let_through_by_dockerignore() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    let_through = {line[1:] for line in lines if line.startswith("!")}
    sources = {source for names, _ in files.copies() for source in names}
    assert [name for name in sources if not list(ROOT.glob(name))] == []
    assert sources == let_through


def test_the_last_stage_runs_as_a_user_by_number_who_is_not_root() -> None:
    """Kubernetes takes `runAsNonRoot` for granted only of numbers."""
    assert files.last("USER") == f"{USER}:{USER}"
    words = [word for word, _ in files.instructions()]
    assert len(words) - words[::-1].index("USER") > words.index("VOLUME")
    assert "STOPSIGNAL" in words and "curl" not in (ROOT / "Dockerfile").read_text()
