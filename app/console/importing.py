"""Workflows of other systems, brought along: a file, what would be made of it, and making it.

The list is read once. What the preview shows goes on sealed in its form, so that this is made and
nothing else; nobody's list is kept here.
"""

from datetime import timedelta
from typing import Any, NamedTuple

from flask import Blueprint, current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.channels.sealing import UnreadableError, seal, unseal
from app.console.form_body import MAX_FILE_BYTES
from app.console.formatting import plural
from app.console.guards import current_workspace, signed_in_user
from app.importing.documents import parse
from app.importing.n8n import USUAL_ZONE
from app.importing.packing import pack, unpack
from app.importing.plans import ADD, LEFT, MAKE, THERE, Outcome, Plan, carry_out, count_actions
from app.importing.sources import SOURCES, Source
from app.timetable import MOST_GRACE, UNITS
from app.workspaces.mistakes import Errors, Mistakes, RefusedError
from app.workspaces.profile import is_time_zone, time_zones

MOST_AT_ONCE = 300
"""So many entries a page can show; n8n lists 250 at a time."""
GOOD_FOR = timedelta(hours=12)
MOST_GRACE_MINUTES = MOST_GRACE // UNITS["minute"]
BADGES = {
    MAKE: ("New", "green"),
    ADD: ("Gets its address", "blue"),
    THERE: ("There already", "grey"),
    LEFT: ("Left out", "amber"),
}
"""By action: what its badge says, and in which colour."""
_PURPOSE = b"plans of imports"

blueprint = Blueprint("importing", __name__)


class Upload(NamedTuple):
    """What has come: from which system, what would become of it, and whether that is all of it."""

    source: Source
    plans: list[Plan]
    has_more: bool


@blueprint.get("/workflows/import")
def show_form() -> str:
    return _show_form({})


@blueprint.post("/workflows/import")
def show_plan() -> ResponseReturnValue:
    """What would be made. Changes nothing."""
    try:
        upload = _read_upload()
    except RefusedError as error:
        return _show_form(error.errors), 422
    workspace = current_workspace()
    outcomes = carry_out(workspace.id, upload.plans, upload.source.label, apply=False)
    held = {
        "workspace": workspace.public_id,
        "source": upload.source.name,
        "plans": pack(upload.plans),
    }
    counts = count_actions(outcomes)
    return render_template(
        "console/import_preview.html",
        upload=upload,
        outcomes=outcomes,
        counts=counts,
        to_do=counts[MAKE] + counts[ADD],
        badges=BADGES,
        notes_of=_list_notes,
        sealed=seal(held, _PURPOSE),
        has_unanswered=_has_unanswered(outcomes),
    )


@blueprint.post("/workflows/import/make")
def make() -> ResponseReturnValue:
    """What was shown, as far as it is not there by now."""
    workspace = current_workspace()
    try:
        held = _open_plan(workspace.public_id)
        source, plans = SOURCES[held["source"]], unpack(held["plans"])
        author_id = signed_in_user().id
        outcomes = carry_out(workspace.id, plans, source.label, apply=True, author_id=author_id)
    except RefusedError as error:
        return _show_form({"form": [str(error)]}), 422
    flash(_sum_up(outcomes, source), "success")
    return redirect(url_for("workflows.show_workflows"), 303)


def _show_form(errors: Errors) -> str:
    """Errors come with what was typed; a file has to be chosen once more."""
    return render_template(
        "console/importing.html",
        form={"source": "healthchecks", "time_zone": USUAL_ZONE, "grace": 10, **request.form},
        errors=errors,
        sources=SOURCES.values(),
        zones=time_zones(),
        most_bytes=MAX_FILE_BYTES,
        most_at_once=MOST_AT_ONCE,
    )


def _read_upload() -> Upload:
    """Raises RefusedError with all that is wrong, by field."""
    mistakes = Mistakes()
    source = SOURCES.get(request.form.get("source", ""))
    if source is None:
        labels = " or ".join(each.label for each in SOURCES.values())
        mistakes.add("source", f"Choose {labels}.")
    zone = request.form.get("time_zone", USUAL_ZONE)
    if not is_time_zone(zone):
        mistakes.add("time_zone", "Choose a time zone from the list.")
    minutes = _read_minutes(request.form.get("grace", "10"))
    if minutes is None:
        mistakes.add("grace", f"Give whole minutes, 1 to {MOST_GRACE_MINUTES:,}.")
    field, document = "file", None
    with mistakes.noted():
        field, raw, name = _find_document()
        document = _parse(field, raw, name)
    mistakes.refuse()
    if source is None or minutes is None:  # They were refused above.
        raise RefusedError("source", "Choose where it comes from.")
    return _plan(source, document, zone, minutes * UNITS["minute"], field)


def _read_minutes(text: str) -> int | None:
    text = text.strip()
    is_whole = text.isascii() and text.isdigit() and len(text) < 7
    return int(text) if is_whole and 1 <= int(text) <= MOST_GRACE_MINUTES else None


def _find_document() -> tuple[str, bytes, str]:
    """The field in which it came, the document, and what it is called."""
    file, text = request.files.get("file"), request.form.get("text", "").strip()
    if file is not None and file.filename:
        return "file", file.read(), file.filename[:100]
    if text:
        return "text", text.encode("utf-8", "replace"), "The text"
    raise RefusedError("file", "Choose a file, or paste what is in it below.")


def _parse(field: str, raw: bytes, name: str) -> Any:
    """Raises RefusedError at the field."""
    if not raw.strip():
        raise RefusedError(field, f"{name} is empty.")
    try:
        return parse(raw, name)
    except RefusedError as error:
        raise RefusedError(field, str(error)) from error


def _plan(source: Source, document: Any, zone: str, grace_seconds: int, field: str) -> Upload:
    """Raises RefusedError at the field."""
    try:
        plans = source.read(document, zone, grace_seconds)
    except RefusedError as error:
        raise RefusedError(field, str(error)) from error
    if not plans:
        raise RefusedError(field, "The list is empty: there is nothing to bring along.")
    if len(plans) > MOST_AT_ONCE:
        raise RefusedError(
            field,
            f"It holds {len(plans):,} entries; this page takes {MOST_AT_ONCE} at a time. Send it "
            "in parts, or use the command line, which takes all of them.",
        )
    return Upload(source, plans, source.has_more(document))


def _open_plan(workspace_id: str) -> dict[str, Any]:
    """What the preview has shown. Raises RefusedError for another workspace's, or an old one."""
    try:
        held = unseal(request.form.get("sealed_plan", ""), _PURPOSE, GOOD_FOR)
    except UnreadableError:
        held = {}
    if held.get("workspace") != workspace_id:
        raise RefusedError(
            "form",
            "Nothing was made: the preview was too old, or of another workspace. Read the file in "
            "once more.",
        )
    return held


def _list_notes(outcome: Outcome) -> tuple[str, ...]:
    """What can't be taken over, and why; of what is there already, that was told before."""
    if outcome.action == LEFT:
        return (outcome.plan.left_out,)
    return outcome.plan.notes if outcome.action == MAKE else ()


def _has_unanswered(outcomes: list[Outcome]) -> bool:
    """Whether addresses come along that this server does not answer yet."""
    if current_app.config["FLOWPULSE_COMPATIBILITY"]:
        return False
    return any(each.plan.secret and each.action in (MAKE, ADD) for each in outcomes)


def _sum_up(outcomes: list[Outcome], source: Source) -> str:
    counts = count_actions(outcomes)
    done = [f"{plural(counts[MAKE], 'workflow')} made from {source.label}"]
    if counts[ADD]:
        done.append(f"{plural(counts[ADD], 'address', 'addresses')} added")
    if counts[THERE]:
        done.append(f"{counts[THERE]:,} there already")
    return f"{', '.join(done)}."
