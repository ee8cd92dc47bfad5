"""Shows what the page of an event hides, to who may see it, for some minutes."""

from flask import Blueprint, abort, current_app, flash, redirect, url_for
from flask.typing import ResponseReturnValue

from app.console.event import find_event
from app.console.hidden import SECONDS, hide_again, may_reveal, reveal

blueprint = Blueprint("revealing", __name__, url_prefix="/events/<public_id:public_id>")


@blueprint.post("/reveal")
def reveal_values(public_id: str) -> ResponseReturnValue:
    """For the role that FLOWPULSE_REVEAL_ROLE names, once the password was given."""
    event = find_event(public_id)
    if not may_reveal():
        role = current_app.config["FLOWPULSE_REVEAL_ROLE"]
        abort(403, f"Hidden values are shown to: {role}. FLOWPULSE_REVEAL_ROLE says so.")
    reveal(event)
    flash(f"Hidden values of this request are shown for {SECONDS // 60} minutes.", "message")
    return redirect(url_for("event.show_event", public_id=public_id), 303)


@blueprint.post("/hide")
def hide_values(public_id: str) -> ResponseReturnValue:
    hide_again(find_event(public_id))
    return redirect(url_for("event.show_event", public_id=public_id), 303)
