"""Files that hold what a request held: the audit log tells who took which of them along.

With hidden values in them they need the password to have been given lately, as an export does; one
file of one request without them is what its page shows, and needs nothing more.
"""

from collections.abc import Callable
from functools import wraps
from typing import NamedTuple, cast

from flask import Flask, request
from flask.typing import ResponseReturnValue

from app.console.guards import current_workspace, signed_in_user
from app.console.hidden import is_revealed
from app.console.password_again import ask_again
from app.extensions import writing
from app.workspaces.audit import note

View = Callable[..., ResponseReturnValue]


class Download(NamedTuple):
    """How it is noted: the action, of what thing it is, and which of its files; None for the one
    that the address names."""

    what: str
    thing: str
    file: str | None = None


DOWNLOADS = {
    "event.download_body": Download("event_downloaded", "event", "body"),
    "event.download_headers": Download("event_downloaded", "event", "headers"),
    "event.download_reproduction": Download("event_downloaded", "event"),
    "mending.download_draft": Download("event_downloaded", "event", "draft"),
    "runs.download_texts": Download("run_downloaded", "run", "texts"),
}
"""By endpoint: with the exports of lists and of the audit log, all that a GET notes there."""


def init_downloads(app: Flask) -> None:
    """Call it once all else that wraps these views has done so: a replica takes no notes."""
    for endpoint, download in DOWNLOADS.items():
        view = cast(View, app.view_functions[endpoint])
        app.view_functions[endpoint] = _noting(view, download)


def _noting(view: View, download: Download) -> View:
    """What can't be noted is not handed out; what is refused, and HEAD, hands out nothing."""

    @wraps(view)
    def hand_out(public_id: str, **which: str) -> ResponseReturnValue:
        answer = view(public_id, **which)
        asked = ask_again(signed_in_user()) if is_revealed() else None
        if asked is None and request.method == "GET":
            details = {"file": download.file or which["name"], "revealed": is_revealed() or None}
            workspace_id, about = current_workspace().id, f"{download.thing} {public_id}"
            with writing() as session:
                note(session, download.what, workspace_id, about, details)
        return asked or answer

    return hand_out
