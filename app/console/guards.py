"""Who may open which page: registered on the blueprints, not on each view."""

from typing import TypeVar, cast

from flask import (
    Blueprint,
    abort,
    current_app,
    g,
    make_response,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from flask.typing import ResponseReturnValue
from flask_login import current_user
from sqlalchemy import select
from sqlalchemy.orm import joinedload
from werkzeug.routing import BaseConverter

from app.console.access import ACCESS, CHECK_THEIR_OWN_FORM, FRESH
from app.console.confirmations import ask_first
from app.console.form_body import read_form
from app.console.kept_forms import keep_form, sent_from, show_kept
from app.console.origins import check_origin
from app.console.password_again import ask_again
from app.extensions import csrf, db
from app.htmx import is_for_htmx
from app.links import start_page, this_address
from app.models import ROLES, ApiKey, Membership, User, Workflow, Workspace
from app.workspaces.people import is_instance_owner

Own = TypeVar("Own", ApiKey, Workflow)
"""What a workspace has, each under an id of its own."""
CHOSEN = "workspace"
"""In the browser's signed cookie: the workspace that it shows."""
READING = frozenset({"GET", "HEAD", "OPTIONS"})


class PublicIdConverter(BaseConverter):
    """Lets only what can be a public id reach the database; the rest is 404."""

    regex = "[a-z0-9]{24}"


def protect_forms(blueprint: Blueprint) -> None:
    """Have every form that the blueprint takes checked for its origin and its token.

    The API needs none: a key opens it, and no cookie.
    """
    blueprint.before_request(_check_form)


def _check_form() -> None:
    if request.method not in READING:
        read_form()
        check_origin()
    if request.endpoint not in CHECK_THEIR_OWN_FORM:
        csrf.protect()


def guard(blueprint: Blueprint) -> None:
    """Have every request to the blueprint checked; it must be listed in ACCESS."""
    blueprint.before_request(_check_access)


def _check_access() -> ResponseReturnValue | None:
    if not current_user.is_authenticated:
        return _send_to_sign_in()
    access = ACCESS[str(request.blueprint)]
    if not may(access.look if request.method in READING else access.change):
        abort(403, f"Your role in this workspace is {current_membership().role}: it can't do this.")
    asked = None if request.method in READING else ask_first()
    return asked or (ask_again(signed_in_user()) if request.endpoint in FRESH else None)


def protect_reading(blueprint: Blueprint) -> None:
    """Let everybody read the blueprint's pages, or who is signed in: FLOWPULSE_PUBLIC_DOCS."""
    blueprint.before_request(_check_reading)


def _check_reading() -> ResponseReturnValue | None:
    if current_app.config["FLOWPULSE_PUBLIC_DOCS"] or current_user.is_authenticated:
        return None
    return _send_to_sign_in()


def _send_to_sign_in() -> ResponseReturnValue:
    """A script that follows a redirect would take the sign-in page for its answer: it gets 401."""
    kept = None if request.method in READING else keep_form()
    if kept:
        return show_kept(kept, 401)
    if is_for_htmx() or "text/event-stream" in request.headers.get("Accept", ""):
        abort(401, "Sign in again.")
    if request.method not in READING:
        page = sent_from()
        return redirect(
            url_for("sign_in.show_sign_in", next=None if page == start_page() else page), 303
        )
    target = this_address()
    return redirect(
        url_for("sign_in.show_sign_in", next=None if target == start_page() else target)
    )


def signed_in_user() -> User:
    return cast(User, current_user._get_current_object())


def find_membership() -> Membership | None:
    """The signed-in user's membership in the workspace that this browser has chosen, or else the
    first, if there is any."""
    if "membership" not in g:
        mine = db.session.scalars(
            select(Membership)
            .where(Membership.user_id == signed_in_user().id)
            .options(joinedload(Membership.workspace))
            .order_by(Membership.id)
        ).all()
        chosen = [each for each in mine if each.workspace.public_id == session.get(CHOSEN)]
        g.membership = next(iter([*chosen, *mine]), None)
        # For what must not ask the database.
        g.role = g.membership.role if g.membership else None
        g.workspaces = [
            (each.workspace.public_id, each.workspace.name, each is g.membership) for each in mine
        ]
    return cast(Membership | None, g.membership)


def choose_workspace(public_id: str) -> None:
    """Have this browser show a workspace from now on; one that the user is not in counts for
    nothing."""
    session[CHOSEN] = public_id


def current_membership() -> Membership:
    """The signed-in user's membership; without any, the user is told and can sign out."""
    membership = find_membership()
    if membership is None:
        abort(make_response(render_template("errors/no_workspace.html"), 403))
    return membership


def is_reader() -> bool:
    """Whether an open page has somebody to show a workspace to."""
    return current_user.is_authenticated and find_membership() is not None


def current_workspace() -> Workspace:
    return current_membership().workspace


def find_own(kind: type[Own], public_id: str, noun: str) -> Own:
    """The row of the user's workspace; 404 for any other."""
    query = select(kind).where(
        kind.public_id == public_id, kind.workspace_id == current_workspace().id
    )
    found = db.session.scalar(query)
    if found is None:
        abort(404, f"There is no such {noun} in this workspace.")
    return found


def may(role: str) -> bool:
    """Whether the signed-in user has at least this role; nobody has, who is in no workspace."""
    membership = find_membership()
    return membership is not None and ROLES.index(membership.role) >= ROLES.index(role)


def visible_workspace_ids() -> list[int | None]:
    """Whose events the user sees; None stands for those of no workspace, such as unknown keys."""
    own: list[int | None] = [current_workspace().id]
    return [*own, None] if is_instance_owner(signed_in_user()) else own
