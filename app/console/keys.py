"""API keys: the list, the form, the key that is shown once, and revoking."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.orm import joinedload

from app.clock import now
from app.console.guards import current_workspace, signed_in_user
from app.console.key_form import (
    LIFETIMES,
    MAX_CHOICES,
    list_choices,
    list_workflow_choices,
    read_time,
    read_workflows,
)
from app.console.key_usage import Day, Meter, count_by_day, read_meters
from app.console.overview import first_slug
from app.console.paging import read_page
from app.extensions import db
from app.models import SCOPES, ApiKey, Workflow
from app.workspaces.api_keys import check_api_key, create_api_key, revoke_api_key
from app.workspaces.mistakes import Mistakes, RefusedError

PAGE_SIZE = 25
LATEST_ENDED = 10
USAGE_DAYS = 14
SCOPE_HINTS = {"ingest": "Report runs", "read": "Read workflows, runs and events"}

blueprint = Blueprint("keys", __name__)


class Listed(NamedTuple):
    """A key as the list shows it; the meter is that of a key that was rotated."""

    key: ApiKey
    state: str
    days: list[Day]
    workflows: list[Workflow]
    meter: Meter | None


@blueprint.get("/keys")
def show_keys() -> str:
    return _show_list({})


@blueprint.post("/keys")
def add_key() -> ResponseReturnValue:
    """The key is in this answer and nowhere else: neither in a session nor in an address."""
    workspace_id, form = current_workspace().id, request.form
    name, scopes = form.get("name", ""), form.getlist("scope")
    mistakes = Mistakes()
    try:
        with mistakes.noted():
            check_api_key(workspace_id, name, scopes)
        with mistakes.noted():
            expires_at = read_time(form, "expires", LIFETIMES, "never")
        with mistakes.noted():
            limits = read_workflows(form, workspace_id)
        mistakes.refuse()
        api_key, key = create_api_key(
            workspace_id, name, scopes, expires_at, signed_in_user(), limits
        )
    except RefusedError as error:
        return _show_list(error.errors), 422
    return show_new_key(api_key, key)


@blueprint.post("/keys/<public_id:public_id>/revoke")
def revoke(public_id: str) -> ResponseReturnValue:
    api_key = find_key(public_id)
    revoke_api_key(api_key, signed_in_user())
    flash(f"The key “{api_key.name}” is revoked. Its next request is refused.", "success")
    return redirect(url_for("keys.show_keys"), 303)


def show_new_key(api_key: ApiKey, key: str) -> str:
    """The page that shows a key, this once, with a command for a workflow that it may report."""
    workflows = find_limits([api_key])[api_key.id]
    slug = workflows[0].slug if workflows else first_slug(api_key.workspace_id)
    return render_template(
        "console/key_created.html", api_key=api_key, key=key, slug=slug, workflows=workflows
    )


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


def list_keys(workspace_id: int, page: int = 1) -> list[ApiKey]:
    """A page of those in use, the newest on top."""
    query = _of(workspace_id, ~_is_ended()).offset((page - 1) * PAGE_SIZE)
    return list(db.session.scalars(query.limit(PAGE_SIZE)))


def list_ended_keys(workspace_id: int) -> list[ApiKey]:
    """The revoked and expired ones that were made last."""
    return list(db.session.scalars(_of(workspace_id, _is_ended()).limit(LATEST_ENDED)))


def _of(workspace_id: int, condition: ColumnElement[bool]) -> Select[ApiKey]:
    query = select(ApiKey).where(ApiKey.workspace_id == workspace_id, condition)
    query = query.options(joinedload(ApiKey.created_by), joinedload(ApiKey.revoked_by))
    return query.order_by(ApiKey.id.desc())


def count_keys(workspace_id: int, *, ended: bool) -> int:
    condition = _is_ended() if ended else ~_is_ended()
    query = select(func.count(ApiKey.id)).where(ApiKey.workspace_id == workspace_id, condition)
    return db.session.scalar(query) or 0


def _is_ended() -> ColumnElement[bool]:
    is_over = ApiKey.expires_at.is_not(None) & (ApiKey.expires_at <= now())
    return or_(ApiKey.revoked_at.is_not(None), is_over)


def describe(keys: Sequence[ApiKey]) -> list[Listed]:
    """The keys with all that the list shows of them, in a few queries for all."""
    ids = [key.id for key in keys]
    days, limits = count_by_day(ids, USAGE_DAYS), find_limits(keys)
    successors = select(ApiKey).where(
        ApiKey.workspace_id == current_workspace().id, ApiKey.replaces_id.in_(ids)
    )
    meters = read_meters(db.session.scalars(successors).all()) if ids else {}
    return [
        Listed(key, state_of(key), days[key.id], limits[key.id], meters.get(key.id)) for key in keys
    ]


def find_limits(keys: Iterable[ApiKey]) -> dict[int, list[Workflow]]:
    """The workflows that each key is limited to, by name; none: it is not limited."""
    wanted = {key.id: set(key.workflow_ids or ()) for key in keys}
    every = set().union(*wanted.values())
    query = select(Workflow).where(Workflow.id.in_(every)).order_by(Workflow.name)
    workflows = db.session.scalars(query).all() if every else []
    return {
        key_id: [workflow for workflow in workflows if workflow.id in ids]
        for key_id, ids in wanted.items()
    }


def state_of(api_key: ApiKey) -> str:
    """`active`, `expired` or `revoked`."""
    if api_key.revoked_at is not None:
        return "revoked"
    is_over = api_key.expires_at is not None and api_key.expires_at <= now()
    return "expired" if is_over else "active"


def _show_list(errors: dict[str, list[str]]) -> str:
    workspace_id, form = current_workspace().id, request.form
    page = read_page()
    count = count_keys(workspace_id, ended=False)
    return render_template(
        "console/keys.html",
        listed=describe(list_keys(workspace_id, page)),
        ended=describe(list_ended_keys(workspace_id)),
        count=count,
        ended_count=count_keys(workspace_id, ended=True),
        newer=page - 1,
        older=page + 1 if page * PAGE_SIZE < count else 0,
        lifetimes=list_choices(LIFETIMES),
        scope_hints=SCOPE_HINTS,
        ticked=form.getlist("scope") if errors else SCOPES,
        workflow_choices=list_workflow_choices(workspace_id),
        max_choices=MAX_CHOICES,
        ticked_workflows=form.getlist("workflow"),
        form=form,
        errors=errors,
    )
