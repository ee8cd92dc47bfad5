"""The connect wizard: a tool, a workflow, a key, a snippet; then the page waits for both ticks."""

from datetime import timedelta

from flask import Blueprint, flash, redirect, render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from app.clock import now
from app.console.guards import current_workspace, signed_in_user, visible_workspace_ids
from app.console.listening import Watch, is_news, listen
from app.console.snippets import TOOLS
from app.console.wizard import Choice, describe_listening, describe_wizard, read_choice, since
from app.extensions import db
from app.htmx import is_for_htmx
from app.models import SCOPES, ApiKey
from app.workspaces.api_keys import create_api_key, find_by_secret
from app.workspaces.people import RefusedError
from app.workspaces.workflows import create_workflow, find_twin

_JUST_NOW = timedelta(minutes=10)
"""A key of the same name that is younger was made by an earlier press of the same button."""

blueprint = Blueprint("connect", __name__)


@blueprint.get("/connect")
def show_connect() -> ResponseReturnValue:
    choice = read_choice()
    if choice.tool and choice.workflow and Watch.read(request.args) is None:
        return redirect(choice.address(**Watch.start()._asdict()))
    return _show(choice)


@blueprint.get("/connect/workflow", endpoint="lead_back")
@blueprint.get("/connect/key", endpoint="lead_back")
@blueprint.get("/connect/tool", endpoint="lead_back")
def lead_back() -> ResponseReturnValue:
    """Who reloads the address of a form's answer gets the wizard, where it stood."""
    return redirect(read_choice().address(**since()))


@blueprint.post("/connect/workflow")
def add_workflow() -> ResponseReturnValue:
    """A second press goes on with the workflow that the first one made."""
    choice, name = read_choice(), request.form.get("name", "")
    workspace_id = current_workspace().id
    try:
        workflow = create_workflow(workspace_id, name)
    except RefusedError as error:
        twin = find_twin(workspace_id, name)
        if twin is None:
            return _show(choice, errors={"workflow": [str(error)]}), 422
        workflow = twin
        flash(f"The workflow “{workflow.name}” is there already: the wizard goes on with it.")
    return redirect(choice._replace(workflow=workflow).address(), 303)


@blueprint.post("/connect/key")
def add_key() -> ResponseReturnValue:
    """The key is in this answer and nowhere else: neither in a session nor in an address.

    A second press can't show it again; it says that the key is there, and goes on with it.
    """
    choice = read_choice()
    if choice.workflow is None or Watch.read(request.args) is None:
        return redirect(choice.address(), 303)
    name = request.form.get("name", "")
    scopes = [each for each in SCOPES if each == "ingest" or each in request.form.getlist("scope")]
    try:
        api_key, key = create_api_key(
            current_workspace().id, name, scopes, created_by=signed_in_user()
        )
    except RefusedError as error:
        made = _find_just_made(name)
        if made is None:
            return _show(choice, errors={"key": [str(error)]}), 422
        flash(f"The key “{made.name}” is there already: the wizard goes on with it.")
        return redirect(choice._replace(api_key=made).address(**since()), 303)
    return _show(choice._replace(api_key=api_key), key)


@blueprint.post("/connect/tool")
def change_tool() -> ResponseReturnValue:
    """Another tool's snippet with the key that the page shows already, and sends along."""
    choice, tool = read_choice(), request.form.get("tool", "")
    choice = choice._replace(tool=tool) if tool in TOOLS else choice
    key = request.form.get("key", "")
    api_key = find_by_secret(current_workspace().id, key)
    if api_key is None:
        return redirect(choice.address(**since()), 303)
    return _show(choice._replace(api_key=api_key), key)


@blueprint.get("/connect/listen")
def listen_once() -> ResponseReturnValue:
    """The part that waits; 204 where the page shows already what there is."""
    choice, watch = read_choice(), Watch.read(request.args)
    if choice.workflow is None or watch is None:
        return redirect(choice.address())
    heard = listen(choice.workflow, visible_workspace_ids(), watch, choice.api_key)
    if not is_for_htmx():
        return redirect(choice.address(**heard.watch._asdict(), _anchor="listen"))
    if not is_news(watch, heard, "silent" in request.args):
        return "", 204
    return render_template("console/_connect_listen.html", **describe_listening(choice, heard))


def _show(
    choice: Choice, key: str | None = None, errors: dict[str, list[str]] | None = None
) -> str:
    return render_template("console/connect.html", **describe_wizard(choice, key, errors))


def _find_just_made(name: str) -> ApiKey | None:
    query = select(ApiKey).where(
        ApiKey.workspace_id == current_workspace().id,
        ApiKey.name == " ".join(name.split()),
        ApiKey.revoked_at.is_(None),
        ApiKey.created_by_id == signed_in_user().id,
        ApiKey.created_at > now() - _JUST_NOW,
    )
    return db.session.scalar(query)
