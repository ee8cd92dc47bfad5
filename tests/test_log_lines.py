"""Whatever comes from outside, a line of the log that begins with a date is our own."""

import io
import logging
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from flask import Flask
from sqlalchemy import update

from app.disguised_keys import mask_all_keys
from app.extensions import writing
from app.keys import make_key
from app.log_lines import DATES, JsonLines, LogLines, escape, line_of
from app.models import Event
from tests.server import ROOT, LiveServer, wait_for
from tests.teams import make_live_team

FORGED = "2026-01-15 09:31:00 web ERROR forged"
BREAKS = ["\n", "\r", "\r\n", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"]
ENTRY = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d (web|worker) [A-Z]+ ")


@pytest.fixture
def log() -> Iterator[tuple[logging.Logger, io.StringIO]]:
    """A logger as the server's, and what it has written."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(LogLines(line_of("web"), DATES))
    logger = logging.Logger("hostile")
    logger.addHandler(handler)
    yield logger, written


@pytest.mark.parametrize("line_break", BREAKS, ids=ascii)
def test_an_entry_stays_in_its_line(
    log: tuple[logging.Logger, io.StringIO], line_break: str
) -> None:
    logger, written = log
    logger.warning("Event %d failed: %s", 7, f"boom{line_break}{FORGED}")
    (line,) = written.getvalue().splitlines()
    assert ENTRY.match(line) and line.endswith(FORGED)
    assert ascii(line_break)[1:-1] in line


@pytest.mark.parametrize(
    "form", [LogLines(line_of("web"), DATES, mask_all_keys), JsonLines("web", mask_all_keys)]
)
def test_no_key_is_in_an_entry_its_traceback_or_its_stack(form: logging.Formatter) -> None:
    key = make_key()
    path = "/ping/6f0c1d2e-94b7-4f02-a6d9-3e7b1c5f8a20"
    try:
        raise ValueError(f"{key} {path}")
    except ValueError:
        told = (f"GET {path} %s", (key,), sys.exc_info())
    record = logging.LogRecord("a", logging.ERROR, "", 1, *told, sinfo=f"{key} {path}")
    line = form.format(record)
    assert line.count(key[:11]) == 3 and line.count(path[:14]) >= 3
    assert key[11:] not in line and path[14:] not in line


def test_a_traceback_is_indented_below_its_entry(
    log: tuple[logging.Logger, io.StringIO],
) -> None:
    logger, written = log
    try:
        raise ValueError(f"boom\n{FORGED}\r{FORGED}\x1b[2K") from KeyError(f"x\n{FORGED}")
    except ValueError:
        logger.exception("A request crashed: %s", f"\n{FORGED}", stack_info=True)
    first, *others = written.getvalue().splitlines()
    assert ENTRY.match(first) and "\\n2026" in first
    assert [each for each in others if not each.startswith("    ")] == []
    assert any("ValueError: boom" in each for each in others)
    assert written.getvalue().isprintable() or "\x1b" not in written.getvalue()


def test_what_terminals_obey_and_what_turns_text_round_is_shown_by_its_number() -> None:
    for sign in (
        "\x1b[31m",
        "\x07",
        "\x08",
        "\x7f",
        "\x9b2J",
        "\u202e",
        "\u2066",
        "\ufeff",
        "\ud800",
    ):
        shown = escape(f"a{sign}b")
        assert shown.isprintable() and shown.isascii() and shown.startswith("a\\"), ascii(sign)
    for text in ("", "Zürich – 東京 🚀 'x'"):
        assert escape(text) == text
    assert escape("a\tb\\n") == "a\\tb\\\\n"  # Nothing can be taken for what it is not.


@pytest.mark.once
def test_no_request_forges_a_line_of_the_server(make_server: Callable[..., LiveServer]) -> None:
    """With gunicorn's access log on, which it is not by default, and all that it can say."""
    server = make_server(
        worker=False,
        WEB_CONCURRENCY="1",
        GUNICORN_LOG_LEVEL="debug",
        GUNICORN_CMD_ARGS="--access-logfile - --access-logformat '%(r)s|%(U)s|%(q)s|%(a)s|%(f)s'",
    )
    allowed = f"\x9b2J\x85{FORGED}".encode("latin-1")  # In a header (RFC 9110, 5.5: obs-text).
    signs = b"\x1b[2J\x7f" + allowed
    encoded = "%0d%0a" + FORGED.replace(" ", "%20") + "%1b[2J%e2%80%a8%c2%85"
    requests = (
        f"GET /{encoded}?{encoded} HTTP/1.1\r\nHost: x\r\nUser-Agent: u".encode() + allowed,
        f"GET /events/{encoded} HTTP/1.1\r\nHost: x\r\nReferer: ".encode() + allowed,
        b"GET / HTTP/1.1\r\nHost: x\r\nUser-Agent: u" + signs,
        b"GET /" + signs + b" HTTP/1.1\r\nHost: x",
        b"GET / HTTP/1.1\r\nHost: x\r\nX-Bad" + signs + b": 1",
        f"GET / HTTP/1.1\r\nHost: x\r\n {FORGED}".encode(),
        f"GET / HTTP/1.1\nHost: x\n{FORGED}".encode(),
        f"{FORGED}".encode(),
        f"PROXY {FORGED}".encode(),
    )
    for request in requests:
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
            connection.sendall(request + b"\r\nConnection: close\r\n\r\n")
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65_536):
                pass
    server.get("/last-of-all")
    wait_for(lambda: "/last-of-all" in server.log(), 30)
    text = (server.data_dir / "web.log").read_bytes().decode("utf-8")
    assert "forged" in text
    check_lines(text)


@pytest.mark.once
def test_no_event_forges_a_line_of_the_worker(
    make_server: Callable[..., LiveServer], app: Flask
) -> None:
    server = make_server(WEB_CONCURRENCY="1", worker=False)
    team = make_live_team(server)
    body = {"workflow_slug": team.slug, "ended_at": "2026-01-15T09:31:00Z"}
    answer = server.post("/api/v1/ingest/run-success", json=body, headers=team.headers)
    spoilt = {"ended_at": f"never\n{FORGED}\x1b[2J"}  # As a bug or a broken disk would.
    with app.app_context(), writing() as session:
        own = Event.public_id == answer.json()["event_id"]
        session.execute(update(Event.__table__).where(own).values(payload=spoilt))  # type: ignore[arg-type]
    server.start_worker()
    wait_for(lambda: "failed in attempt 1" in server.log(), 60)
    text = (server.data_dir / "worker.log").read_text("utf-8")
    assert "forged" in text
    check_lines(text)


def test_both_processes_write_so() -> None:
    """To their own output, and what any module of the application has to say."""
    program = (
        "import logging, app.log_lines; app.log_lines.log_to_stderr('worker');"
        "logging.getLogger('app.processing').warning('a\\nb')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert re.fullmatch(ENTRY.pattern + r"a\\nb\n", done.stderr), done.stderr


def check_lines(text: str) -> None:
    """No line is the forger's, and none has signs that a terminal obeys."""
    lines = re.split("[\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]", text)
    assert [each for each in lines if each.startswith(FORGED)] == []
    assert [ascii(each) for each in lines if not each.replace("\t", "").isprintable()] == []
