"""API keys: the list, the form, the key that is shown once, and revoking."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from flask import (
    Blueprint,
    current_app,
    flash,
    redirect,
    render_template,
    request,
    url_for,
)
from flask.typing import ResponseReturnValue
from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import joinedload

from app.clock import now
from app.console.guards import current_workspace, find_own, signed_in_user
from app.console.key_form import (
    LIFETIMES,
    list_choices,
    list_workflow_choices,
    read_new_key,
)
from app.console.key_meter import Meter, read_meters
from app.console.key_usage import Day, count_by_day
from app.console.overview import first_slug
from app.console.paging import Paged, page_argument
from app.extensions import db
from app.ingest.foreign_forms import UUID
from app.links import public_url
from app.models import ADDRESS, SCOPES, ApiKey, Workflow
from app.workspaces.api_keys import create_api_key, revoke_api_key
from app.workspaces.people import RefusedError

PAGE_SIZE = 20
ENDED_SIZE = 10
USAGE_DAYS = 14
SCOPE_HINTS = {
    "ingest": "Report runs: all that a sender needs",
    "read": "Read workflows, runs and events",
}

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
    workspace_id = current_workspace().id
    try:
        wanted = read_new_key(request.form, workspace_id)
        api_key, key = create_api_key(workspace_id, **wanted._asdict(), created_by=signed_in_user())
    except RefusedError as error:
        return _show_list(error.errors), 422
    return show_new_key(api_key, key)


@blueprint.post("/keys/<public_id:public_id>/revoke")
def revoke(public_id: str) -> ResponseReturnValue:
    api_key = find_key(public_id)
    revoke_api_key(api_key, signed_in_user())
    flash(f"The key “{api_key.name}” is revoked. Its next request is refused.", "success")
    back = {**page_argument("page"), **page_argument("ended")}
    return redirect(url_for("keys.show_keys", **back), 303)


def show_new_key(api_key: ApiKey, key: str) -> str:
    """The page that shows a key, this once, with a command for a workflow that it may report."""
    workflows = find_limits([api_key])[api_key.id]
    if ADDRESS in api_key.scope_names:
        return _show_new_address(api_key, key, workflows)
    slug = workflows[0].slug if workflows else first_slug(api_key.workspace_id)
    return render_template(
        "console/key_created.html", api_key=api_key, key=key, slug=slug, workflows=workflows
    )


def _show_new_address(api_key: ApiKey, secret: str, workflows: list[Workflow]) -> str:
    """The same for one that stands in an address."""
    slug = "" if len(workflows) == 1 else first_slug(api_key.workspace_id) or "your-slug"
    return render_template(
        "console/address_created.html",
        api_key=api_key,
        workflows=workflows,
        urls=list_urls(secret, slug),
        is_answered=current_app.config["FLOWPULSE_COMPATIBILITY"],
    )


def list_urls(secret: str, slug: str) -> list[tuple[str, str, str]]:
    """The addresses that one secret makes: of whose form each is, its name on the page, and itself.

    With a slug, the secret is one of all workflows.
    """
    if slug:
        return [
            ("healthchecks", "As Healthchecks has it", public_url(f"/ping/{secret}/{slug}")),
            ("cronitor", "As Cronitor has it", public_url(f"/p/{secret}/{slug}?state=complete")),
        ]
    push = public_url(f"/api/push/{secret}?status=up&msg=OK&ping=")
    if not UUID.fullmatch(secret):
        return [("uptime-kuma", "As Uptime Kuma has it", push)]
    return [
        ("healthchecks", "As Healthchecks has it", public_url(f"/ping/{secret}")),
        ("uptime-kuma", "As Uptime Kuma has it", push),
    ]


def find_key(public_id: str) -> ApiKey:
    """The key of the user's workspace; 404 for any other."""
    return find_own(ApiKey, public_id, "key")


def list_keys(workspace_id: int, paged: Paged, *, ended: bool) -> list[ApiKey]:
    """A page of those in use, or of the revoked and expired ones; the newest on top."""
    query = select(ApiKey).where(ApiKey.workspace_id == workspace_id, _is_ended(ended))
    query = query.options(joinedload(ApiKey.created_by), joinedload(ApiKey.revoked_by))
    query = query.order_by(ApiKey.id.desc()).offset(paged.start).limit(paged.size)
    return list(db.session.scalars(query))


def count_keys(workspace_id: int, *, ended: bool) -> int:
    query = select(func.count()).where(ApiKey.workspace_id == workspace_id, _is_ended(ended))
    return db.session.scalar(query) or 0


def _is_ended(ended: bool) -> ColumnElement[bool]:
    is_over = ApiKey.expires_at.is_not(None) & (ApiKey.expires_at <= now())
    is_ended = or_(ApiKey.revoked_at.is_not(None), is_over)
    return is_ended if ended else ~is_ended


def describe(keys: Sequence[ApiKey]) -> list[Listed]:
    """The keys with all that the list shows of them, in a few queries for all."""
    ids = [key.id for key in keys]
    in_use = [key.id for key in keys if state_of(key) == "active"]
    days, limits = count_by_day(ids, USAGE_DAYS), find_limits(keys)
    successors = select(ApiKey).where(
        ApiKey.workspace_id == current_workspace().id, ApiKey.replaces_id.in_(in_use)
    )
    meters = read_meters(db.session.scalars(successors).all()) if in_use else {}
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
    workflow_choices, has_all_choices = list_workflow_choices(workspace_id)
    in_use = Paged(
        count_keys(workspace_id, ended=False), PAGE_SIZE, "keys.show_keys", kept=("ended",)
    )
    ended = Paged(
        count_keys(workspace_id, ended=True), ENDED_SIZE, "keys.show_keys", "ended", kept=("page",)
    )
    return render_template(
        "console/keys.html",
        listed=describe(list_keys(workspace_id, in_use, ended=False)),
        ended=describe(list_keys(workspace_id, ended, ended=True)),
        in_use_pages=in_use,
        ended_pages=ended,
        lifetimes=list_choices(LIFETIMES),
        scope_hints=SCOPE_HINTS,
        ticked=form.getlist("scope") if errors else SCOPES,
        workflow_choices=workflow_choices,
        has_all_choices=has_all_choices,
        ticked_workflows=form.getlist("workflow"),
        form=form,
        errors=errors,
    )
