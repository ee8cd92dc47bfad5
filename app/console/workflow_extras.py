"""What can be set for a workflow beside its name: where its runs are found, and its badge."""

from flask import Blueprint, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from app.console.workflow_list import find_workflow
from app.console.workflows import show_one
from app.models import Workflow
from app.workspaces.badges import renew_badge, switch_badge_off
from app.workspaces.people import RefusedError
from app.workspaces.run_urls import change_run_url

blueprint = Blueprint("workflow_extras", __name__)


@blueprint.post("/workflows/<public_id:public_id>/run-url")
def save_run_url(public_id: str) -> ResponseReturnValue:
    workflow = find_workflow(public_id)
    try:
        change_run_url(workflow, request.form.get("run_url", ""))
    except RefusedError as error:
        return show_one(workflow, {error.field: [str(error)]}), 422
    flash("The address of runs is saved.", "success")
    return _back(workflow, "run-url")


@blueprint.post("/workflows/<public_id:public_id>/badge")
def renew(public_id: str) -> ResponseReturnValue:
    workflow = find_workflow(public_id)
    was_on = workflow.badge_token is not None
    renew_badge(workflow)
    flash("The badge has a new address." if was_on else "The badge is on.", "success")
    return _back(workflow, "badge")


@blueprint.post("/workflows/<public_id:public_id>/badge/off")
def switch_off(public_id: str) -> ResponseReturnValue:
    workflow = find_workflow(public_id)
    switch_badge_off(workflow)
    flash("The badge is off: its address shows nothing any more.", "success")
    return _back(workflow, "badge")


def _back(workflow: Workflow, place: str) -> ResponseReturnValue:
    address = url_for("workflows.show_workflow", public_id=workflow.public_id, _anchor=place)
    return redirect(address, 303)
