"""The password is asked for again before what would do most harm in a stolen session.

Whatever was typed goes on: the page holds the form sealed, secrets too, and sends it to where it
was going. Whoever gives the password there is let through with it.
"""

from datetime import timedelta

from flask import Response, redirect, render_template, request, session
from flask.typing import ResponseReturnValue
from flask_login import current_user
from werkzeug.datastructures import ImmutableMultiDict

from app.clock import now
from app.console.kept_forms import PASSWORD_AGAIN, sent_from
from app.console.reader import BY_PROXY
from app.console.sealed_forms import SEALED, open_form, seal_form
from app.htmx import is_for_htmx
from app.links import local_path, this_address
from app.models import User
from app.ways_in import provider_name
from app.workspaces.mistakes import RefusedError
from app.workspaces.own_password import TooManyTriesError, confirm_password, tell_of_none
from app.workspaces.sessions import note_password
from app.workspaces.vouched import is_bound

FRESH_FOR = timedelta(minutes=15)
READING = frozenset({"GET", "HEAD", "OPTIONS"})


def ask_again(user: User) -> ResponseReturnValue | None:
    """The page that asks, unless the password was given lately.

    Whom a proxy vouches for with each request can't be asked for more: there is nobody to ask.
    """
    if session.get(BY_PROXY) and not user.has_password:
        return None
    is_form = request.method not in READING
    carried = open_form() if is_form else None
    if not _is_fresh(user):
        if carried is None:
            return _ask(user) if is_form else _ask_before_page()
        try:
            _confirm(user)
        except RefusedError as error:
            return _ask(user, error)
    if carried is not None:
        request.form = ImmutableMultiDict(carried.fields)  # As the page's own form has sent it.
    return None


def give_password(user: User) -> ResponseReturnValue:
    """The answer to the page that stands before another page."""
    target = local_path(request.form.get("next"))
    try:
        _confirm(user)
    except RefusedError as error:
        return _show(target, target, error=error)
    return redirect(target, 303)


def _is_fresh(user: User) -> bool:
    given = user.password_given_at
    return given is not None and timedelta() <= now() - given < FRESH_FOR


def _confirm(user: User) -> None:
    """Raises RefusedError."""
    if not user.has_password and is_bound(user):
        raise RefusedError(PASSWORD_AGAIN, f"Confirm at {provider_name()} first, then continue.")
    confirm_password(user, request.form.get(PASSWORD_AGAIN, ""), PASSWORD_AGAIN)
    note_password(user)


def _ask(user: User, error: RefusedError | None = None) -> ResponseReturnValue:
    """The page instead of what the form was to do."""
    if is_for_htmx():
        # The browser sends it once more as a whole page, which can ask.
        return "", 403, {"HX-Reswap": "none", "HX-Trigger": '{"form:plain": {}}'}
    sealed = request.form.get(SEALED) if error else None
    action = this_address()
    back = local_path(request.form.get("back")) if error else sent_from()
    return _show(action, back, sealed or seal_form(user.public_id), error)


def _ask_before_page() -> ResponseReturnValue:
    target = this_address()
    if is_for_htmx():
        return Response("", 403, {"HX-Redirect": target})
    return _show(target, sent_from())


def _show(
    target: str, back: str, sealed: str | None = None, error: RefusedError | None = None
) -> ResponseReturnValue:
    """`target`: where the form goes that is carried, or else the page that stands behind."""
    headers, status = {}, 422 if error else 403
    if isinstance(error, TooManyTriesError):
        status, headers = 429, {"Retry-After": str(error.seconds)}
    page = render_template(
        "console/password_again.html",
        target=target,
        back=back,
        sealed=sealed,
        minutes=FRESH_FOR // timedelta(minutes=1),
        errors=[str(error)] if error else [],
        provider=provider_name() if is_bound(current_user) else "",
        without_password=tell_of_none(),
    )
    return page, status, headers
