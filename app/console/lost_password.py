"""Who has lost the password: a mail with a link, and the page that it opens."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.channels.network import can_mail_links
from app.ways_in import refuse_passwords
from app.workspaces.lost_password import (
    choose_password,
    find_person,
    mail_link,
)
from app.workspaces.mistakes import GoneError
from app.workspaces.passwords import MIN_LENGTH
from app.workspaces.people import RefusedError, clean_email
from app.workspaces.tries import of_lost_passwords, take

blueprint = Blueprint("lost_password", __name__)

Errors = dict[str, list[str]]


@blueprint.get("/sign-in/lost-password")
def show_question() -> str:
    refuse_passwords()
    return _ask({})


@blueprint.post("/sign-in/lost-password")
def send_link() -> ResponseReturnValue:
    """Who is unknown gets the same answer, after the same work, as who is known."""
    refuse_passwords()
    if not can_mail_links():
        return _ask({}), 403
    try:
        email = clean_email(request.form.get("email", ""))
    except RefusedError as error:
        return _ask(error.errors), 422
    wait = take(of_lost_passwords(email, request.remote_addr or "unknown"))
    if wait:
        errors = {"email": [f"Too many mails were asked for. Wait {wait} s, then try again."]}
        return _ask(errors), 429, {"Retry-After": str(wait)}
    mail_link(email, request.remote_addr or "")
    return render_template("sign_in/link_sent.html", email=email)


@blueprint.get("/sign-in/new-password/<token>")
def show_form(token: str) -> ResponseReturnValue:
    refuse_passwords()
    return _show_form(token, {})


@blueprint.post("/sign-in/new-password/<token>")
def save_password(token: str) -> ResponseReturnValue:
    refuse_passwords()
    try:
        choose_password(token, request.form.get("password", ""))
    except GoneError:
        return _show_gone()
    except RefusedError as error:
        return _show_form(token, error.errors, 422)
    flash("Your password is changed. Sign in with it.", "success")
    return redirect(url_for("sign_in.show_sign_in"), 303)


def _ask(errors: Errors) -> str:
    return render_template(
        "sign_in/lost_password.html",
        can_mail=can_mail_links(),
        email=request.form.get("email", ""),
        errors=errors,
    )


def _show_form(token: str, errors: Errors, status: int = 200) -> ResponseReturnValue:
    user = find_person(token)
    if user is None:
        return _show_gone()
    page = render_template(
        "sign_in/new_password.html", email=user.email, errors=errors, min_length=MIN_LENGTH
    )
    return page, status


def _show_gone() -> ResponseReturnValue:
    return render_template("sign_in/link_gone.html"), 410
