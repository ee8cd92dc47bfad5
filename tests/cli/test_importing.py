"""`import healthchecks` and `import n8n`, with documents as these two write them."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from app.extensions import db
from app.models import ApiKey, AuditEntry, Schedule, Workflow, WorkflowLabel
from app.workspaces.report_addresses import list_addresses
from app.workspaces.workflows import create_workflow
from tests.cli.conftest import Run
from tests.factories import Team, make_team

RECORDED = Path(__file__).parents[1] / "importing" / "recorded"
CHECKS, WORKFLOWS = RECORDED / "healthchecks.json", RECORDED / "n8n.json"


@pytest.fixture
def team(run: Run) -> Team:
    return make_team()


def imported() -> list[Workflow]:
    db.session.rollback()
    query = select(Workflow).where(Workflow.imported_from.is_not(None))
    return list(db.session.scalars(query.order_by(Workflow.id)))


def listed(run: Run, *arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run("import", *arguments, "--json").stdout)
    return found


def test_a_dry_run_of_checks_tells_all_and_makes_nothing(run: Run, team: Team) -> None:
    result = run("import", "healthchecks", str(CHECKS))
    assert imported() == []
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["ACTION", "NAME", "SLUG", "SCHEDULE", "LABELS", "ADDRESS"]
    assert "Every hour, 10 minutes of grace" in lines[1] and "5d1c8a3e…" in lines[1]
    assert "05:15" in lines[2] and "Europe/Berlin" in lines[2]
    for note in (
        "Filesystem Backup: Its description",
        "Filesystem Backup: Its filters of subjects",
        "Database Backup: Its limit to POST",
        "Database Backup: The slug 'database_backup' has to be 'database-backup' here.",
        "Its schedule: it is paused there.",
        "Last Friday: Its keywords in the body",
        "Check e81b6f42: Its manual resume",
        "OnCalendar is not read here",
    ):
        assert note in result.stdout
    assert "With --apply, 4 would be." in result.stderr
    assert "5d1c8a3e-94b7" not in result.stdout


def test_checks_become_workflows_once(run: Run, team: Team) -> None:
    result = run("import", "healthchecks", str(CHECKS), "--apply")
    assert "FLOWPULSE_COMPATIBILITY=1" in result.stderr
    made = imported()
    assert [(each.name, each.slug) for each in made[:2]] == [
        ("Filesystem Backup", "filesystem-backup"),
        ("Database Backup", "database-backup"),
    ]
    first, second, paused, _ = (
        db.session.scalar(select(Schedule).where(Schedule.workflow_id == each.id)) for each in made
    )
    assert first and (first.every_seconds, first.grace_seconds) == (3_600, 600)
    assert second and (second.cron_expression, second.time_zone) == ("15 5 * * *", "Europe/Berlin")
    assert paused is None
    query = select(WorkflowLabel.label).where(WorkflowLabel.workflow_id == made[1].id)
    assert set(db.session.scalars(query)) == {"db", "production"}
    assert [each.prefix for each in list_addresses(made[0])] == ["5d1c8a3e"]
    again = listed(run, "healthchecks", str(CHECKS), "--apply")
    assert {each["action"] for each in again} == {"there already"}
    assert len(imported()) == 4
    notes = select(AuditEntry).where(AuditEntry.what == "workflows_imported")
    (entry,) = db.session.scalars(notes)
    assert (entry.actor, entry.about, entry.details) == (
        "command line",
        "Healthchecks",
        {"workflows": 4},
    )


def test_a_read_only_list_first_and_the_addresses_later(
    run: Run, team: Team, tmp_path: Path
) -> None:
    """As a read-only key lists it: https://healthchecks.io/docs/api/#list-checks."""
    checks = json.loads(CHECKS.read_text())["checks"][:1]
    hidden = ("uuid", "ping_url", "update_url", "pause_url", "resume_url", "channels")
    shown = {name: value for name, value in checks[0].items() if name not in hidden}
    shown["unique_key"] = unique_key_of(checks[0]["uuid"])
    (tmp_path / "read-only.json").write_text(json.dumps({"checks": [shown]}))
    (told,) = listed(run, "healthchecks", str(tmp_path / "read-only.json"), "--apply")
    assert told["address"] is None and "read-only API key" in " ".join(told["notes"])
    assert listed(run, "healthchecks", str(CHECKS), "--apply")[0]["action"] == "add address"
    assert [each.prefix for each in list_addresses(imported()[0])] == ["5d1c8a3e"]


def unique_key_of(uuid: str) -> str:
    """As Healthchecks works it out: the SHA-1 of the first 16 digits."""

    return hashlib.sha1(uuid.replace("-", "")[:16].encode(), usedforsecurity=False).hexdigest()


def test_names_and_slugs_that_are_taken_get_a_number(run: Run, team: Team) -> None:
    create_workflow(team.workspace_id, "Filesystem Backup")
    first, *_ = listed(run, "healthchecks", str(CHECKS))
    assert (first["name"], first["slug"]) == ("Filesystem Backup 2", "filesystem-backup-2")
    assert any("'Filesystem Backup' is there" in note for note in first["notes"])


def test_an_address_that_is_in_use_stays_where_it_is(run: Run, team: Team) -> None:
    uuid = json.loads(CHECKS.read_text())["checks"][0]["uuid"]
    run("address", "create", team.slug, "--bring", f"https://hc-ping.com/{uuid}")
    first, *_ = listed(run, "healthchecks", str(CHECKS), "--apply")
    assert first["action"] == "make" and first["address"] is None
    assert len(db.session.scalars(select(ApiKey).where(ApiKey.prefix == uuid[:8])).all()) == 1


def test_workflows_of_n8n(run: Run, team: Team) -> None:
    result = run("import", "n8n", str(WORKFLOWS))
    assert "nextCursor" in result.stderr and imported() == []
    result = run("import", "n8n", str(WORKFLOWS), "--time-zone", "Europe/Paris", "--apply")
    for note in (
        "Nightly report: Its time zone is the server's: taken for Europe/Paris",
        "New order: No schedule: nothing in it starts it by the clock.",
        "Old one: It is archived there.",
    ):
        assert note in result.stdout
    made = imported()
    assert [(each.name, each.slug, each.imported_from) for each in made] == [
        ("Lead enrichment 2", "lead-enrichment-2", "n8n:k3Wq8ZtY0bLm5NsA"),
        ("Nightly report", "nightly-report", "n8n:Pz6RfG1dXo9JvCyE"),
        ("New order", "new-order", "n8n:Uw4TnB7hKe2MaSiD"),
    ]
    schedules = db.session.scalars(select(Schedule).order_by(Schedule.id)).all()
    assert [(each.cron_expression, each.time_zone) for each in schedules] == [
        ("*/15 * * * *", "Europe/Berlin"),
        ("0 3 * * *", "Europe/Paris"),
    ]
    again = listed(run, "n8n", str(WORKFLOWS), "--apply")
    assert [each["action"] for each in again] == ["there already"] * 3 + ["left out"]


def test_files_of_n8n_export(run: Run, team: Team, tmp_path: Path) -> None:
    """`--all` writes a list, `--separate` an object a file."""
    workflows = json.loads(WORKFLOWS.read_text())["data"]
    (tmp_path / "all.json").write_text(json.dumps(workflows[:2]))
    (tmp_path / "one.json").write_text(json.dumps(workflows[2]))
    told = listed(run, "n8n", str(tmp_path / "all.json"), str(tmp_path / "one.json"))
    assert [each["action"] for each in told] == ["make"] * 3


def test_hostile_files_end_in_one_line(run: Run, team: Team, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\x1b]0;x\x07")
    for arguments, reason in (
        (["healthchecks", str(tmp_path / "a")], "holds no JSON"),
        (["healthchecks", str(tmp_path / "none")], "No such file"),
        (["healthchecks", str(tmp_path)], "directory"),
        (["healthchecks", str(WORKFLOWS)], "not what was expected"),
        (["n8n", str(CHECKS)], "not what was expected"),
    ):
        result = run("import", *arguments, "--apply", exit_code=1)
        assert reason in result.stderr
        assert "\x1b" not in result.stderr and "Traceback" not in result.stderr
    run("import", "n8n", str(WORKFLOWS), "--time-zone", "Mars/Base", exit_code=2)
    run("import", "n8n", str(WORKFLOWS), "--grace", "1s", exit_code=2)
    assert imported() == []


def test_an_address_is_printed_alone(run: Run, team: Team) -> None:
    result = run("address", "create", team.slug)
    assert len(result.stdout.strip()) == 36 and "shown only now" in result.stderr
    assert len(run("address", "create").stdout.strip()) == 22
    run("address", "create", "no-such", exit_code=1)
    run("address", "create", team.slug, "--bring", "x", exit_code=1)
