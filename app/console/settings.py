"""The workspace's settings: its name, how long things are kept, its people; and the server."""

from flask import Blueprint, abort, current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.channels.network import can_mail_links
from app.console.formatting import plural
from app.console.guards import (
    choose_workspace,
    current_membership,
    current_workspace,
    may,
    signed_in_user,
)
from app.console.hidden import may_reveal
from app.console.instance import describe_instance, find_oldest
from app.console.paging import Paged, page_argument
from app.links import public_url_for, start_page
from app.models import ROLES, Membership
from app.workspaces.deletion import delete_workspace
from app.workspaces.invitations import call_back, invite, list_invitations
from app.workspaces.members import (
    change_role,
    count_members,
    find_member,
    list_members,
    may_manage,
    remove_member,
)
from app.workspaces.people import RefusedError, create_workspace, is_instance_owner
from app.workspaces.settings import (
    LONGEST_DAYS,
    PERIODS,
    SHORTEST_DAYS,
    default_days,
    keep_for,
    kept_days,
    read_days,
    rename_workspace,
)

PAGE_SIZE = 22
ROLE_HINTS = {
    "viewer": "sees events, runs and workflows; no keys, no changes",
    "member": "also makes workflows and API keys, and mends events",
    "admin": "also changes these settings and people's roles",
    "owner": "also decides who is an owner",
}

blueprint = Blueprint("settings", __name__)


@blueprint.get("/settings")
def show_settings() -> str:
    return _show_page({})


@blueprint.post("/settings/name")
def save_name() -> ResponseReturnValue:
    try:
        rename_workspace(current_workspace(), request.form.get("workspace", ""))
    except RefusedError as error:
        return _show_page(error.errors), 422
    return _answer(f"The workspace is now called {current_workspace().name}.")


@blueprint.post("/settings/retention")
def save_retention() -> ResponseReturnValue:
    """All three at once: whoever mistypes two numbers sees both errors."""
    errors: dict[str, list[str]] = {}
    days: dict[str, int | None] = {}
    for period in PERIODS:
        try:
            days[period.field] = read_days(period.field, request.form.get(period.field, ""))
        except RefusedError as error:
            errors[error.field] = [str(error)]
    if errors:
        return _show_page(errors), 422
    keep_for(current_workspace(), days)
    return _answer("Saved. What is older than that goes within a few minutes.")


@blueprint.post("/settings/members/<public_id:public_id>/role")
def save_role(public_id: str) -> ResponseReturnValue:
    member = _find(public_id)
    role = request.form.get("role", "")
    try:
        change_role(current_membership(), member, role)
    except RefusedError as error:
        return _show_page({f"member-{public_id}": [str(error)]}), 422
    return _answer(f"{member.user.email} now has the role {role}.")


@blueprint.post("/settings/members/<public_id:public_id>/remove")
def remove(public_id: str) -> ResponseReturnValue:
    member = _find(public_id)
    email = member.user.email
    try:
        remove_member(current_membership(), member)
    except RefusedError as error:
        return _show_page({f"member-{public_id}": [str(error)]}), 422
    return _answer(f"{email} is no longer in the workspace.")


@blueprint.post("/settings/invitations")
def add_invitation() -> ResponseReturnValue:
    email, role = (request.form.get(name, "") for name in ("invited_email", "invited_role"))
    try:
        invitation, token = invite(current_membership(), email, role)
    except RefusedError as error:
        return _show_page({f"invited_{field}": each for field, each in error.errors.items()}), 422
    return render_template(
        "console/invitation_made.html",
        invitation=invitation,
        workspace=current_workspace(),
        is_mailed=can_mail_links(),
        link=public_url_for("joining.show_invitation", token=token),
    )


@blueprint.post("/settings/invitations/<public_id:public_id>/revoke")
def revoke_invitation(public_id: str) -> ResponseReturnValue:
    try:
        email = call_back(current_membership(), public_id)
    except RefusedError as error:
        return _show_page({"invited_email": [str(error)]}), 422
    if email is None:
        abort(404, "There is no such invitation: it was used, called back, or is over.")
    return _answer(f"The invitation of {email} opens nothing any more.")


@blueprint.post("/settings/workspaces")
def add_workspace() -> ResponseReturnValue:
    """For the server's owner alone: everybody else is in the workspaces that they are asked to."""
    user = signed_in_user()
    if not is_instance_owner(user):
        abort(403, "Only the owner of this server makes workspaces.")
    try:
        workspace = create_workspace(request.form.get("new_workspace", ""), user)
    except RefusedError as error:
        return _show_page({"new_workspace": [str(error)]}), 422
    choose_workspace(workspace.public_id)
    flash(f"{workspace.name} is there, and shown from now on.", "success")
    return redirect(url_for("overview.show_overview"), 303)


@blueprint.post("/settings/delete")
def delete() -> ResponseReturnValue:
    """For owners, who type its name once more."""
    if not may("owner"):
        abort(403, "Only an owner deletes the workspace.")
    workspace = current_workspace()
    name = workspace.name
    try:
        delete_workspace(workspace, request.form.get("name_again", ""))
    except RefusedError as error:
        return _show_page(error.errors), 422
    flash(f"The workspace {name} is deleted.", "success")
    return redirect(start_page(), 303)


def _find(public_id: str) -> Membership:
    member = find_member(current_workspace().id, public_id)
    if member is None:
        abort(404, "There is no such person in this workspace.")
    return member


def _answer(text: str) -> ResponseReturnValue:
    flash(text, "success")
    return redirect(url_for("settings.show_settings", **page_argument("members")), 303)


def _show_page(errors: dict[str, list[str]]) -> str:
    """Errors come with what was typed."""
    workspace, actor = current_workspace(), current_membership()
    typed = request.form if errors else {}
    roles = ROLES if actor.role == "owner" else ROLES[:-1]
    people = Paged(count_members(workspace.id), PAGE_SIZE, "settings.show_settings", "members")
    return render_template(
        "console/settings.html",
        workspace=workspace,
        name=typed.get("workspace", workspace.name),
        periods=[
            {
                "field": period.field,
                "label": period.label,
                "value": typed.get(period.field, getattr(workspace, period.field)),
                "kept": plural(kept_days(workspace, period.field), "day"),
                "default": plural(default_days(period.field), "day"),
                "oldest": find_oldest(workspace.id, period.field),
            }
            for period in PERIODS
        ],
        most_rejected=current_app.config["FLOWPULSE_REJECTED_ROWS"],
        shortest=SHORTEST_DAYS,
        longest=LONGEST_DAYS,
        invitations=list_invitations(workspace.id) if may_manage(actor, actor) else (),
        members=list_members(workspace.id, people.start, people.size),
        people=people,
        typed=typed,
        actor=actor,
        may_manage=may_manage,
        roles=roles,
        role_choices=[(role, role) for role in roles],
        role_hints=ROLE_HINTS,
        instance=describe_instance() if is_instance_owner(signed_in_user()) else None,
        may_reveal=may_reveal(),
        errors=errors,
    )
