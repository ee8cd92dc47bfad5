"""Signing in and out, and setting the server up once."""

from flask import Blueprint, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_user, logout_user

from app.console.kept_forms import CARRIED, read_kept, show_kept
from app.console.known_browsers import find_browser, know_browser, set_browser_cookie
from app.extensions import csrf
from app.links import local_path
from app.models import User
from app.workspaces.passwords import MIN_LENGTH
from app.workspaces.people import (
    AlreadySetUpError,
    RefusedError,
    find_by_password,
    is_set_up,
    is_setup_token,
    set_up,
)
from app.workspaces.sessions import end_session, start_session
from app.workspaces.tries import Allowance, give_back, of_account, of_address, of_browser, take

blueprint = Blueprint("sign_in", __name__)
blueprint.after_request(set_browser_cookie)


@blueprint.get("/sign-in")
def show_sign_in() -> ResponseReturnValue:
    if not is_set_up():
        return render_template("sign_in/not_set_up.html")
    target = local_path(request.args.get("next"))
    if current_user.is_authenticated:
        return redirect(target)
    return render_template("sign_in/sign_in.html", target=target, email="", errors=[])


@blueprint.post("/sign-in")
def sign_in() -> ResponseReturnValue:
    """Who is unknown gets the same answer, after the same work, as who mistypes."""
    email = request.form.get("email", "").replace("\0", "")
    target = local_path(request.form.get("next"))
    tries = _list_tries(email)
    wait = take(tries)
    if wait:
        error = f"Too many wrong passwords. Wait {wait} s, then try again."
        return _refuse_sign_in(target, email, error), 429, {"Retry-After": str(wait)}
    user = find_by_password(email, request.form.get("password", ""))
    if user is None:
        return _refuse_sign_in(target, email, "The e-mail address or the password is wrong."), 422
    give_back(tries)
    _begin_session(user)
    kept = read_kept(request.form.get(CARRIED, ""))
    return show_kept(kept) if kept else redirect(target, 303)


def _list_tries(email: str) -> list[Allowance]:
    """Whose tries these are. A browser that this person has signed in by is counted by itself:
    whoever guesses elsewhere, also behind the same address, must not lock the person out."""
    browser = find_browser(email)
    if browser:
        return [of_browser(email, browser)]
    return [of_address(request.remote_addr or "unknown"), of_account(email)]


def _refuse_sign_in(target: str, email: str, error: str) -> str:
    kept = read_kept(request.form.get(CARRIED, ""))
    return render_template(
        "sign_in/sign_in.html", target=target, email=email, errors=[error], kept=kept
    )


@blueprint.post("/sign-out")
def sign_out() -> ResponseReturnValue:
    if current_user.is_authenticated:
        end_session(current_user.get_id())
        logout_user()
    session.clear()
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
    _begin_session(user)
    return redirect(url_for("overview.show_overview"), 303)


def _begin_session(user: User) -> None:
    """Nothing of the session before lives on, neither here nor in the database."""
    if current_user.is_authenticated:
        end_session(current_user.get_id())
    session.clear()
    session.permanent = True
    know_browser(user.email)
    login_user(start_session(user, request.remote_addr, request.user_agent.string))


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
