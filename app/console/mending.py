"""What mends a refused event: edit and resend, reprocess, and the buttons of its code."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import ImmutableMultiDict

from app.console.body_places import BodyText, find_places
from app.console.body_view import view_body
from app.console.corrections import check_body, correct
from app.console.event import find_event, find_rows, render_event
from app.console.fixes import Fixes
from app.console.group_runs import read_instead, take_step
from app.console.guards import current_workspace, signed_in_user, visible_workspace_ids
from app.console.reprocessing import find_open, reprocess
from app.console.resending import Message, draft_message, resend
from app.console.workflow_list import find_workflow
from app.identifiers import is_id, new_id
from app.ingest.schemas import EVENT_KINDS
from app.models import Event
from app.workspaces.people import RefusedError
from app.workspaces.workflows import create_workflow, find_twin, restore_workflow

blueprint = Blueprint("mending", __name__, url_prefix="/events/<public_id:public_id>")


@blueprint.get("/resend")
def show_resend(public_id: str) -> str:
    event = find_event(public_id)
    message, changes = draft_message(event)
    return _show_form(event, message, changes)


@blueprint.post("/resend")
def send_again(public_id: str) -> ResponseReturnValue:
    event = find_event(public_id)
    message = _read_message(request.form)
    if request.form.get("do") == "check":
        return _show_form(event, message, checked=True)
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
    event: Event, message: Message, changes: tuple[str, ...] = (), *, checked: bool = False
) -> str:
    """The form, with what would become of the message once that was asked for."""
    workspace_id = _workspace_of(event)
    body = BodyText(message.raw, "application/json", False)
    result = check_body(body.raw, body.content_type, message.kind, workspace_id)
    errors = [each.as_dict() for each in result.problem.errors] if result.problem else []
    warnings = [each.as_dict() for each in result.warnings]
    places, place_of = find_places(body, errors, warnings)
    mended = correct(body.raw, body.content_type, message.kind, workspace_id) if checked else None
    return render_template(
        "console/event_resend.html",
        event=event,
        message=message,
        form_id=new_id(),
        kinds=[(name, name) for name in EVENT_KINDS],
        workflow_choices=[
            ("", "as the body says"),
            *((each.public_id, each.name) for each in Fixes(event).workflows),
        ],
        changes=changes,
        result=result,
        errors=find_rows(errors, place_of),
        warnings=find_rows(warnings, place_of, len(errors)),
        view=view_body(body, places),
        correction=mended,
        checked=checked,
    )


def _read_message(form: ImmutableMultiDict[str, str]) -> Message:
    """What was typed, with the workflow that was chosen written into the body."""
    kind = form.get("kind", "")
    kind = kind if kind in EVENT_KINDS else next(iter(EVENT_KINDS))
    chosen = form.get("workflow", "")
    # A browser writes line breaks as CR LF.
    text = form.get("body", "").replace("\r\n", "\n")
    form_id = form.get("form_id", "")
    message = Message(kind, text, form_id if is_id(form_id) else new_id())
    return message.with_workflow(find_workflow(chosen)) if chosen else message


def _workspace_of(event: Event) -> int:
    return event.workspace_id or current_workspace().id


def _address(public_id: str) -> str:
    return url_for("event.show_event", public_id=public_id)
