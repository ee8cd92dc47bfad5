#!/usr/bin/env python3
"""Runs a command and tells FlowPulse when it started and how it ended.

    export FLOWPULSE_URL=https://flowpulse.example.org FLOWPULSE_API_KEY=fp_...
    flowpulse-run my-workflow -- /path/to/job --with its arguments

One file, Python 3.8 or newer, no packages. The command's output passes through as it comes, and its
last 10 KB are sent along. Its exit status and the signals it gets and dies of stay as they are,
whatever becomes of the report: an outage of FlowPulse holds its end up for 5 seconds at most.
"""

import json
import os
import re
import resource
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid
from datetime import datetime, timezone

TAIL_BYTES = 10 * 1024
REQUEST_SECONDS = 3
LAST_SECONDS = 5
START_SECONDS = 60
PAUSE_SECONDS = 0.5
PASSED_ON = ("SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGALRM")
FROM_KEYBOARD = ("SIGINT", "SIGQUIT")
ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def main(arguments):
    if len(arguments) < 2 or arguments[0].startswith("-"):
        say("usage: flowpulse-run WORKFLOW-SLUG -- COMMAND [ARGUMENT ...]")
        return 2
    slug, command = arguments[0], arguments[1:]
    if command[0] == "--":
        command = command[1:]
    if not command:
        say("there is no command behind --")
        return 2
    job = Job(command)
    reporter = Reporter(slug)
    reporter.start()
    status = job.run()
    reporter.end(status, job.text())
    job.let_go()
    return status


class Reporter:
    """Sends the two events. Nothing here may hold up or end the job."""

    def __init__(self, slug):
        self.url = os.environ.get("FLOWPULSE_URL", "").strip().rstrip("/")
        self.key = os.environ.get("FLOWPULSE_API_KEY", "").strip()
        self.execution = uuid.uuid4().hex
        self.begun = time.monotonic()
        self.run = {
            "workflow_slug": slug,
            "external_execution_id": self.execution,
            "source_platform": "cron",
            "started_at": utc_now(),
        }
        self.sending = []
        self.has_ended = threading.Event()
        if not self.url.startswith(("http://", "https://")) or not self.key:
            self.url = ""
            say("FLOWPULSE_URL (https://...) or FLOWPULSE_API_KEY is not set: nothing is reported")

    def start(self):
        """Tried again beside the job, until it ends: what tells the end tells the start too."""
        self._send_aside("run-start", self.run, time.monotonic() + START_SECONDS, self.has_ended)

    def end(self, status, output):
        deadline = time.monotonic() + LAST_SECONDS
        duration = round((time.monotonic() - self.begun) * 1000, 3)
        told = dict(self.run, ended_at=utc_now(), duration_ms=duration)
        told["metadata"] = {"exit_status": as_exit_status(status), "host": socket.gethostname()}
        kind = "run-success"
        if status == 0 and output:
            told["metadata"]["message"] = output
        elif status != 0:
            kind = "run-failure"
            told["error_type"] = describe(status)
            told["error_message"] = output or f"The command ended with {describe(status)}."
        self.has_ended.set()
        self._send_aside(kind, told, deadline, threading.Event())
        for thread in self.sending:
            thread.join(max(0.0, deadline - time.monotonic()))
        if self.sending and self.sending[-1].is_alive():
            say("FlowPulse did not answer in time; the report may be lost")

    def _send_aside(self, kind, fields, deadline, stop):
        if not self.url:
            return
        thread = threading.Thread(
            target=self._send, args=(kind, fields, deadline, stop), daemon=True
        )
        try:
            thread.start()
        except (RuntimeError, MemoryError) as error:  # As many run as this user may have.
            say(f"the {kind[4:]} can't be sent: {error}")
        else:
            self.sending.append(thread)

    def _send(self, kind, fields, deadline, stop):
        pause = PAUSE_SECONDS
        while True:
            said = self._try(kind, json.dumps(fields).encode())
            if said is None:
                return
            if not said[0] or time.monotonic() + pause > deadline or stop.wait(pause):
                break  # The same again would be refused again, or come too late.
            pause *= 2
        say(f"the {kind[4:]} was not taken: {said[1]}")

    def _try(self, kind, body):
        """None once it is taken; else whether to try again, and why it was not."""
        try:
            request = urllib.request.Request(
                self.url + "/api/v1/ingest/" + kind,
                data=body,
                headers={
                    "X-API-Key": self.key,
                    "Content-Type": "application/json",
                    "Idempotency-Key": f"{self.execution}-{kind}",
                    "User-Agent": "flowpulse-run",
                },
            )
            opener = urllib.request.build_opener(NoRedirects)
            opener.open(request, timeout=REQUEST_SECONDS).close()
            return None
        except urllib.error.HTTPError as error:
            return error.code >= 500 or error.code == 429, read_refusal(error)
        except (
            Exception
        ) as error:  # An unusable address, no network, a time-out, a bad certificate.
            return True, str(error) or type(error).__name__


class NoRedirects(urllib.request.HTTPRedirectHandler):
    """The key is for one server only."""

    def redirect_request(self, *arguments):
        return None


class Job:
    """The command: its output is passed on, its signals too."""

    def __init__(self, command):
        self.command = command
        self.process = None
        self.early = []
        self.tail = bytearray()
        self.given = list_inherited()
        self.closed = fill_closed()
        self.selector = selectors.DefaultSelector()

    def run(self):
        """The exit status; minus the number of the signal that it died of."""
        wake, waker = os.pipe()
        for end in (wake, waker):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        for name in PASSED_ON:
            number = getattr(signal, name)
            if signal.getsignal(number) != signal.SIG_IGN:  # As under nohup.
                signal.signal(number, self._pass_on)
        try:
            self.process = subprocess.Popen(
                self.command,
                stdout=None if 1 in self.closed else subprocess.PIPE,
                stderr=None if 2 in self.closed else subprocess.PIPE,
                bufsize=0,
                close_fds=False,
            )
        except OSError as error:
            text = f"{self.command[0]}: {error.strerror}"
            self._note(text.encode("utf-8", "replace"))
            say(text)
            return 127 if isinstance(error, FileNotFoundError) else 126
        for number in self.given:
            os.close(number)  # The job's alone: who reads from it is to see when the job lets go.
        for number in self.early:
            self._pass_on(number, None)
        self.selector.register(wake, selectors.EVENT_READ, None)
        for number, source in ((1, self.process.stdout), (2, self.process.stderr)):
            if source is not None:
                self.selector.register(source, selectors.EVENT_READ, number)
        while self.process.poll() is None:
            self._pump(None)
        self.selector.unregister(wake)
        while self._pump(0):
            pass
        return self.process.returncode

    def _pass_on(self, number, frame):
        if self.process is None:
            self.early.append(number)
            return
        if self.process.returncode is not None:
            return
        if signal.Signals(number).name in FROM_KEYBOARD and is_in_foreground():
            return  # The terminal has sent it to the command as well.
        try:
            os.kill(self.process.pid, number)
        except ProcessLookupError:
            pass

    def _pump(self, seconds):
        """Pass on what has come; whether anything has."""
        found = False
        for key, _ in self.selector.select(seconds):
            chunk = os.read(key.fd, 65536)
            if key.data is None:
                continue
            found = found or bool(chunk)
            self._note(chunk)
            if not chunk or not write_all(key.data, chunk):
                # At its end; or nobody reads any more, which the command is to notice.
                self.selector.unregister(key.fileobj)
                key.fileobj.close()
        return found

    def _note(self, chunk):
        self.tail += chunk
        del self.tail[:-TAIL_BYTES]

    def text(self):
        """The end of the output, without colours and control characters."""
        text = self.tail.decode("utf-8", "replace").lstrip("\N{REPLACEMENT CHARACTER}")
        text = ESCAPES.sub("", text).replace("\r\n", "\n").replace("\r", "\n")
        return CONTROLS.sub("", text).strip()

    def let_go(self):
        """What the command has left running may still write: a process of its own passes it on."""
        if not self._is_open():
            return
        try:
            is_own = os.fork() == 0
        except OSError as error:  # As many run as this user may have.
            say(f"what the command has left running is not passed on: {error.strerror}")
            return
        if is_own:
            while self._is_open():
                self._pump(None)
            os._exit(0)

    def _is_open(self):
        return any(key.data for key in self.selector.get_map().values())


def list_inherited():
    """Descriptors of whoever started this, beside the first three; Python's own end at an exec."""
    try:
        numbers = [int(name) for name in os.listdir("/dev/fd")]
    except OSError:
        return []
    return [number for number in numbers if number > 2 and is_inherited(number)]


def is_inherited(number):
    try:
        return os.get_inheritable(number)
    except OSError:  # It was the folder's own, while it was listed.
        return False


def fill_closed():
    """Those of the first three that are closed: from here on they lead nowhere, so that nothing
    else takes their places, and are closed to the command."""
    closed = [number for number in range(3) if not is_inherited(number)]
    for _ in closed:
        os.open(os.devnull, os.O_RDWR)
    return closed


def write_all(target, chunk):
    """Whether all could be written."""
    while chunk:
        try:
            chunk = chunk[os.write(target, chunk) :]
        except BlockingIOError:
            time.sleep(0.01)
        except OSError:
            return False
    return True


def is_in_foreground():
    try:
        return os.tcgetpgrp(0) == os.getpgrp()
    except OSError:
        return False


def read_refusal(error):
    try:
        answer = json.loads(error.read(65536))
        return f"{error.code} {answer['code']}: {answer['detail']}"
    except Exception:
        return f"{error.code} {error.reason}"


def describe(status):
    if status >= 0:
        return f"exit status {status}"
    try:
        return "signal " + signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"


def as_exit_status(status):
    """As a shell tells it."""
    return status if status >= 0 else 128 - status


def utc_now():
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")


def say(text):
    write_all(2, f"flowpulse-run: {text}\n".encode("utf-8", "replace"))


def leave(status):
    """End as the command has ended: by the same signal, if it died of one."""
    if status < 0:
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
        try:
            signal.signal(-status, signal.SIG_DFL)
        except OSError:
            pass  # SIGKILL can't be set, nor need it be.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [-status])
        os.kill(os.getpid(), -status)
    os._exit(as_exit_status(status))


if __name__ == "__main__":
    leave(main(sys.argv[1:]))
