"""Signing in by the provider of the settings: the way there, and the way back."""

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from app.console.entering import enter, tell_lost
from app.console.guards import signed_in_user
from app.console.known_browsers import set_browser_cookie
from app.errors import answer_page
from app.links import local_path, start_page
from app.models import User
from app.oidc import find_provider
from app.oidc.arrival import Arrival
from app.problems import ProblemError
from app.ways_in import PROVIDER_UNREACHABLE, PROVIDER_WAY_OVER, provider_name, redirect_address
from app.workspaces.refused_sign_ins import note_refused
from app.workspaces.sessions import note_password
from app.workspaces.tries import give_back, of_provider, take
from app.workspaces.vouched import Vouched, find_bound, let_in

blueprint = Blueprint("oidc", __name__)
blueprint.after_request(set_browser_cookie)

MOST_TARGET = 500
UNVERIFIED, UNCONFIRMED = "address_unverified", "provider_not_confirmed"
"""Rows of the troubleshooting table."""


@blueprint.get("/sign-in/oidc")
def begin() -> ResponseReturnValue:
    """No form leads there: the policy of our pages lets none go to another server."""
    provider = find_provider() or abort(404)
    target = local_path(request.args.get("next"))
    if current_user.is_authenticated:
        return redirect(target)
    return redirect(provider.begin(redirect_address(), {"next": _shorten(target)}))


def _shorten(target: str) -> str:
    """The cookie that keeps it takes 4 KB: of a long address the path alone."""
    path = target if len(target) <= MOST_TARGET else target.partition("?")[0]
    return path if len(path) <= MOST_TARGET else start_page()


def begin_again(user: User, target: str, in_new_tab: bool) -> ResponseReturnValue:
    """The provider asks once more who it is, whether it still knows or not."""
    provider = find_provider() or abort(404)
    kept = {"next": _shorten(target), "confirms": user.public_id, "tab": in_new_tab}
    return redirect(provider.begin_again(redirect_address(), kept, user.email))


@blueprint.get("/sign-in/oidc/callback")
def come_back() -> ResponseReturnValue:
    provider = find_provider() or abort(404)
    provider.find_way()
    tries = [of_provider(request.remote_addr or "unknown")]
    wait = take(tries)
    if wait:
        text, way = f"Wait {wait} s, then sign in again.", url_for("sign_in.show_sign_in")
        page = answer_page(429, "Too many tries", text, way, "Back to signing in")
        page.headers["Retry-After"] = str(wait)
        return page
    claimed = ""
    try:
        arrival = provider.finish()
        claimed = arrival.claimed
        told = (arrival.email, provider_name(), arrival.name)
        who = Vouched(*told, provider.issuer, arrival.subject)
        target = local_path(str(arrival.kept.get("next")))
        if "confirms" in arrival.kept:
            _confirm(arrival, who)
            give_back(tries)
            return _go_back(target, bool(arrival.kept.get("tab")))
        user = find_bound(who.issuer, who.subject) or _let_in(who, claimed)
    except ProblemError as error:
        if error.code != PROVIDER_UNREACHABLE:
            note_refused(claimed, f"{provider_name()}: {error.problem.title}")
        raise
    give_back(tries)
    enter(user, provider_name(), arrival.proven)
    tell_lost(user, provider_name())
    return redirect(target, 303)


def _go_back(target: str, in_new_tab: bool) -> ResponseReturnValue:
    """To the page that was asked for; a form that waits in another tab goes on there."""
    if in_new_tab:
        return render_template("sign_in/confirmed.html", name=provider_name())
    return redirect(target, 303)


def _let_in(who: Vouched, claimed: str) -> User:
    """At the first sign-in the address says whose account it is. Raises ProblemError."""
    if not who.email:
        said = f"the address {claimed}, and not that it was checked" if claimed else "no address"
        raise ProblemError(UNVERIFIED, f"{who.by} tells {said}. So it opens no account here.")
    return let_in(who)


def _confirm(arrival: Arrival, who: Vouched) -> None:
    """Raises ProblemError where it is not the person of the session, or nobody was asked."""
    bound = find_bound(who.issuer, who.subject)
    if not current_user.is_authenticated or current_user.public_id != arrival.kept["confirms"]:
        raise ProblemError(PROVIDER_WAY_OVER)
    if bound is None or bound.id != current_user.id:
        raise ProblemError(UNCONFIRMED, f"At {who.by} you are signed in as somebody else.")
    if not arrival.was_asked:
        raise ProblemError(UNCONFIRMED, f"{who.by} has not asked who it is: nothing was confirmed.")
    note_password(signed_in_user(), who.by)
