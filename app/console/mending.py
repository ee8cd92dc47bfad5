"""What mends a refused event: edit and resend, reprocess, and the buttons of its code."""

from collections.abc import Mapping

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.console.body_places import BodyText, find_places
from app.console.body_view import view_body
from app.console.corrections import check_body, correct
from app.console.event import NO_ERRORS, find_event, find_rows, render_event
from app.console.group_runs import read_instead, take_step
from app.console.guards import current_workspace, signed_in_user, visible_workspace_ids
from app.console.hidden import cover_places
from app.console.hidden_drafts import hide_for_editing
from app.console.reprocessing import find_open, reprocess
from app.console.resend_form import (
    ResendForm,
    draft_form,
    list_workflow_choices,
    read_form,
    read_typed,
)
from app.console.resending import draft_message, resend
from app.console.workflow_list import find_workflow
from app.ingest.schemas import EVENT_KINDS
from app.models import Event
from app.workspaces.people import RefusedError
from app.workspaces.workflows import create_workflow, find_twin, restore_workflow

MOST_FINDINGS = 10
"""Errors, and warnings, that the form lists; the others are counted."""

blueprint = Blueprint("mending", __name__, url_prefix="/events/<public_id:public_id>")


@blueprint.get("/resend")
def show_resend(public_id: str) -> str:
    event = find_event(public_id)
    return _show_form(event, draft_form(event))


@blueprint.get("/resend/body")
def download_draft(public_id: str) -> Response:
    """What would be sent, with the corrections, for a body that is too long for the form."""
    message, _ = draft_message(find_event(public_id))
    shown = message._replace(text=hide_for_editing(message.text).shown)
    response = Response(shown.raw, content_type="application/octet-stream")
    response.headers.set("Content-Disposition", "attachment", filename=f"{public_id}.json")
    return response


@blueprint.post("/resend")
def send_again(public_id: str) -> ResponseReturnValue:
    event = find_event(public_id)
    try:
        form = read_form(event)
    except RefusedError as error:
        return _show_form(event, read_typed(event), checked=True, errors=error.errors), 422
    if request.form.get("do") == "check":
        return _show_form(event, form, checked=True)
    message = form.message
    outcome = resend(event, _workspace_of(event), message, signed_in_user())
    if outcome.problem is None:
        flash("The request was accepted.", "success")
    else:
        flash("The request was refused again. This page says why.", "warning")
    return redirect(_address(outcome.event_id), 303)


@blueprint.post("/reprocess")
def run_again(public_id: str) -> ResponseReturnValue:
    event = find_event(public_id)
    fingerprint = event.fingerprint
    try:
        instead = read_instead()
    except RefusedError as error:
        return _show_mistakes(event, error)
    try:
        outcome = reprocess(event, signed_in_user(), instead)
    except RefusedError as error:
        flash(str(error), "error")
        return redirect(_address(public_id), 303)
    if outcome.problem:
        flash("The request was refused again. This page says why.", "warning")
        return redirect(_address(outcome.event_id), 303)
    flash("The request was reprocessed and accepted.", "success")
    rest = find_open(visible_workspace_ids(), fingerprint).total
    return redirect(_address(public_id if rest else outcome.event_id), 303)


@blueprint.post("/reprocess-all")
def run_all_again(public_id: str) -> ResponseReturnValue:
    event = find_event(public_id)
    try:
        instead = read_instead()
    except RefusedError as error:
        return _show_mistakes(event, error)
    return take_step(event.fingerprint or "", _address(public_id), _address(public_id), instead)


@blueprint.post("/create-workflow")
def add_workflow(public_id: str) -> ResponseReturnValue:
    event = find_event(public_id)
    name, slug = request.form.get("name", ""), request.form.get("slug", "").strip()
    workspace_id, next_step = current_workspace().id, "Next: reprocess what was refused."
    try:
        workflow = create_workflow(workspace_id, name, slug or None)
    except RefusedError as error:
        twin = find_twin(workspace_id, name, slug)
        if twin is None:
            return _show_mistakes(event, error)
        if twin.archived_at:
            next_step = "It is archived: restore it on its page first."
        flash(f"Workflow “{twin.name}” is there already. {next_step}", "message")
        return redirect(_address(public_id), 303)
    flash(f"Workflow “{workflow.name}” was created. {next_step}", "success")
    return redirect(_address(public_id), 303)


@blueprint.post("/restore-workflow")
def restore(public_id: str) -> ResponseReturnValue:
    workflow = find_workflow(request.form.get("workflow", ""))
    restore_workflow(workflow)
    text = f"Workflow “{workflow.name}” takes events again. Next: reprocess what was refused."
    flash(text, "success")
    return redirect(_address(public_id), 303)


def _show_mistakes(event: Event, error: RefusedError) -> ResponseReturnValue:
    """The event's page with what was typed into one of its forms, and what is wrong with it."""
    return render_event(event, errors=error.errors, form=request.form), 422


def _show_form(
    event: Event,
    form: ResendForm,
    *,
    checked: bool = False,
    errors: Mapping[str, list[str]] = NO_ERRORS,
) -> str:
    """The form, with what would become of the message; `checked`: once that was asked for;
    `errors`: what is wrong with what was typed."""
    workspace_id, kind = _workspace_of(event), form.message.kind
    body = BodyText(form.message.raw, "application/json", False)
    result = check_body(body.raw, body.content_type, kind, workspace_id)
    findings = [each.as_dict() for each in result.problem.errors] if result.problem else []
    warnings = [each.as_dict() for each in result.warnings]
    shown, warned = findings[:MOST_FINDINGS], warnings[:MOST_FINDINGS]
    covered, places, place_of = cover_places(body, *find_places(body, shown, warned))
    mended = correct(body.raw, body.content_type, kind, workspace_id) if checked else None
    return render_template(
        "console/event_resend.html",
        event=event,
        form=form,
        kinds=[(name, name) for name in EVENT_KINDS],
        workflow_choices=list_workflow_choices(event),
        result=result,
        errors=find_rows(shown, place_of),
        further_errors=len(findings) - len(shown),
        warnings=find_rows(warned, place_of, len(shown)),
        warning_count=len(warnings),
        view=view_body(covered, places),
        form_errors=errors,
        correction=mended,
        checked=checked,
    )


def _workspace_of(event: Event) -> int:
    return event.workspace_id or current_workspace().id


def _address(public_id: str) -> str:
    return url_for("event.show_event", public_id=public_id)
