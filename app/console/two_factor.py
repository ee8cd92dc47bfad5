"""The second factor of one's own account: on, off, and the codes for when it is lost."""

from importlib import import_module

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup

from app.console.account import show_page
from app.console.guards import signed_in_user
from app.console.known_browsers import go_on_with, set_browser_cookie
from app.workspaces.mistakes import RefusedError
from app.workspaces.own_password import confirm_password
from app.workspaces.two_factor import is_on, make_offer, renew_codes, turn_off, turn_on

blueprint = Blueprint("two_factor", __name__)
blueprint.after_request(set_browser_cookie)


@blueprint.get("/account/two-factor")
def show_offer() -> ResponseReturnValue:
    return _to_account() if is_on(signed_in_user()) else _show_offer()


@blueprint.post("/account/two-factor")
def switch_on() -> ResponseReturnValue:
    """The recovery codes are in this answer and nowhere else."""
    user, sealed = signed_in_user(), request.form.get("offer", "")
    if is_on(user):
        flash("Two-factor sign-in is on already.")
        return _to_account()
    try:
        done = turn_on(user, sealed, request.form.get("code", ""), user.get_id())
    except RefusedError as error:
        return _show_offer(sealed, error.errors), 422
    go_on_with(user, done.token)
    return _show_codes(done.codes, "Two-factor sign-in is on", "All other sessions have ended.")


@blueprint.post("/account/two-factor/codes")
def show_new_codes() -> ResponseReturnValue:
    user = signed_in_user()
    return _show_codes(renew_codes(user), "New recovery codes") if is_on(user) else _to_account()


@blueprint.post("/account/two-factor/off")
def switch_off() -> ResponseReturnValue:
    user = signed_in_user()
    try:
        confirm_password(user, request.form.get("two_factor_password", ""), "two_factor_password")
    except RefusedError as error:
        return show_page(error.errors), 422
    go_on_with(user, turn_off(user, user.get_id()))
    flash(
        "Two-factor sign-in is off. The password alone signs you in. All other sessions have "
        "ended.",
        "success",
    )
    return _to_account()


def _to_account() -> ResponseReturnValue:
    return redirect(url_for("account.show_account", _anchor="two-factor"), 303)


def _show_offer(sealed: str | None = None, errors: dict[str, list[str]] | None = None) -> str:
    offer = make_offer(signed_in_user(), sealed)
    return render_template(
        "console/two_factor.html", offer=offer, picture=draw_code(offer.uri), errors=errors or {}
    )


def _show_codes(codes: list[str], title: str, note: str = "") -> str:
    return render_template("console/recovery_codes.html", codes=codes, title=title, note=note)


def draw_code(text: str) -> Markup:
    """A QR code as an SVG that needs neither a script nor a style sheet of its own."""
    segno = import_module("segno")  # Half a megabyte of each process, for a page that few open.
    code = segno.make(text, error="m", micro=False)
    return Markup(code.svg_inline(scale=5, border=3, svgclass=None, lineclass=None, omitsize=True))  # noqa: S704
