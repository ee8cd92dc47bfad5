"""The lists as files: all that the page with the same address shows, on all of its pages.

A list hides secrets from everybody, and so does its file; there is nothing to reveal. The audit log
notes who took it along, with its filter.
"""

from collections.abc import Iterable, Iterator, Sequence

from flask import Blueprint, Response, redirect, request, stream_with_context, url_for
from flask.typing import ResponseReturnValue

from app.clock import now
from app.console import event_rows, problem_rows, run_rows
from app.console.event_filter import read_filter
from app.console.guards import current_workspace, visible_workspace_ids
from app.console.hidden import sift
from app.console.list_files import FORMATS, Row
from app.console.problem_groups import ProblemFilter
from app.console.run_filter import RunFilter
from app.console.url_filter import UrlFilter
from app.extensions import db, writing
from app.redaction import mask_text
from app.workspaces.audit import note

blueprint = Blueprint("exports", __name__)


@blueprint.get("/events/export.csv", defaults={"form": "csv"})
@blueprint.get("/events/export.jsonl", defaults={"form": "jsonl"})
def export_events(form: str) -> ResponseReturnValue:
    scope = visible_workspace_ids()
    wanted = sift(read_filter(request.args, current_workspace().id))
    if wanted.errors:
        return _lead_back("live_log.show_events", wanted)
    rows = event_rows.read_rows(scope, wanted)
    return _hand_out("events", form, wanted, event_rows.COLUMNS, rows)


@blueprint.get("/runs/export.csv", defaults={"form": "csv"})
@blueprint.get("/runs/export.jsonl", defaults={"form": "jsonl"})
def export_runs(form: str) -> ResponseReturnValue:
    workspace_id = current_workspace().id
    wanted = sift(RunFilter.read(request.args, workspace_id))
    if wanted.errors:
        return _lead_back("runs.show_runs", wanted)
    rows = run_rows.read_rows(workspace_id, wanted)
    return _hand_out("runs", form, wanted, run_rows.COLUMNS, rows)


@blueprint.get("/problems/export.csv", defaults={"form": "csv"})
@blueprint.get("/problems/export.jsonl", defaults={"form": "jsonl"})
def export_problems(form: str) -> ResponseReturnValue:
    scope, workspace_id = visible_workspace_ids(), current_workspace().id
    wanted = ProblemFilter.read(request.args, workspace_id)
    if wanted.errors:
        return _lead_back("problem_groups.show_groups", wanted)
    rows = problem_rows.read_rows(scope, workspace_id, wanted)
    return _hand_out("problems", form, wanted, problem_rows.COLUMNS, rows)


def _lead_back(endpoint: str, wanted: UrlFilter) -> ResponseReturnValue:
    """To the page, which says what of the filter can't be read."""
    return redirect(url_for(endpoint, **wanted.texts), 303)  # type: ignore[arg-type]


def _hand_out(
    name: str,
    form: str,
    wanted: UrlFilter,
    columns: Sequence[str],
    batches: Iterable[Iterable[Row]],
) -> Response:
    """What can't be noted is not handed out, and HEAD hands out nothing."""
    if request.method == "GET":
        workspace_id = current_workspace().id
        chosen = {key: mask_text(text) for key, text in wanted.texts.items()}
        with writing() as session:
            details = {"format": form, "filter": chosen or None}
            note(session, "list_exported", workspace_id, name, details)
    kind = FORMATS[form]
    text = let_go(kind.write_all(columns, batches)) if request.method == "GET" else iter(())
    response = Response(stream_with_context(text), content_type=kind.content_type)
    filename = f"{name}-{now():%Y-%m-%d}.{form}"
    response.headers.set("Content-Disposition", "attachment", filename=filename)
    return response


def let_go(text: Iterator[str]) -> Iterator[str]:
    """Where the reader has gone it ends at its next piece, and holds nothing either."""
    try:
        yield from text
    finally:
        db.session.rollback()
