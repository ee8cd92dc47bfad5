"""`import`: workflows that are brought along from other systems; a dry run unless --apply."""

import os
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
from flask import current_app

from app.cli.commands import Group
from app.cli.options import Period, json_option, workspace_option
from app.cli.text import Row, dump, escape, print_rows
from app.importing import healthchecks, n8n
from app.importing.documents import fetch, read_file
from app.importing.plans import ADD, MAKE, Outcome, Plan, carry_out
from app.models import Workspace
from app.timetable import MOST_GRACE
from app.workspaces.profile import is_time_zone
from app.workspaces.schedules import LEAST_SECONDS

COLUMNS = ("action", "name", "slug", "schedule", "labels", "address")
KEY_VARIABLE = "HEALTHCHECKS_API_KEY"
_apply_option = click.option(
    "--apply", is_flag=True, help="Make it. Without this, it is only shown what would be made."
)


@click.group("import", cls=Group, help="Workflows of other systems, made here.")
def import_group() -> None: ...


@import_group.command("healthchecks")
@click.argument("source", metavar="FILE|URL")
@_apply_option
@workspace_option
@json_option
def import_healthchecks(source: str, apply: bool, workspace: Workspace, as_json: bool) -> None:
    """Make a workflow of each check of a Healthchecks project.

    FILE holds what its Management API answers to GET /api/v3/checks/. URL is that address, or its
    server's alone; then the project's API key is taken from HEALTHCHECKS_API_KEY, or asked for. A
    key that may write lists the checks' addresses, too, which then work here as well.

    Run twice, it makes nothing twice.

    \b
      .venv/bin/flask --app wsgi import healthchecks checks.json
      .venv/bin/flask --app wsgi import healthchecks https://healthchecks.example.org --apply
    """
    document = _ask(source) if "://" in source else read_file(Path(source))
    plans = healthchecks.read_checks(document)
    _carry_out(workspace, plans, "Healthchecks", apply, as_json)


def _ask(url: str) -> Any:
    key = os.environ.get(KEY_VARIABLE) or _read_key()
    headers = {healthchecks.KEY_HEADER: key, "User-Agent": "FlowPulse"}
    return fetch(url, healthchecks.PATH, headers)


def _read_key() -> str:
    prompt = "API key of the Healthchecks project"
    return str(click.prompt(prompt, hide_input=True, err=True)).strip()


@import_group.command("n8n")
@click.argument(
    "files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option(
    "--time-zone",
    default=n8n.USUAL_ZONE,
    show_default=True,
    metavar="ZONE",
    help="n8n's own time zone (GENERIC_TIMEZONE), for workflows that name none.",
)
@click.option(
    "--grace",
    type=Period(),
    default="10m",
    show_default=True,
    metavar="PERIOD",
    help="How much later than expected a run may come.",
)
@_apply_option
@workspace_option
@json_option
def import_n8n(
    files: Sequence[Path],
    time_zone: str,
    grace: timedelta,
    apply: bool,
    workspace: Workspace,
    as_json: bool,
) -> None:
    """Make a workflow of each workflow of n8n, with the schedule that starts it.

    A FILE holds what n8n's API answers to GET /api/v1/workflows, or what `n8n export:workflow`
    writes, with --all or --separate.

    Run twice, it makes nothing twice.
    """
    if not is_time_zone(time_zone):
        raise click.BadParameter(f"{time_zone!r} is no time zone such as Europe/Berlin.")
    seconds = round(grace.total_seconds())
    if not LEAST_SECONDS <= seconds <= MOST_GRACE:
        raise click.BadParameter("Give a grace time from 1m to 31d.")
    documents = [read_file(each) for each in files]
    plans = [plan for each in documents for plan in n8n.read_workflows(each, time_zone, seconds)]
    _carry_out(workspace, plans, "n8n", apply, as_json)
    if any(map(n8n.has_more_pages, documents)):
        click.echo("n8n has more: the list has a nextCursor. Get its other pages, too.", err=True)


def _carry_out(
    workspace: Workspace, plans: list[Plan], origin: str, apply: bool, as_json: bool
) -> None:
    outcomes = carry_out(workspace.id, plans, origin, apply=apply)
    if as_json:
        click.echo(dump([{**_describe(each), "notes": _list_notes(each)} for each in outcomes]))
        return
    print_rows([_describe(each) for each in outcomes], False, COLUMNS)
    for each in outcomes:
        for note in _list_notes(each):
            click.echo(f"  {escape(each.plan.name)}: {escape(note)}")
    _sum_up(outcomes, apply)


def _describe(outcome: Outcome) -> Row:
    plan = outcome.plan
    return {
        "action": outcome.action,
        "name": plan.name,
        "slug": plan.slug,
        "schedule": outcome.schedule,
        "labels": plan.labels,
        "address": f"{plan.secret[:8]}…" if plan.secret else None,
    }


def _list_notes(outcome: Outcome) -> list[str]:
    """What is not carried over; of what is there already, it was told before."""
    plan = outcome.plan
    if plan.left_out:
        return [plan.left_out]
    return list(plan.notes) if outcome.action == MAKE else []


def _sum_up(outcomes: list[Outcome], apply: bool) -> None:
    count = sum(each.action in (MAKE, ADD) for each in outcomes)
    if not apply:
        click.echo(f"A dry run: nothing was made. With --apply, {count} would be.", err=True)
        return
    click.echo(f"{count} of {len(outcomes)} done.", err=True)
    has_addresses = any(each.plan.secret for each in outcomes)
    if has_addresses and not current_app.config["FLOWPULSE_COMPATIBILITY"]:
        click.echo("The old addresses work here once FLOWPULSE_COMPATIBILITY=1 is set.", err=True)
