"""The page that an invitation's link opens: joining a workspace, with or without an account."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from app.console.entering import enter
from app.console.guards import choose_workspace, signed_in_user
from app.console.known_browsers import set_browser_cookie
from app.links import this_address
from app.models import Invitation
from app.ways_in import refuse_passwords
from app.workspaces.invitations import (
    find_invitation,
    has_account,
    join,
    join_as_new,
)
from app.workspaces.mistakes import GoneError
from app.workspaces.passwords import MIN_LENGTH
from app.workspaces.people import RefusedError

blueprint = Blueprint("joining", __name__)
blueprint.after_request(set_browser_cookie)


@blueprint.get("/invitation/<token>")
def show_invitation(token: str) -> ResponseReturnValue:
    invitation = find_invitation(token)
    return _show(invitation, {}) if invitation else _show_gone()


@blueprint.post("/invitation/<token>")
def use_invitation(token: str) -> ResponseReturnValue:
    invitation = find_invitation(token)
    if invitation is None:
        return _show_gone()
    workspace = invitation.workspace
    workspace_id, name = workspace.public_id, workspace.name
    try:
        if current_user.is_authenticated:
            join(token, signed_in_user())
        elif has_account(invitation):
            return redirect(url_for("sign_in.show_sign_in", next=this_address()), 303)
        else:
            refuse_passwords()
            enter(
                join_as_new(token, request.form.get("name", ""), request.form.get("password", ""))
            )
    except GoneError:
        return _show_gone()
    except RefusedError as error:
        again = find_invitation(token)
        return (_show(again, error.errors), 422) if again else _show_gone()
    choose_workspace(workspace_id)
    flash(f"Welcome to {name}.", "success")
    return redirect(url_for("overview.show_overview"), 303)


def _show(invitation: Invitation, errors: dict[str, list[str]]) -> str:
    return render_template(
        "sign_in/invitation.html",
        invitation=invitation,
        user=signed_in_user() if current_user.is_authenticated else None,
        has_account=has_account(invitation),
        form=request.form,
        errors=errors,
        min_length=MIN_LENGTH,
    )


def _show_gone() -> ResponseReturnValue:
    return render_template("sign_in/invitation_gone.html"), 410
