"""One's own account: profile, password, time zone, theme, and where one is signed in."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.channels.network import NO_MAIL, read_mail_server
from app.clock import now
from app.console.devices import describe_device, device_icon
from app.console.formatting import plural, zone_name
from app.console.guards import choose_workspace, current_membership, signed_in_user
from app.console.known_browsers import go_on_with, know_browser, set_browser_cookie
from app.console.oidc import begin_again
from app.console.paging import Paged, page_argument
from app.console.password_again import give_password
from app.links import local_path
from app.models import THEMES
from app.workspaces.digests import want_digest, wants_digest
from app.workspaces.passwords import MIN_LENGTH
from app.workspaces.people import RefusedError
from app.workspaces.person_deletion import delete_person
from app.workspaces.profile import (
    change_password,
    change_profile,
    choose_theme,
    choose_time_zone,
    time_zones,
)
from app.workspaces.sessions import (
    count_sessions,
    end_other_sessions,
    end_session_of,
    hash_token,
    list_sessions,
)
from app.workspaces.two_factor import CODES, count_codes, is_on
from app.workspaces.vouched import find_identity, refuse_new_address

PAGE_SIZE = 20

blueprint = Blueprint("account", __name__)
blueprint.after_request(set_browser_cookie)

Errors = dict[str, list[str]]


@blueprint.get("/account")
def show_account() -> str:
    return show_page({})


@blueprint.post("/account/profile")
def save_profile() -> ResponseReturnValue:
    values = [request.form.get(name, "") for name in ("name", "email", "password")]
    return _change(lambda: _change_profile(*values), "Your profile is saved.")


def _change_profile(name: str, email: str, password: str) -> None:
    """Raises RefusedError."""
    user = signed_in_user()
    before = user.email
    if email.strip().lower() != before:
        refuse_new_address(user)
    change_profile(user, name, email, password)
    if user.email != before:  # Which takes the password.
        know_browser(user)


@blueprint.post("/account/password")
def save_password() -> ResponseReturnValue:
    old, new = (request.form.get(name, "") for name in ("old_password", "new_password"))
    done = "Your password is changed. All other sessions have ended."
    return _change(lambda: _change_password(old, new), done)


def _change_password(old: str, new: str) -> None:
    """The browser goes on with another token. Raises RefusedError."""
    user = signed_in_user()
    go_on_with(user, change_password(user, user.get_id(), old, new))


@blueprint.post("/account/password/again")
def give_again() -> ResponseReturnValue:
    """Where a page asks for it that stands before another one."""
    return give_password(signed_in_user())


@blueprint.get("/account/provider")
def ask_provider() -> ResponseReturnValue:
    """In place of the password: who is linked there shows it there once more."""
    target = local_path(request.args.get("next"))
    return begin_again(signed_in_user(), target, bool(request.args.get("tab")))


@blueprint.post("/account/time-zone")
def save_time_zone() -> ResponseReturnValue:
    zone = request.form.get("time_zone", "")
    done = f"Times are told in {zone}." if zone else "Times follow the browser."
    return _change(lambda: choose_time_zone(signed_in_user(), zone), done)


@blueprint.post("/account/digest")
def save_digest() -> ResponseReturnValue:
    wanted = bool(request.form.get("digest"))
    done = "It comes next Monday." if wanted else "No weekly digest comes any more."
    return _change(lambda: want_digest(current_membership(), wanted), done)


@blueprint.post("/account/theme")
def save_theme() -> ResponseReturnValue:
    """Also what the menu's quick switch sends, which needs no page: 204."""
    theme = request.form.get("theme", "")
    if request.form.get("quick") and theme in THEMES:
        choose_theme(signed_in_user(), theme)
        return "", 204
    return _change(lambda: choose_theme(signed_in_user(), theme), "The theme is saved.")


@blueprint.post("/account/workspace")
def switch_workspace() -> ResponseReturnValue:
    """To the start page: what the page before it was about is of the other workspace."""
    choose_workspace(request.form.get("workspace", ""))
    return redirect(url_for("overview.show_overview"), 303)


@blueprint.post("/account/sessions/end")
def end_session() -> ResponseReturnValue:
    """Of the user's own sessions, the one that the form names."""
    text = request.form.get("session", "")
    session_id = int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0
    ended = end_session_of(signed_in_user(), session_id)
    flash("The session has ended." if ended else "This session had ended already.", "success")
    return redirect(url_for("account.show_account", **page_argument("sessions")), 303)


@blueprint.post("/account/sessions/end-others")
def end_others() -> ResponseReturnValue:
    user = signed_in_user()
    count = end_other_sessions(user, user.get_id())
    flash(f"{plural(count, 'other session')} ended." if count else "There was no other.", "success")
    return redirect(url_for("account.show_account"), 303)


@blueprint.post("/account/delete")
def delete() -> ResponseReturnValue:
    """For whoever types the address once more."""
    try:
        delete_person(signed_in_user(), request.form.get("email_again", ""))
    except RefusedError as error:
        return show_page(error.errors), 422
    return redirect(url_for("sign_in.show_sign_in"), 303)


def _change(act: Callable[[], object], done: str) -> ResponseReturnValue:
    """Do it and say so, or show the page with the error at its field."""
    try:
        act()
    except RefusedError as error:
        return show_page(error.errors), 422
    flash(done, "success")
    return redirect(url_for("account.show_account"), 303)


def zone_choices() -> dict[str, list[tuple[str, str]]]:
    """By region: the zone's name, and its label with the present time there."""
    return _label_zones(now().replace(second=0, microsecond=0))


@lru_cache(maxsize=1)
def _label_zones(minute: datetime) -> dict[str, list[tuple[str, str]]]:
    """Of 490 zones, which takes longer than all else on the page: once a minute will do."""
    return {
        region: [(name, _label_zone(name, minute)) for name in names]
        for region, names in time_zones().items()
    }


def _label_zone(name: str, moment: datetime) -> str:
    local = moment.astimezone(ZoneInfo(name))
    city = name.partition("/")[2] or name
    return f"{city.replace('_', ' ').replace('/', ' / ')} ({local:%H:%M} {zone_name(local)})"


def show_page(errors: Errors) -> str:
    """The account, with what is wrong with a form of its own."""
    user = signed_in_user()
    sent = request.form if errors else {}
    paged = Paged(count_sessions(user), PAGE_SIZE, "account.show_account", "sessions")
    return render_template(
        "console/account.html",
        name=sent.get("name", user.name),
        email=sent.get("email", user.email),
        time_zone=user.time_zone or "",
        theme=user.theme,
        themes=THEMES,
        zones=zone_choices(),
        present=now().astimezone(UTC),
        sessions=list_sessions(user, user.get_id(), paged.start, paged.size),
        paged=paged,
        own_hash=hash_token(user.get_id()),
        describe_device=describe_device,
        device_icon=device_icon,
        min_length=MIN_LENGTH,
        workspace=current_membership().workspace,
        wants_digest=wants_digest(current_membership()),
        no_mail="" if read_mail_server() else NO_MAIL,
        has_password=user.has_password,
        identity=find_identity(user),
        has_two_factor=is_on(user),
        codes_left=count_codes(user),
        codes_made=CODES,
        errors=errors,
    )
