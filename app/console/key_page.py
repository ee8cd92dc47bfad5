"""One API key: what it may, how it is used and by whom, and rotating it."""

from datetime import timedelta

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from app.clock import now
from app.console.confirmations import FILL_INS
from app.console.event_search import load_events
from app.console.guards import signed_in_user
from app.console.key_form import list_keeps, read_end, suggest_keep, tell_end
from app.console.key_meter import Meter, list_meter_senders, longest_pause, read_meters
from app.console.key_usage import count_by_day, list_senders
from app.console.keys import find_key, find_limits, show_new_key, state_of
from app.console.refused import NEWEST, newest_refused_ids
from app.extensions import db
from app.ingest.service import ingest_service
from app.models import ApiKey
from app.workspaces.api_keys import find_successor, propose_old_name, rotate_api_key
from app.workspaces.people import RefusedError

USAGE_DAYS = 30
LATEST = 10

blueprint = Blueprint("key_page", __name__)
FILL_INS["keep_at"] = tell_end


@blueprint.get("/keys/<public_id:public_id>")
def show_key(public_id: str) -> str:
    return _show_one(find_key(public_id), {})


@blueprint.post("/keys/<public_id:public_id>/rotate")
def rotate(public_id: str) -> ResponseReturnValue:
    """The new key is in this answer and nowhere else."""
    api_key = find_key(public_id)
    ingest_service().usage.sync()  # What was used until now is no use of the old key.
    try:
        successor, key = rotate_api_key(api_key, read_end(request.form), signed_in_user())
    except RefusedError as error:
        return _show_one(api_key, error.errors), 422
    return show_new_key(successor, key)


def read_own_meter(api_key: ApiKey) -> Meter | None:
    """What still uses the key, where it was rotated."""
    successor = find_successor(api_key)
    return read_meters([successor]).get(api_key.id) if successor else None


def _show_one(api_key: ApiKey, errors: dict[str, list[str]]) -> str:
    meter, successor = read_own_meter(api_key), find_successor(api_key)
    is_replaced = successor is not None and successor.revoked_at is None
    can_rotate = state_of(api_key) == "active" and not is_replaced
    pause = longest_pause(list_meter_senders(api_key.id, now())) if can_rotate else None
    return render_template(
        "console/key.html",
        api_key=api_key,
        state=state_of(api_key),
        workflows=find_limits([api_key])[api_key.id],
        days=count_by_day([api_key.id], USAGE_DAYS)[api_key.id],
        senders=list_senders(api_key.id, now() - timedelta(days=USAGE_DAYS)),
        events=load_events(newest_refused_ids(NEWEST.api_key_id == api_key.id, limit=LATEST)),
        meter=meter,
        old_meter=read_own_meter(api_key.replaces) if api_key.replaces else None,
        can_rotate=can_rotate,
        old_name=propose_old_name(db.session(), api_key) if can_rotate else None,
        pause_ms=pause and pause.total_seconds() * 1_000,
        keeps=list_keeps(),
        usual_keep=suggest_keep(pause),
        form=request.form,
        errors=errors,
    )
