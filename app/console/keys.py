"""API keys: the list, the form, the key that is shown once, and revoking."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from app.clock import now
from app.console.guards import current_workspace, signed_in_user
from app.console.overview import first_slug
from app.extensions import db
from app.models import SCOPES, ApiKey
from app.workspaces.api_keys import create_api_key, revoke_api_key
from app.workspaces.people import RefusedError

LIFETIMES: dict[str, timedelta | None] = {
    "never": None,
    "30 days": timedelta(days=30),
    "90 days": timedelta(days=90),
    "365 days": timedelta(days=365),
}
SCOPE_HINTS = {"ingest": "Report runs", "read": "Read workflows, runs and events"}

blueprint = Blueprint("keys", __name__)


@blueprint.get("/keys")
def show_keys() -> str:
    return _show_list({})


@blueprint.post("/keys")
def add_key() -> ResponseReturnValue:
    """The key is in this answer and nowhere else: neither in a session nor in an address."""
    workspace_id = current_workspace().id
    try:
        api_key, key = create_api_key(
            workspace_id,
            request.form.get("name", ""),
            request.form.getlist("scope"),
            _read_expiry(),
            signed_in_user(),
        )
    except RefusedError as error:
        return _show_list({error.field: [str(error)]}), 422
    slug = first_slug(workspace_id)
    return render_template("console/key_created.html", api_key=api_key, key=key, slug=slug)


@blueprint.post("/keys/<public_id:public_id>/revoke")
def revoke(public_id: str) -> ResponseReturnValue:
    api_key = find_key(public_id)
    revoke_api_key(api_key, signed_in_user())
    flash(f"The key “{api_key.name}” is revoked. Its next request is refused.", "success")
    return redirect(url_for("keys.show_keys"), 303)


def find_key(public_id: str) -> ApiKey:
    """The key of the user's workspace; 404 for any other."""
    api_key = db.session.scalar(
        select(ApiKey).where(
            ApiKey.public_id == public_id, ApiKey.workspace_id == current_workspace().id
        )
    )
    if api_key is None:
        abort(404, "There is no such key in this workspace.")
    return api_key


def list_keys(workspace_id: int) -> Sequence[ApiKey]:
    """Those in use first, each group with the newest on top."""
    return db.session.scalars(
        select(ApiKey)
        .where(ApiKey.workspace_id == workspace_id)
        .options(joinedload(ApiKey.created_by), joinedload(ApiKey.revoked_by))
        .order_by(ApiKey.revoked_at.is_not(None), ApiKey.id.desc())
    ).all()


def state_of(api_key: ApiKey) -> str:
    """`active`, `expired` or `revoked`."""
    if api_key.revoked_at is not None:
        return "revoked"
    is_over = api_key.expires_at is not None and api_key.expires_at <= now()
    return "expired" if is_over else "active"


def _read_expiry() -> datetime | None:
    """Raises RefusedError for what is not in the list: a mistake must not make a key for ever."""
    name = request.form.get("expires", "never")
    if name not in LIFETIMES:
        raise RefusedError("expires", f"Choose one of {', '.join(LIFETIMES)}.")
    lifetime = LIFETIMES[name]
    return now() + lifetime if lifetime else None


def _show_list(errors: dict[str, list[str]]) -> str:
    return render_template(
        "console/keys.html",
        keys=list_keys(current_workspace().id),
        state_of=state_of,
        lifetimes=[(name, name.capitalize()) for name in LIFETIMES],
        scope_hints=SCOPE_HINTS,
        ticked=request.form.getlist("scope") if errors else SCOPES,
        form=request.form,
        errors=errors,
    )
