"""Senders of other monitors, as their own documents have them, against the real server."""

import json
import re
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.apps import close_app, make_app
from tests.documents.blocks import ROOT, read_examples
from tests.server import LiveServer, test_environment, wait_for
from tests.teams import LiveTeam, make_live_team

pytestmark = pytest.mark.once  # Of what is sent both databases know: tests/ingest/.
PAGE = Path(__file__).parents[2] / "docs" / "moving.md"
RUN_ID = "123e4567-e89b-12d3-a456-426614174000"


@pytest.fixture(scope="module")
def server(share_server: Callable[..., LiveServer]) -> LiveServer:
    return share_server(FLOWPULSE_COMPATIBILITY="1")


@pytest.fixture(scope="module")
def team(server: LiveServer) -> LiveTeam:
    """The server's only one: the page's commands name no workspace."""
    return make_live_team(server)


def shell(script: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["sh", "-c", script], capture_output=True, text=True, timeout=60, check=False
    )


def call(server: LiveServer, *arguments: str) -> str:
    """What a command prints, which runs in this process on the server's database: a program of its
    own would take a second or two to start."""
    app = make_app(server.database_url, server.data_dir, FLOWPULSE_COMPATIBILITY=True)
    done = app.test_cli_runner().invoke(args=arguments)
    close_app(app)
    assert done.exit_code == 0, (arguments, done.output)
    return done.stdout.strip()


def make_workflow(server: LiveServer) -> tuple[str, str]:
    """The slug of a new workflow, and the secret of its address."""
    name = f"job-{uuid4().hex[:8]}"
    call(server, "workflow", "create", name)
    return name, call(server, "address", "create", name)


def ended_runs(server: LiveServer, team: LiveTeam, slug: str, count: int) -> list[dict[str, Any]]:
    """The workflow's runs, the newest first, once so many have ended."""

    def find() -> list[dict[str, Any]] | None:
        path = f"/api/v1/runs?limit=50&workflow={slug}"
        found = server.get(path, headers=team.headers).json()["data"]
        ended = [each for each in found if each["outcome"] != "running"]
        return ended if len(ended) >= count else None

    return list(wait_for(find, 20))


def test_the_lines_of_healthchecks_documents(server: LiveServer, team: LiveTeam) -> None:
    """https://healthchecks.io/docs/bash/, attaching_logs/, measuring_script_run_time/."""
    slug, uuid = make_workflow(server)
    url = f"{server.url}/ping/{uuid}"
    for line, printed in (
        (f"curl -m 10 --retry 5 -sS {url}", "OK"),
        (f"curl -fsS -m 10 --retry 5 -o /dev/null {url}", ""),
        (f"false; curl -m 10 --retry 5 -sS {url}/$?", "OK"),
        (
            f'm=$(echo out of space 2>&1); curl -fsS -m 10 --retry 5 --data-raw "$m" {url}/fail',
            "OK",
        ),
        (f"RID={RUN_ID}; curl -fsS -m 10 --retry 5 {url}/start?rid=$RID", "OK"),
        (f"RID={RUN_ID}; curl -fsS -m 10 --retry 5 {url}?rid=$RID", "OK"),
        (f"curl -fsS -m 10 --head {server.url}/{uuid} > /dev/null", ""),
    ):
        done = shell(line)
        assert (done.returncode, done.stdout) == (0, printed), (line, done.stderr)
    told = ended_runs(server, team, slug, 6)
    outcomes = [each["outcome"] for each in reversed(told)]
    assert outcomes == ["success", "success", "failure", "failure", "success", "success"]
    assert told[2]["error_message"] == "out of space"
    assert told[1]["external_execution_id"] == RUN_ID and told[1]["event_count"] == 2
    assert told[1]["duration_ms"] >= 0


def test_curl_ends_with_its_own_error_where_the_address_is_unknown(server: LiveServer) -> None:
    done = shell(f"curl -fsS -m 10 {server.url}/ping/{uuid4()}")
    assert done.returncode == 22 and "404" in done.stderr
    assert shell(f"curl -sS -m 10 {server.url}/ping/{uuid4()}").stdout == "not found"


def test_the_push_of_uptime_kuma_s_example(server: LiveServer, team: LiveTeam) -> None:
    """extra/push-examples/bash-curl/index.sh in its repository, once instead of for ever."""
    slug, token = make_workflow(server)
    done = shell(
        f'PUSH_URL="{server.url}/api/push/{token}?status=up&msg=OK&ping="\n'
        "curl -s -o /dev/null $PUSH_URL\n"
        f"curl -s '{server.url}/api/push/{token}?status=down&msg=no%20route&ping=12'"
    )
    assert done.stdout == '{"ok":true}'
    failed, succeeded = ended_runs(server, team, slug, 2)
    assert (failed["error_message"], failed["duration_ms"]) == ("no route", 12)
    assert succeeded["outcome"] == "success"


def test_the_lines_of_cronitor_s_documents(server: LiveServer, team: LiveTeam) -> None:
    """https://cronitor.io/docs/telemetry-api."""
    slug, _ = make_workflow(server)
    key = call(server, "address", "create")
    for state in ("run", "complete", "fail"):
        assert shell(f"curl -fsS {server.url}/p/{key}/{slug}?state={state}").stdout == "OK"
    assert [each["outcome"] for each in ended_runs(server, team, slug, 2)] == ["failure", "success"]


def commands() -> list[str]:
    """What the page says of FlowPulse's own command line, without what asks another server."""
    lines = re.findall(
        r"^ {4,}.*?\.venv/bin/flask --app wsgi (.+)$", PAGE.read_text(), re.MULTILINE
    )
    return [line for line in lines if "https://healthchecks.io" not in line]


def test_the_page_s_commands_work_as_they_stand(
    server: LiveServer, team: LiveTeam, tmp_path: Path
) -> None:
    recorded = Path(__file__).parents[1] / "importing" / "recorded"
    call(server, "workflow", "create", "Nightly backup")
    for line in commands():
        line = line.replace("checks.json", str(recorded / "healthchecks.json"))
        line = line.replace("workflows.json", str(recorded / "n8n.json"))
        call(server, *shlex.split(line))
    assert len(commands()) >= 8
    uuid = "5d1c8a3e-94b7-4f02-a6d9-3e7b1c5f8a20"
    for path in (
        f"/{uuid}",
        "/fqood6-f4mmnucenztu01w/nightly-backup",
        "/api/push/Xq2v9LbT7cKmR4sWzP0aYdEhJ6uN8fGi?status=up&msg=OK&ping=",
        "/p/0123456789abcdef0123456789abcdef/nightly-job?state=run",
    ):
        assert server.get(path).status_code == 200, path


def test_the_example_of_address_create_is_answered(server: LiveServer, team: LiveTeam) -> None:
    """As the command's help has it, on the server's own database."""
    (example,) = [code.text for code in read_examples() if "address create" in code.text]
    assert "curl " in example
    slug, _ = make_workflow(server)
    script = example.replace("nightly-backup", slug).replace(
        "https://flowpulse.example.org", server.url
    )
    done = subprocess.run(
        ["sh", "-euc", script],
        cwd=ROOT,
        env=test_environment(
            server.data_dir, server.database_url, server.port, FLOWPULSE_COMPATIBILITY="1"
        ),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "OK"), done.stderr
    (run,) = ended_runs(server, team, slug, 1)
    assert run["outcome"] == "success"


def test_an_import_from_a_file_and_its_addresses(
    server: LiveServer, team: LiveTeam, tmp_path: Path
) -> None:
    """The whole way: the list, the import, and the old sender with a new host name."""
    uuid = str(uuid4())
    check = {
        "name": "Moved",
        "slug": "moved",
        "tags": "",
        "grace": 300,
        "timeout": 3600,
        "uuid": uuid,
    }
    (tmp_path / "checks.json").write_text(json.dumps({"checks": [check]}))
    call(server, "import", "healthchecks", str(tmp_path / "checks.json"), "--apply")
    assert shell(f"curl -fsS {server.url}/{uuid}/0").stdout == "OK"
    (run,) = ended_runs(server, team, "moved", 1)
    assert run["outcome"] == "success"
