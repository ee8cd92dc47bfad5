"""`key create`, `key list` and `key revoke`."""

import json
from datetime import timedelta

import pytest
from flask.testing import FlaskClient

from app.clock import now
from app.extensions import db, writing
from app.keys import is_well_formed
from app.models import ApiKey
from tests.cli.conftest import Run
from tests.factories import Team, make_team, success


@pytest.fixture
def team(run: Run) -> Team:
    return make_team()


def send(client: FlaskClient, team: Team, key: str) -> int:
    headers = {"X-API-Key": key}
    answer = client.post("/api/v1/ingest/run-success", json=success(team), headers=headers)
    return int(answer.status_code)


def find(name: str) -> ApiKey:
    return ApiKey.query.filter_by(name=name, revoked_at=None).one()


def test_the_key_stands_alone_on_standard_output_and_works(
    run: Run, team: Team, client: FlaskClient
) -> None:
    result = run("key", "create", "make-prod")
    key = result.stdout.removesuffix("\n")
    assert is_well_formed(key)
    assert key not in result.stderr and "make-prod" in result.stderr
    assert send(client, team, key) == 202
    assert client.get("/api/v1/workflows", headers={"X-API-Key": key}).status_code == 200


def test_a_key_with_one_scope_opens_no_more(run: Run, team: Team, client: FlaskClient) -> None:
    key = run("key", "create", "reader", "--scope", "read").stdout.strip()
    assert send(client, team, key) == 403
    both = run("key", "create", "both", "--scope", "read", "--scope", "ingest", "--json").stdout
    assert json.loads(both)["scopes"] == ["ingest", "read"]
    run("key", "create", "none", "--scope", "all", exit_code=2)


def test_a_key_expires_when_it_should(run: Run, team: Team) -> None:
    for period, days in (("90d", 90), ("12H", 0.5), ("2w", 14)):
        before, length = now(), timedelta(days=days)
        run("key", "create", period, "--expires-in", period)
        expires_at = find(period).expires_at
        assert expires_at and before + length <= expires_at <= now() + length


def test_a_senseless_period_is_wrong_use(run: Run) -> None:
    for period in ("90", "0d", "-1d", "d", "90 days", "9999999999w", "٣d", ""):
        result = run("key", "create", "short", f"--expires-in={period}", exit_code=2)
        assert "such as 90d" in result.stderr


def test_json_holds_the_key_and_what_it_may(run: Run, team: Team) -> None:
    answer = json.loads(run("key", "create", "make-prod", "--json").stdout)
    assert is_well_formed(answer["key"])
    assert answer["key"].startswith(answer["prefix"])
    assert answer["expires_at"] is None


def test_a_taken_name_is_refused(run: Run, team: Team) -> None:
    result = run("key", "create", "n8n-prod", exit_code=1)
    assert (result.stdout, result.stderr) == ("", "Error: Another key has the name n8n-prod.\n")


def test_the_list_shows_no_key(run: Run, team: Team) -> None:
    printed = run("key", "list").stdout + run("key", "list", "--json").stdout
    assert team.key[:11] in printed
    assert team.key not in printed
    assert find("n8n-prod").key_hash not in printed


@pytest.mark.parametrize("length", [None, 11, 9, 39])
def test_a_revoked_key_opens_nothing_from_then_on(
    run: Run, team: Team, client: FlaskClient, length: int | None
) -> None:
    assert send(client, team, team.key) == 202
    printed = run("key", "revoke", team.key[:length] if length else "n8n-prod").stdout
    assert printed.split("\t")[1:] == [team.key[:11], "n8n-prod\n"]
    assert send(client, team, team.key) == 401
    assert "n8n-prod" not in run("key", "list").stdout
    assert "n8n-prod" in run("key", "list", "--revoked").stdout
    assert "No live key" in run("key", "revoke", "n8n-prod", exit_code=1).stderr


def test_an_unknown_key_is_not_found(run: Run, team: Team) -> None:
    for unknown in ("nothing", "fp_", "fp_%", "", "\x1b[31m"):
        result = run("key", "revoke", unknown, exit_code=1)
        assert "No live key" in result.stderr and "\x1b" not in result.stderr
    assert find("n8n-prod")


def test_a_prefix_of_several_keys_revokes_none_and_lists_them(run: Run, team: Team) -> None:
    run("key", "create", "second")
    with writing():
        for name, prefix in (("n8n-prod", "fp_same0001"), ("second", "fp_same0002")):
            find(name).prefix = prefix
    result = run("key", "revoke", "fp_same", exit_code=1)
    assert "fp_same0001  n8n-prod" in result.stderr and "fp_same0002  second" in result.stderr
    assert find("n8n-prod") and find("second")
    run("key", "revoke", "fp_SAME0002", exit_code=1)
    run("key", "revoke", "fp_same0002")
    db.session.rollback()
    assert find("n8n-prod")


def test_a_key_may_be_limited_to_workflows(run: Run, team: Team, client: FlaskClient) -> None:
    other = json.loads(run("workflow", "create", "Invoice sync", "--json").stdout)
    limits = ("--workflow", other["slug"])
    key = run("key", "create", "invoices", *limits).stdout.strip()
    assert send(client, team, key) == 403
    both = run("key", "create", "both", *limits, "--workflow", team.workflow_public_id, "--json")
    made = json.loads(both.stdout)
    assert made["workflows"] == [other["slug"], team.slug]
    assert send(client, team, made["key"]) == 202
    assert "No workflow has the slug or id nope" in (
        run("key", "create", "third", "--workflow", "nope", exit_code=1).stderr
    )
    table = run("key", "list").stdout
    assert "ingest read  all" in table and f"{other['slug']} {team.slug}" in table
    listed = {
        each["name"]: each["workflows"] for each in json.loads(run("key", "list", "--json").stdout)
    }
    assert listed["n8n-prod"] is None and listed["invoices"] == [other["slug"]]


def test_a_rotated_key_is_printed_alone_and_the_old_one_works_on(
    run: Run, team: Team, client: FlaskClient
) -> None:
    before = now()
    result = run("key", "rotate", "n8n-prod", "--keep-old", "7d")
    key = result.stdout.removesuffix("\n")
    assert is_well_formed(key) and key not in result.stderr
    assert "n8n-prod (old) and works until" in result.stderr
    assert send(client, team, key) == send(client, team, team.key) == 202
    old, new = find("n8n-prod (old)"), find("n8n-prod")
    assert new.replaces_id == old.id
    assert old.expires_at and abs(old.expires_at - before - timedelta(days=7)) < timedelta(
        minutes=1
    )
    again = run("key", "rotate", "n8n-prod (old)", exit_code=1)
    assert again.stdout == "" and "rotated already" in again.stderr


def test_an_old_key_may_end_at_once(run: Run, team: Team, client: FlaskClient) -> None:
    result = run("key", "rotate", team.key[:11], "--keep-old", "now", "--json")
    assert "has ended" in result.stderr
    assert send(client, team, team.key) == 401
    assert send(client, team, json.loads(result.stdout)["key"]) == 202
    run("key", "rotate", "n8n-prod", "--keep-old", "0d", exit_code=2)
