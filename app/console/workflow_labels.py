"""The labels of a workflow, set on its page."""

from flask import Blueprint, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from app.console.workflow_list import find_workflow
from app.workspaces.labels import set_labels
from app.workspaces.people import RefusedError

blueprint = Blueprint("workflow_labels", __name__)


@blueprint.post("/workflows/<public_id:public_id>/labels")
def save_labels(public_id: str) -> ResponseReturnValue:
    workflow = find_workflow(public_id)
    try:
        labels = set_labels(workflow, request.form.get("labels", ""))
    except RefusedError as error:
        flash(str(error), "error")
    else:
        said = f"Labels: {', '.join(labels)}." if labels else "The workflow has no labels now."
        flash(said, "success")
    return redirect(url_for("workflows.show_workflow", public_id=public_id, _anchor="labels"), 303)
