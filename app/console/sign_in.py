"""Signing in and out, and setting the server up once."""

from flask import Blueprint, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, logout_user

from app.console.entering import enter, go_on, show_first_step, take_try
from app.console.guards import signed_in_user
from app.console.kept_forms import CARRIED, read_kept
from app.console.known_browsers import set_browser_cookie
from app.console.proxied import BY, enter_by_proxy, named_by_proxy, stay_out
from app.console.second_step import begin_second_step
from app.extensions import csrf
from app.links import local_path
from app.problems import ProblemError
from app.ways_in import refuse_passwords
from app.workspaces.passwords import MIN_LENGTH
from app.workspaces.people import (
    AlreadySetUpError,
    RefusedError,
    find_by_password,
    is_set_up,
    is_setup_token,
    set_up,
)
from app.workspaces.refused_sign_ins import note_refused
from app.workspaces.sessions import end_session
from app.workspaces.tries import give_back
from app.workspaces.two_factor import is_on

blueprint = Blueprint("sign_in", __name__)
blueprint.after_request(set_browser_cookie)

NOT_YET = "You are not signed in yet."
WRONG = "The e-mail address or the password is wrong."


@blueprint.get("/sign-in")
def show_sign_in() -> ResponseReturnValue:
    if not is_set_up():
        return render_template("sign_in/not_set_up.html")
    target = local_path(request.args.get("next"))
    if current_user.is_authenticated:
        return redirect(target)
    try:
        return redirect(target) if enter_by_proxy() else show_first_step(target)
    except ProblemError as error:
        note_refused(named_by_proxy(), f"{BY}: {error.problem.title}")
        return show_first_step(target, errors=[error.detail])


@blueprint.post("/sign-in/proxy")
def enter_as_named() -> ResponseReturnValue:
    """Who has signed out comes back as the proxy still names them. Raises ProblemError."""
    target = local_path(request.form.get("next"))
    if not enter_by_proxy(by_itself=False):
        return show_first_step(target), 422
    return redirect(target, 303)


@blueprint.post("/sign-in")
def sign_in() -> ResponseReturnValue:
    """Who is unknown gets the same answer, after the same work, as who mistypes."""
    email = request.form.get("email", "").replace("\0", "")
    if request.form.get("signed_in"):
        return _go_on_with_kept()
    refuse_passwords()
    target, kept = local_path(request.form.get("next")), read_kept(request.form.get(CARRIED, ""))
    tries, wait = take_try(email)
    if wait:
        error = f"Too many wrong passwords. Wait {wait} s, then try again."
        page = show_first_step(target, email, [error], kept)
        return page, 429, {"Retry-After": str(wait)}
    user = find_by_password(email, request.form.get("password", ""))
    if user is None:
        note_refused(email, "password")
        return show_first_step(target, email, [WRONG], kept), 422
    give_back(tries)
    if is_on(user):
        return begin_second_step(user, target, kept)
    enter(user)
    return go_on(target, kept)


@blueprint.post("/sign-out")
def sign_out() -> ResponseReturnValue:
    if current_user.is_authenticated:
        end_session(signed_in_user())
        logout_user()
    session.clear()
    stay_out()
    return redirect(url_for("sign_in.show_sign_in"), 303)


@blueprint.get("/setup")
def show_set_up() -> ResponseReturnValue:
    return _refuse_set_up() or _show_form({})


@blueprint.post("/setup")
def set_up_server() -> ResponseReturnValue:
    refusal = _refuse_set_up()
    if refusal:
        return refusal
    csrf.protect()
    try:
        user = set_up(*(request.form.get(name, "") for name in ("email", "password", "workspace")))
    except AlreadySetUpError:
        return _show_gone()
    except RefusedError as error:
        return _show_form(error.errors), 422
    enter(user)
    return redirect(url_for("overview.show_overview"), 303)


def _go_on_with_kept() -> ResponseReturnValue:
    """Who has signed in meanwhile, in another tab, goes on with what was typed."""
    target, kept = local_path(request.form.get("next")), read_kept(request.form.get(CARRIED, ""))
    if not current_user.is_authenticated:
        return show_first_step(target, "", [NOT_YET], kept), 422
    return go_on(target, kept)


def _refuse_set_up() -> ResponseReturnValue | None:
    if is_set_up():
        return _show_gone()
    if not is_setup_token(request.values.get("token", "")):
        return render_template("sign_in/wrong_link.html"), 403
    return None


def _show_gone() -> ResponseReturnValue:
    return render_template("sign_in/already_set_up.html"), 410


def _show_form(errors: dict[str, list[str]]) -> str:
    return render_template(
        "sign_in/set_up.html",
        token=request.values["token"],
        form=request.form,
        errors=errors,
        min_length=MIN_LENGTH,
    )
