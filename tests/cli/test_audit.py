"""`audit list` and `audit export`."""

import csv
import io
import json

from app.extensions import writing
from app.workspaces.audit import note
from tests.cli.conftest import Run
from tests.factories import make_team


def test_the_newest_stand_first(run: Run) -> None:
    make_team()
    run("key", "create", "second")
    lines = run("audit", "list", "--limit", "2").output.splitlines()
    assert lines[0].split() == ["AT", "WHO", "WHAT", "ABOUT", "FROM"]
    assert "Command line" in lines[1] and "created the API key" in lines[1] and "second" in lines[1]
    assert len(lines) == 3
    (newest,) = json.loads(run("audit", "list", "--limit", "1", "--json").output)
    assert (newest["action"], newest["about"], newest["actor"]) == (
        "key_created",
        "second",
        "command line",
    )


def test_what_strangers_wrote_steers_no_terminal(run: Run) -> None:
    make_team()
    with writing() as session:
        note(session, "sign_in_refused", None, "\x1b[2Jeve@example.org")
    assert "\\x1b[2Jeve@example.org" in run("audit", "list").output
    assert "\x1b" not in run("audit", "export").output


def test_the_whole_log_as_a_file(run: Run) -> None:
    make_team()
    first = [json.loads(line) for line in run("audit", "export").output.splitlines()]
    assert [line["what"] for line in first][-1] == "workspace_created"
    rows = list(
        csv.DictReader(io.StringIO(run("audit", "export", "--format", "csv").stdout, newline=""))
    )
    assert rows[0]["what"] == "audit_exported" and len(rows) == len(first) + 1
