"""Run history: the list with its filter, each run's own page, and failures by error."""

import json
from typing import Any

from flask import Blueprint, Response, abort, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from sqlalchemy.orm import joinedload, undefer
from werkzeug.datastructures import MultiDict

from app.console.error_list import count_groups, describe_groups
from app.console.filter_choices import PLATFORMS, list_workflow_choices
from app.console.guards import current_workspace
from app.console.hidden import sift
from app.console.kept import kept_runs
from app.console.long_text import cut_text
from app.console.open_runs import NONE, find_open_runs
from app.console.paging import Paged
from app.console.places import Place, PlaceReader
from app.console.run_filter import PERIODS, RUN_OUTCOMES, RunFilter
from app.console.run_links import find_source_link
from app.console.run_list import MOST_RELATED, find_related, find_start, load_runs
from app.console.run_search import Page, find_page
from app.console.timeline import draw_timeline
from app.console.url_filter import lead_to_short_address, list_texts
from app.extensions import db
from app.models import Event, Run
from app.redaction import mask_text, mask_value

ERRORS_SHOWN = 25
EVENTS_SHOWN = 20
MOST_OF_A_TEXT = 25_000
"""Bytes of the HTML that shows an error message, or metadata; all of it can be downloaded."""

PLACE = "the place of a run, such as 1767225600000000-12"

blueprint = Blueprint("runs", __name__)


@blueprint.get("/runs")
def show_runs() -> ResponseReturnValue:
    if short := lead_to_short_address():
        return short
    workspace = current_workspace()
    wanted = sift(RunFilter.read(request.args, workspace.id))
    reader = PlaceReader()
    before, after = (reader.read(name, Place.read, PLACE) for name in ("before", "after"))
    is_wrong = bool(wanted.errors or reader.mistakes)
    page = Page([]) if is_wrong else find_page(workspace.id, wanted, before, after)
    return render_template(
        "console/runs.html",
        page=page,
        searched_to=page.stopped_at.at if page.stopped_at else None,
        runs=load_runs([place.id for place in page.places]),
        exact=load_runs([place.id for place in page.exact]),
        running=find_open_runs(workspace.id, wanted) if _tells_of_open_runs(page) else NONE,
        wanted=wanted,
        unreadable=reader.mistakes,
        outcomes=list(RUN_OUTCOMES.items()),
        periods=[(name, label) for name, (label, _) in PERIODS.items()],
        workflows=list_workflow_choices(workspace.id, wanted),
        platforms=PLATFORMS,
        error=_describe_error(workspace.id, wanted.value("error")),
        page_url=_page_url("runs.show_runs", wanted.texts),
        kept=kept_runs(wanted.value("outcome")),
    ), 422 if is_wrong else 200


@blueprint.get("/runs/errors")
def show_errors() -> ResponseReturnValue:
    if short := lead_to_short_address():
        return short
    workspace = current_workspace()
    given = _given("period", "workflow")
    given.setdefault("period", "30d")
    wanted = RunFilter.read(given, workspace.id)
    groups = (
        []
        if wanted.errors
        else count_groups(workspace.id, wanted.value("period"), wanted.value("workflow"))
    )
    paged = Paged(len(groups), ERRORS_SHOWN, "runs.show_errors", kept=("period", "workflow"))
    return render_template(
        "console/run_errors.html",
        groups=describe_groups(workspace.id, groups[paged.part]),
        total=sum(group.failures for group in groups),
        wanted=wanted,
        periods=list(PERIODS),
        workflows=list_workflow_choices(workspace.id, wanted),
        paged=paged,
        page_url=_page_url("runs.show_errors", wanted.texts),
        kept=kept_runs("failure"),
    ), 422 if wanted.errors else 200


@blueprint.get("/runs/<public_id:public_id>")
def show_run(public_id: str) -> str:
    run = find_run(public_id)
    details = mask_value(run.details)
    written = json.dumps(details, indent=2, ensure_ascii=False) if details else ""
    texts = (mask_text(run.error_message or ""), written)
    message, shown_details = (cut_text(text, MOST_OF_A_TEXT) for text in texts)
    events = select(Event).where(Event.run_id == run.id)
    return render_template(
        "console/run.html",
        run=run,
        started_at=find_start(run),
        source=find_source_link(run, run.details),
        message=message.shown,
        details=shown_details.shown,
        is_cut=bool(message.left_out or shown_details.left_out),
        timeline=draw_timeline(find_related(run)),
        most_related=MOST_RELATED,
        events=db.session.scalars(events.order_by(Event.id.desc()).limit(EVENTS_SHOWN)).all(),
    )


@blueprint.get("/runs/<public_id:public_id>/texts")
def download_texts(public_id: str) -> Response:
    """What may be too long for a page, as JSON."""
    run = find_run(public_id)
    texts = {
        "error_type": mask_text(run.error_type or "") or None,
        "error_message": mask_text(run.error_message or "") or None,
        "metadata": mask_value(run.details),
    }
    written = json.dumps(texts, indent=2, ensure_ascii=False)
    response = Response(written, content_type="application/json")
    response.headers.set("Content-Disposition", "attachment", filename=f"{public_id}.json")
    return response


def _tells_of_open_runs(page: Page) -> bool:
    """The first page does, and the one at the end of a search that found no more: else it would
    say that no run fits."""
    return page.newer is None or (page.is_empty and page.stopped_at is None)


def find_run(public_id: str) -> Run:
    """The run of the user's workspace with all that its page shows; 404 for any other."""
    run = db.session.scalar(
        select(Run)
        .where(Run.public_id == public_id, Run.workspace_id == current_workspace().id)
        .options(joinedload(Run.workflow), undefer(Run.details))
    )
    if run is None:
        abort(404, "There is no such run in this workspace, or it is past its time.")
    return run


def _describe_error(workspace_id: int, fingerprint: str | None) -> Any:
    """The group whose runs are listed, if any of them is kept."""
    if fingerprint is None:
        return None
    tallies = count_groups(workspace_id, fingerprint=fingerprint)
    return next(iter(describe_groups(workspace_id, tallies)), None)


def _given(*names: str) -> MultiDict[str, str]:
    """All that the address gives for these parameters, and none of the others."""
    return MultiDict((name, text) for name in names for text in list_texts(request.args, name))


def _page_url(endpoint: str, texts: dict[str, str]) -> Any:
    """Makes addresses of the page with changes to its filter; None leaves a part out."""

    def address(**changes: Any) -> str:
        given = {**texts, **changes}
        # As text: a place is a tuple, which an address would take for several values.
        return url_for(endpoint, **{k: str(v) for k, v in given.items() if v is not None})  # type: ignore[arg-type]

    return address
