"""The audit log: a page for owners, with a filter, and its exports."""

from collections.abc import Callable
from typing import Any

from flask import (
    Blueprint,
    Response,
    redirect,
    render_template,
    request,
    stream_with_context,
    url_for,
)
from flask.typing import ResponseReturnValue

from app.clock import now
from app.console.audit_export import FORMATS
from app.console.audit_filter import AuditFilter
from app.console.audit_pages import (
    Page,
    find_oldest,
    find_page,
    list_people,
    newest_id,
    read_batches,
)
from app.console.audit_words import action_of, describe, icon_of, name_actor
from app.console.devices import describe_device
from app.console.guards import current_workspace, visible_workspace_ids
from app.console.kept import kept_entries
from app.console.places import Place, PlaceReader
from app.console.run_filter import PERIODS
from app.console.url_filter import lead_to_short_address
from app.extensions import writing
from app.workspaces.audit import KINDS, note

PLACE = "the place of an entry, such as 1767225600000000-12"

blueprint = Blueprint("audit", __name__)


@blueprint.get("/settings/audit")
def show_log() -> ResponseReturnValue:
    if short := lead_to_short_address():
        return short
    wanted, reader = _read_filter(), PlaceReader()
    before, after = (reader.read(name, Place.read, PLACE) for name in ("before", "after"))
    is_wrong = bool(wanted.errors or reader.mistakes)
    ids = visible_workspace_ids()
    return render_template(
        "console/audit.html",
        page=Page() if is_wrong else find_page(ids, wanted, before, after),
        wanted=wanted,
        unreadable=reader.mistakes,
        people=list_people(ids, wanted),
        kinds=list(KINDS.items()),
        periods=[(name, label) for name, (label, _) in PERIODS.items()],
        kept=kept_entries(find_oldest(ids)),
        page_url=_page_url(wanted),
        action_of=action_of,
        icon_of=icon_of,
        name_actor=name_actor,
        describe=describe,
        describe_device=describe_device,
    ), 422 if is_wrong else 200


@blueprint.get("/settings/audit/export.csv")
def export_csv() -> ResponseReturnValue:
    return _export("csv")


@blueprint.get("/settings/audit/export.jsonl")
def export_lines() -> ResponseReturnValue:
    return _export("jsonl")


def _export(name: str) -> ResponseReturnValue:
    """All that the page with this filter shows, on all of its pages; that it was taken along is
    noted, and not in it."""
    wanted = _read_filter()
    if wanted.errors:
        return redirect(url_for("audit.show_log", **wanted.texts), 303)  # type: ignore[arg-type]
    workspace_id, ids = current_workspace().id, visible_workspace_ids()
    last = newest_id()
    with writing() as session:
        told = {"format": name, "filter": wanted.texts or None}
        note(session, "audit_exported", workspace_id, None, told)
    form, batches = FORMATS[name], read_batches(ids, wanted, last)
    written = stream_with_context(form.write_all(batches))
    response = Response(written, content_type=form.content_type)
    filename = f"audit-{now():%Y-%m-%d}.{name}"
    response.headers.set("Content-Disposition", "attachment", filename=filename)
    return response


def _read_filter() -> AuditFilter:
    return AuditFilter.read(request.args, current_workspace().id)


def _page_url(wanted: AuditFilter) -> Callable[..., str]:
    """Makes addresses of the page, or of an export, with changes to its filter; None leaves a part
    out."""

    def address(endpoint: str = "audit.show_log", **changes: Any) -> str:
        given = {**wanted.texts, **changes}
        # As text: a place is a tuple, which an address would take for several values.
        return url_for(endpoint, **{k: str(v) for k, v in given.items() if v is not None})  # type: ignore[arg-type]

    return address
