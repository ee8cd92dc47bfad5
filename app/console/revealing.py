"""Shows what the page of an event hides, to who may see it, for some minutes."""

from flask import Blueprint, abort, current_app, flash, redirect, url_for
from flask.typing import ResponseReturnValue

from app.console.event import find_event
from app.console.guards import current_membership, current_workspace
from app.console.hidden import SECONDS, hide_again, may_reveal, reveal
from app.extensions import writing
from app.models import Event
from app.workspaces.audit import note

blueprint = Blueprint("revealing", __name__, url_prefix="/events/<public_id:public_id>")


@blueprint.post("/reveal")
def reveal_values(public_id: str) -> ResponseReturnValue:
    """For the role that FLOWPULSE_REVEAL_ROLE names, once the password was given."""
    event = _find(public_id)
    workspace_id = event.workspace_id or current_workspace().id
    with writing() as session:
        note(session, "secrets_revealed", workspace_id, f"event {public_id}")
    reveal(find_event(public_id))
    flash(f"What is hidden of this request is shown for {SECONDS // 60} minutes.", "message")
    return redirect(url_for("event.show_event", public_id=public_id), 303)


@blueprint.post("/hide")
def hide_values(public_id: str) -> ResponseReturnValue:
    hide_again(_find(public_id))
    return redirect(url_for("event.show_event", public_id=public_id), 303)


def _find(public_id: str) -> Event:
    if not may_reveal():
        least = current_app.config["FLOWPULSE_REVEAL_ROLE"]
        own = current_membership().role
        abort(403, f"Your role in this workspace is {own}: hidden values are for {least}.")
    return find_event(public_id)
