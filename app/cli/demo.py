"""`demo`: a month of made-up data to look at, and its removal."""

import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random

import click
from sqlalchemy import ColumnElement, Select, delete, func, or_, select, update

from app.cli.commands import command
from app.cli.demo_alerting import make_alerting, remove_alerting
from app.cli.demo_keys import make_keys, store_usage
from app.cli.demo_marks import is_marked
from app.cli.demo_month import DAYS, make_month
from app.cli.demo_requests import make_requests, take_in
from app.cli.demo_workflows import WORKFLOWS
from app.cli.options import json_option, workspace_option
from app.cli.text import dump
from app.clock import now
from app.extensions import db, writing
from app.ingest.records import NewEvent
from app.ingest.service import ingest_service
from app.invocation import shell_command
from app.models import ApiKey, Event, Run, Workflow, Workspace
from app.processing.batch import process_batch
from app.processing.rollups import take_back_workflows
from app.workspaces.audit import note
from app.workspaces.schedules import set_schedule
from app.workspaces.workflows import create_workflow

SEED = 2026
BATCH_SIZE = 500
PAUSE_SECONDS = 0.05


@command("demo")
@click.option("--remove", is_flag=True, help="Remove the demo's workflows and all that is theirs.")
@workspace_option
@json_option
def demo(remove: bool, workspace: Workspace, as_json: bool) -> None:
    """Fill a workspace with a month of made-up data, to look around in.

    It makes six workflows whose names end in "(demo)", with some thousand runs and a few refused
    requests; two API keys, three alert rules with their alerts, and a channel that is switched off.
    `demo --remove` takes them away again, with everything that was sent to these workflows, and
    leaves all else alone.
    """
    workspace_id = workspace.id
    existing = db.session.scalars(select(Workflow.id).where(_is_demo(workspace_id))).all()
    if remove and not existing:
        raise click.ClickException("There is no demo data here.")
    if existing and not remove:
        raise click.ClickException(
            f"The demo data is here already. Remove it with: {shell_command('demo --remove')}"
        )
    done = remove_demo(workspace_id) if remove else make_demo(workspace_id)
    verb = "Removed" if remove else "Made"
    text = (
        f"{verb} {done['workflows']} workflows, {done['runs']:,} runs, {done['events']:,} events."
    )
    click.echo(dump(done) if as_json else text)
    if not (remove or as_json):
        click.echo(f"To remove them: {shell_command('demo --remove')}", err=True)


def make_demo(workspace_id: int) -> dict[str, int]:
    """Make workflows and events, and have them processed; returns how many of each there are."""
    until = now()
    begun_at = until - timedelta(days=DAYS)
    random = Random(SEED)  # noqa: S311 (no secrets: the same month every time)
    workflows = {
        each.name: create_workflow(workspace_id, each.name, is_demo=True) for each in WORKFLOWS
    }
    requests = make_requests(make_month(until, random), workflows, until, random)
    store = ingest_service().store
    keys = make_keys(workspace_id, [each.id for each in workflows.values()], until, DAYS)
    events = [
        take_in(each, keys, store, until, round(random.lognormvariate(1, 0.4), 3))
        for each in requests
    ]
    for batch in _split(events):
        with store.writing() as cursor:
            store.insert_events(cursor, batch)
    store_usage(keys, events)
    _process(workspace_id)
    _date_back(workspace_id, begun_at)
    for each in WORKFLOWS:
        if each.schedule:
            set_schedule(workflows[each.name], each.schedule)
    make_alerting(workspace_id, workflows, until, begun_at)
    return _count(workspace_id)


def remove_demo(workspace_id: int) -> dict[str, int]:
    """Remove the demo's workflows, and with them their events, runs, rollups and alerts; its keys,
    rules and channel."""
    counts = _count(workspace_id)
    with writing() as session:
        ids = session.scalars(_ids(workspace_id)).all()
        take_back_workflows(session, workspace_id, ids)
        remove_alerting(session, workspace_id, ids)
        # Events first: they point to runs, each of which would look for its events otherwise.
        session.execute(delete(Event).where(_is_event_of_demo(workspace_id)))
        session.execute(delete(Workflow).where(_is_demo(workspace_id)))
        session.execute(delete(ApiKey).where(is_marked(ApiKey, workspace_id)))
        note(session, "demo_removed", workspace_id)
    return counts


def _is_demo(workspace_id: int) -> ColumnElement[bool]:
    return (Workflow.workspace_id == workspace_id) & Workflow.is_demo


def _ids(workspace_id: int) -> Select[int]:
    return select(Workflow.id).where(_is_demo(workspace_id))


def _is_event_of_demo(workspace_id: int) -> ColumnElement[bool]:
    """Sent to a workflow of the demo, or with one of its keys for a workflow that is not there."""
    keys = select(ApiKey.id).where(is_marked(ApiKey, workspace_id))
    return or_(Event.workflow_id.in_(_ids(workspace_id)), Event.api_key_id.in_(keys))


def _split(events: list[NewEvent]) -> Iterator[list[NewEvent]]:
    for start in range(0, len(events), BATCH_SIZE):
        yield events[start : start + BATCH_SIZE]


def _process(workspace_id: int) -> None:
    """Do what the worker does, together with it where one is running."""
    waiting = select(Event.id).where(
        Event.workflow_id.in_(_ids(workspace_id)), Event.state == "accepted", Event.attempts == 0
    )
    db.session.rollback()  # The session still sees the time before the events came.
    while db.session.scalar(waiting.limit(1)):
        if not process_batch(BATCH_SIZE):
            db.session.rollback()
            time.sleep(PAUSE_SECONDS)


def _date_back(workspace_id: int, begun_at: datetime) -> None:
    """Have things made and processed when their events came in, not just now."""
    ids = _ids(workspace_id)
    first, last = (
        select(moment).where(Event.run_id == Run.id).scalar_subquery()
        for moment in (func.min(Event.received_at), func.max(Event.received_at))
    )
    with writing() as session:
        for statement in (
            update(Workflow).where(_is_demo(workspace_id)).values(created_at=begun_at),
            update(Event)
            .where(Event.workflow_id.in_(ids), Event.state == "processed")
            .values(processed_at=Event.received_at),
            update(Run).where(Run.workflow_id.in_(ids)).values(created_at=first, updated_at=last),
        ):
            session.execute(statement.execution_options(synchronize_session=False))


def _count(workspace_id: int) -> dict[str, int]:
    ids = _ids(workspace_id)
    tables = {
        "workflows": select(func.count(Workflow.id)).where(_is_demo(workspace_id)),
        "runs": select(func.count(Run.id)).where(Run.workflow_id.in_(ids)),
        "events": select(func.count(Event.id)).where(_is_event_of_demo(workspace_id)),
    }
    return {name: db.session.scalar(statement) or 0 for name, statement in tables.items()}
