"""A workflow's secret addresses, as other monitors have them: made, or brought along."""

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from app.console.guards import signed_in_user
from app.console.keys import show_new_key
from app.console.workflow_list import find_workflow
from app.console.workflows import show_one
from app.workspaces.people import RefusedError
from app.workspaces.report_addresses import create_address

blueprint = Blueprint("addresses", __name__)


@blueprint.post("/workflows/<public_id:public_id>/address")
def add_address(public_id: str) -> ResponseReturnValue:
    """The address is in this answer and nowhere else."""
    workflow = find_workflow(public_id)
    brought = request.form.get("address", "")
    try:
        address, secret = create_address(
            workflow.workspace_id, workflow, brought, created_by=signed_in_user()
        )
    except RefusedError as error:
        return show_one(workflow, error.errors), 422
    return show_new_key(address, secret)
