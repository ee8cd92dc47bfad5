"""The second step of signing in, for those who have a second factor: a page of its own."""

import hashlib
from collections.abc import Mapping
from functools import partial

from flask import Blueprint, flash, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from app.clock import timestamp
from app.console.entering import enter, go_on, show_first_step, take_try
from app.console.formatting import plural
from app.console.kept_forms import CARRIED, KeptForm, read_kept
from app.console.known_browsers import set_browser_cookie
from app.extensions import db
from app.links import local_path, start_page
from app.models import User
from app.workspaces.mistakes import RefusedError
from app.workspaces.refused_sign_ins import note_refused
from app.workspaces.tries import give_back, of_second_step
from app.workspaces.two_factor import is_on, use_code, use_recovery_code

blueprint = Blueprint("second_step", __name__)
blueprint.after_request(set_browser_cookie)

HALF = "half_signed_in"
"""In the browser's signed cookie: who has given the password, when, and with which one."""
HALF_SECONDS = 600
TOO_LATE = "The first step was too long ago. Enter your password again."


def begin_second_step(user: User, target: str, kept: KeptForm | None) -> ResponseReturnValue:
    session[HALF] = [user.public_id, int(timestamp()), _mark(user)]
    return _show(user, target, kept, {})


@blueprint.get("/sign-in/code")
def show_second_step() -> ResponseReturnValue:
    user, target = _find_half(), local_path(request.args.get("next"))
    if user is None:
        return redirect(
            url_for("sign_in.show_sign_in", next=None if target == start_page() else target)
        )
    return _show(user, target, None, {})


@blueprint.post("/sign-in/code")
def take_second_step() -> ResponseReturnValue:
    target, kept = local_path(request.form.get("next")), read_kept(request.form.get(CARRIED, ""))
    user = _find_half()
    if user is None:
        return show_first_step(target, "", [TOO_LATE], kept), 422
    tries, wait = take_try(user.email, partial(of_second_step, user.email))
    if wait:
        text = f"Too many wrong codes. Wait {wait} s, then try again."
        answer = _show(user, target, kept, {"form": [text]})
        return answer, 429, {"Retry-After": str(wait)}
    try:
        left = _use(user, request.form)
    except RefusedError as error:
        note_refused(user.email, error.field.replace("_", " "))
        return _show(user, target, kept, error.errors), 422
    give_back(tries)
    enter(user, "password and code" if left is None else "password and recovery code")
    if left is not None:
        flash(
            f"You have {plural(left, 'recovery code')} left. Your account makes new ones.",
            "warning",
        )
    return go_on(target, kept)


def _use(user: User, form: Mapping[str, str]) -> int | None:
    """Take the one code or the other. Raises RefusedError.

    Of recovery codes, how many are left then.
    """
    recovery_code = form.get("recovery_code", "")
    if recovery_code.strip():
        return use_recovery_code(user, recovery_code)
    use_code(user, form.get("code", ""))
    return None


def _find_half() -> User | None:
    """Who has taken the first step, not long ago, and with what is still the password."""
    try:
        public_id, at, mark = session[HALF]
        is_late = not 0 <= timestamp() - at < HALF_SECONDS
    except (KeyError, TypeError, ValueError):
        return None
    user: User | None = db.session.scalar(select(User).where(User.public_id == public_id))
    if is_late or user is None or not is_on(user) or mark != _mark(user):
        return None
    return user


def _mark(user: User) -> str:
    """Of the password and the second factor as they are now."""
    held = f"{user.password_hash} {user.totp_sealed}"
    return hashlib.sha256(held.encode()).hexdigest()[:20]


def _show(user: User, target: str, kept: KeptForm | None, errors: dict[str, list[str]]) -> str:
    return render_template(
        "sign_in/second_step.html", email=user.email, target=target, kept=kept, errors=errors
    )
