"""What people paste really works: run by sh, Python, Node and curl against the real server.

What the nodes for n8n send is in tests/integrations.
"""

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests
from flask import Flask

from app.console.snippet_parts import PLACEHOLDER, Part, Target
from app.console.snippets import TOOLS
from tests.ports import free_port
from tests.server import LiveServer, wait_for
from tests.teams import LiveTeam

AWKWARD = "He said \"no\": C:\\new\\table\nline two\ttabbed\n{{ $json }} }} 'single' ü€ ✓"
Done = subprocess.CompletedProcess[str]
Job = Callable[[Part, Path, str], Done]
pytestmark = pytest.mark.once  # A snippet does not know which database the server has.
SHELLS = ("bash", "dash")
needs_node = pytest.mark.needs("node")
needs_shells = pytest.mark.needs(*SHELLS, "curl")


@pytest.fixture
def drawing_app(make_app: Any) -> Iterator[Flask]:
    app = make_app()
    with app.app_context():
        yield app


@pytest.fixture
def target(drawing_app: Flask, live_server: LiveServer, live_team: LiveTeam) -> Target:
    return Target(live_server.url, live_team.workflow_id, live_team.slug, live_team.key)


def parts_of(tool: str, target: Target) -> dict[str, Part]:
    return {part.id: part for part in TOOLS[tool].make_parts(target)}


def newest_id(server: LiveServer, team: LiveTeam) -> str | None:
    events = server.get("/api/v1/events?limit=1", headers=team.headers).json()["data"]
    return events[0]["event_id"] if events else None


def newest_run(server: LiveServer, team: LiveTeam, before: str | None) -> dict[str, Any]:
    """The run of the event that came after the one with the id `before`."""

    def find() -> dict[str, Any] | None:
        events = server.get("/api/v1/events?limit=1", headers=team.headers).json()["data"]
        if not events or events[0]["event_id"] == before or not events[0]["run_id"]:
            return None
        run = server.get(f"/api/v1/runs/{events[0]['run_id']}", headers=team.headers).json()
        return {**run, "warnings": events[0]["warnings"]}

    return dict(wait_for(find, 10))


def run(command: list[str], folder: Path, stdin: str | None = None) -> Done:
    return subprocess.run(
        command, cwd=folder, input=stdin, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("name", TOOLS)
def test_every_snippet_names_the_server_the_workflow_and_the_key(
    drawing_app: Flask, name: str
) -> None:
    target = Target("https://flow.example.org", "w" * 24, "lead-enrichment", "fp_" + "k" * 36)
    drawn = repr(TOOLS[name].make_parts(target))
    assert "https://flow.example.org/api/v1/" in drawn
    assert target.workflow_id in drawn or target.slug in drawn
    assert target.key in drawn
    without = repr(TOOLS[name].make_parts(Target("https://x.example", "w" * 24, "lead")))
    assert PLACEHOLDER in without


@pytest.mark.parametrize("name", TOOLS)
def test_a_snippet_is_not_broken_by_a_hostile_address(drawing_app: Flask, name: str) -> None:
    """The address may come from the Host header of a request."""
    target = Target("http://x'$(touch pwned)`\"\\", "w" * 24, "lead")
    for part in TOOLS[name].make_parts(target):
        if part.filename == "flowpulse.py":
            compile(part.code, part.filename, "exec")
        if part.filename in ("install", "commands", "ping"):
            check = ["sh", "-n"]
            assert subprocess.run(check, input=part.code, text=True, check=False).returncode == 0


# --- n8n ------------------------------------------------------------------------------------------


def n8n_nodes(target: Target, part: str) -> dict[str, Any]:
    return dict(json.loads(parts_of("n8n", target)[part].code))


@pytest.mark.parametrize(
    ("part", "event"), [("success", "run-success"), ("failure", "run-failure")]
)
def test_n8n_nodes_have_the_form_that_n8n_pastes(target: Target, part: str, event: str) -> None:
    pasted = n8n_nodes(target, part)
    assert set(pasted) >= {"nodes", "connections"}
    report, node = pasted["nodes"][-2:]
    assert (node["type"], node["typeVersion"]) == ("n8n-nodes-base.httpRequest", 4.2)
    parameters = node["parameters"]
    assert (parameters["method"], parameters["url"]) == ("POST", f"{target.ingest_url}/{event}")
    assert (parameters["sendBody"], parameters["specifyBody"]) == (True, "json")
    key, once = parameters["headerParameters"]["parameters"]
    assert key == {"name": "X-API-Key", "value": target.key}
    assert once == {"name": "Idempotency-Key", "value": "={{ $json.idempotency_key }}"}
    assert parameters["jsonBody"] == "={{ JSON.stringify($json.body) }}"
    assert (node["retryOnFail"], node["onError"]) == (True, "continueRegularOutput")
    assert report["executeOnce"] is True
    expression = report["parameters"]["jsonOutput"]
    assert expression.startswith("={{ JSON.stringify(")
    assert target.workflow_id in expression
    assert expression.index("}}") == len(expression) - 2, "n8n would end the expression there"


def test_the_n8n_error_workflow_begins_with_the_error_trigger(target: Target) -> None:
    pasted = n8n_nodes(target, "failure")
    trigger, report, _ = pasted["nodes"]
    assert trigger["type"] == "n8n-nodes-base.errorTrigger"
    [[link]] = pasted["connections"][trigger["name"]]["main"]
    assert link == {"node": report["name"], "type": "main", "index": 0}


def test_curls_pieces_have_no_empty_line_and_show_no_progress(target: Target) -> None:
    for part in parts_of("http", target).values():
        assert part.code.startswith("curl -sS ") and "\n\n" not in part.code
        assert "\n  }' || true\n" in part.code


# --- Make and Zapier ------------------------------------------------------------------------------


def test_make_evaluates_all_states_as_errors_and_escapes_messages(target: Target) -> None:
    for part in parts_of("make", target).values():
        settings = dict(part.settings)
        assert settings["Evaluate all states as errors (except for 2xx and 3xx)"] == "ticked"
        assert (settings["Body type"], settings["Method"]) == ("Raw", "POST")
        assert settings["Header X-API-Key"] == target.key
    failure = parts_of("make", target)["failure"]
    assert "error_message" in json.loads(failure.code)


def test_what_make_sends_is_taken(
    target: Target, live_server: LiveServer, live_team: LiveTeam
) -> None:
    text = parts_of("make", target)["success"].code
    function = text[text.index("{{formatDate") : text.index("}}") + 2]
    filled = text.replace(function, "2026-01-15T09:31:00+00:00").replace("{{var.execution.id}}", "")
    sent = live_server.post(
        "/api/v1/ingest/run-success",
        data=filled,
        headers=live_team.headers | {"Content-Type": "application/json"},
    )
    assert sent.status_code == 202, sent.text
    assert "warnings" not in sent.json()


def test_what_zapier_sends_is_taken(
    target: Target, live_server: LiveServer, live_team: LiveTeam
) -> None:
    for part in parts_of("zapier", target).values():
        settings = dict(part.settings)
        assert (settings["Payload type"], settings["Unflatten"]) == ("json", "no")
        data = {k.removeprefix("Data "): v for k, v in part.settings if k.startswith("Data ")}
        data["ended_at"] = "2026-01-15T18:07:48+00:00"
        headers = {"X-API-Key": settings["Header X-API-Key"]}
        sent = requests.post(settings["URL"], json=data, headers=headers, timeout=10)
        assert sent.status_code == 202, sent.text
        assert "warnings" not in sent.json()


# --- scripts --------------------------------------------------------------------------------------


def save(part: Part, folder: Path) -> Path:
    path = folder / part.filename
    path.write_text(part.code)
    path.chmod(0o700)
    return path


@pytest.fixture
def home(target: Target, tmp_path: Path) -> Path:
    """The home where the commands of the first part have put the wrapper."""
    code = parts_of("cron", target)["wrapper"].code
    done = run(["sh", "-ec", f"HOME={tmp_path}\n{code}"], tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / ".local/bin/flowpulse-run").is_file()
    return tmp_path


@needs_shells
@pytest.mark.parametrize(("which", "outcome"), [(2, "success"), (3, "failure")])
def test_the_wrapper_is_fetched_and_reports(
    target: Target,
    home: Path,
    live_server: LiveServer,
    live_team: LiveTeam,
    which: int,
    outcome: str,
) -> None:
    lines = parts_of("cron", target)["cron"].code.splitlines()
    before = newest_id(live_server, live_team)
    code = "\n".join([f"HOME={home}", *lines[:2], lines[which]])
    assert run(["sh", "-c", code], home).returncode == which - 2
    report = newest_run(live_server, live_team, before)
    assert (report["outcome"], report["source_platform"]) == (outcome, "cron")
    assert report["warnings"] is None


@needs_shells
@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(("job", "outcome"), [("true", "success"), ("(exit 7)", "failure")])
def test_a_ping_tells_the_exit_status(
    target: Target,
    tmp_path: Path,
    live_server: LiveServer,
    live_team: LiveTeam,
    job: str,
    outcome: str,
    shell: str,
) -> None:
    before = newest_id(live_server, live_team)
    code = parts_of("cron", target)["ping"].code.replace("/path/to/job", job)
    done = run([shell, "-c", f"set -eu\n{code}"], tmp_path)
    status = 7 if outcome == "failure" else 0
    assert (done.returncode, done.stdout, done.stderr) == (status, "", "")
    report = newest_run(live_server, live_team, before)
    assert report["outcome"] == outcome
    assert report["error_type"] == ("exit status 7" if outcome == "failure" else None)


@needs_shells
def test_an_outage_changes_nothing_about_a_job_with_a_ping(
    drawing_app: Flask, tmp_path: Path
) -> None:
    target = Target(f"http://127.0.0.1:{free_port()}", "w" * 24, "lead", "fp_" + "k" * 36)
    code = parts_of("cron", target)["ping"].code
    scripts = [
        [shell, "-c", f"{options}\n{code.replace('/path/to/job', job)}\necho after $?"]
        for shell in SHELLS
        for options in ("set -eu", "true")
        for job in ("echo job", "(exit 7)")
    ]
    with ThreadPoolExecutor(len(scripts)) as pool:  # curl waits between its tries.
        done = list(pool.map(lambda command: run(command, tmp_path), scripts))
    told = [(each.returncode, each.stdout) for each in done]
    assert told == len(SHELLS) * [
        (0, "job\nafter 0\n"),
        (7, ""),
        (0, "job\nafter 0\n"),
        (0, "after 7\n"),
    ]
    assert all("curl" in each.stderr for each in done)


@pytest.fixture
def unkind_server() -> Iterator[str]:
    """Takes nothing: answers 400 to everything."""

    class Refuse(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(400)
            self.end_headers()
            self.wfile.write(b'{"title": "Validation failed"}')

        def log_message(self, *arguments: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Refuse)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def python_job(part: Part, folder: Path, job: str) -> Done:
    save(part, folder)
    script = (
        f"import sys\nfrom flowpulse import watched\nwith watched():\n    {job}\nprint('after')\n"
    )
    return run([sys.executable, "-c", script], folder)


def test_the_python_file_reports_what_the_block_came_to(
    target: Target, live_server: LiveServer, live_team: LiveTeam, tmp_path: Path
) -> None:
    part = parts_of("python", target)["module"]
    for job, outcome, message in (
        ("print('job')", "success", None),
        ("sys.exit(0)", "success", None),
        ("sys.exit(4)", "failure", "4"),
        (f"raise ValueError({AWKWARD!r})", "failure", AWKWARD),
        ("raise ValueError('\\ud800')", "failure", "\N{REPLACEMENT CHARACTER}"),
        ("raise type('Odd', (Exception,), {'__str__': lambda self: 1 / 0})", "failure", "Odd"),
        ("raise type('Odd', (Exception,), {'__str__': lambda self: None})", "failure", "Odd"),
    ):
        before = newest_id(live_server, live_team)
        done = python_job(part, tmp_path, job)
        assert "FlowPulse did not" not in done.stderr
        assert "Odd" not in job or "<string>" in done.stderr.splitlines()[1], done.stderr
        assert "ZeroDivisionError" not in done.stderr, done.stderr
        report = newest_run(live_server, live_team, before)
        assert (report["outcome"], report["error_message"]) == (outcome, message), job
    assert run([sys.executable, "flowpulse.py"], tmp_path).stdout == "Your job goes here.\n"


def test_the_python_file_never_raises(
    drawing_app: Flask, unkind_server: str, tmp_path: Path
) -> None:
    for done in run_refused("python", python_job, "print('job')", unkind_server, tmp_path):
        assert (done.returncode, done.stdout) == (0, "job\nafter\n"), done.stderr
        assert "FlowPulse did not take the report" in done.stderr


def run_refused(tool: str, start: Job, job: str, unkind_server: str, folder: Path) -> list[Done]:
    """A job whose reports come to nothing, in four ways at once: each tries again for 4 s."""
    down = f"http://127.0.0.1:{free_port()}"
    ways = [(down, "k"), (unkind_server, "k"), ("nonsense", "k"), (down, "schlüssel\n")]
    parts = [parts_of(tool, Target(url, "w" * 24, "lead", key))["module"] for url, key in ways]
    folders = [folder / str(number) for number in range(len(ways))]
    for each in folders:
        each.mkdir()
    with ThreadPoolExecutor() as threads:
        return list(threads.map(start, parts, folders, [job] * len(ways)))


def node_job(part: Part, folder: Path, job: str) -> Done:
    save(part, folder)
    script = (
        f"import {{ watched }} from './flowpulse.mjs';\nawait watched(async () => {{ {job} }});\n"
    )
    (folder / "job.mjs").write_text(script + "console.log('after');\n")
    return run(["node", "job.mjs"], folder)


@needs_node
def test_the_node_file_reports_what_the_job_came_to(
    target: Target, live_server: LiveServer, live_team: LiveTeam, tmp_path: Path
) -> None:
    part = parts_of("node", target)["module"]
    for job, status, outcome, message in (
        ("console.log('job');", 0, "success", None),
        (f"throw new TypeError({json.dumps(AWKWARD)});", 1, "failure", AWKWARD),
        ("throw 'a text';", 1, "failure", "a text"),
        ("throw Object.create(null);", 1, "failure", "The job failed without a message"),
        ("throw { get message() { throw 1; } };", 1, "failure", "The job failed without a message"),
        ("throw { name: 7n, message: 'odd' };", 1, "failure", "odd"),
    ):
        before = newest_id(live_server, live_team)
        done = node_job(part, tmp_path, job)
        assert (done.returncode, "FlowPulse did not" in done.stderr) == (status, False), done.stderr
        report = newest_run(live_server, live_team, before)
        assert (report["outcome"], report["error_message"]) == (outcome, message), job
    assert run(["node", "flowpulse.mjs"], tmp_path).stdout == "Your job goes here.\n"


@needs_node
@pytest.mark.parametrize("options", [[], ["--preserve-symlinks-main"]])
def test_the_node_file_runs_through_a_link_too(
    target: Target, live_server: LiveServer, live_team: LiveTeam, tmp_path: Path, options: list[str]
) -> None:
    save(parts_of("node", target)["module"], tmp_path)
    (tmp_path / "nightly.mjs").symlink_to("flowpulse.mjs")
    before = newest_id(live_server, live_team)
    done = run(["node", *options, "nightly.mjs"], tmp_path)
    assert (done.returncode, done.stdout) == (0, "Your job goes here.\n"), done.stderr
    assert newest_run(live_server, live_team, before)["outcome"] == "success"


@needs_node
def test_the_node_file_can_be_imported_where_no_script_was_started(
    target: Target, tmp_path: Path
) -> None:
    save(parts_of("node", target)["module"], tmp_path)
    script = "const { report } = await import('./flowpulse.mjs'); console.log(typeof report);"
    for started in (["--input-type=module", "-e", script], ["--input-type=module", "-"]):
        done = run(["node", *started], tmp_path, script if "-e" not in started else None)
        assert (done.returncode, done.stdout) == (0, "function\n"), done.stderr


@needs_node
def test_the_node_file_never_throws(drawing_app: Flask, unkind_server: str, tmp_path: Path) -> None:
    for done in run_refused("node", node_job, "console.log('job');", unkind_server, tmp_path):
        assert (done.returncode, done.stdout) == (0, "job\nafter\n"), done.stderr
        assert "FlowPulse did not take the report" in done.stderr


@needs_shells
@pytest.mark.parametrize(("part", "outcome"), [("success", "success"), ("failure", "failure")])
def test_the_curl_commands_work_when_pasted_into_a_shell(
    target: Target,
    live_server: LiveServer,
    live_team: LiveTeam,
    tmp_path: Path,
    part: str,
    outcome: str,
) -> None:
    before = newest_id(live_server, live_team)
    done = run(["sh", "-c", parts_of("http", target)[part].code], tmp_path)
    assert json.loads(done.stdout)["status"] == "accepted", done.stdout
    report = newest_run(live_server, live_team, before)
    assert (report["outcome"], report["warnings"]) == (outcome, None)
