"""Files that hold what a request held: the audit log tells who took which of them along."""

from collections.abc import Callable
from functools import wraps
from typing import NamedTuple, cast

from flask import Flask, Response, request

from app.console.guards import current_workspace
from app.extensions import writing
from app.workspaces.audit import note

View = Callable[..., Response]


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
"""By endpoint: with the exports of the audit log itself, all that a GET notes there."""


def init_downloads(app: Flask) -> None:
    """Call it once all else that wraps these views has done so: a replica takes no notes."""
    for endpoint, download in DOWNLOADS.items():
        view = cast(View, app.view_functions[endpoint])
        app.view_functions[endpoint] = _noting(view, download)


def _noting(view: View, download: Download) -> View:
    """What can't be noted is not handed out; what is refused, and HEAD, hands out nothing."""

    @wraps(view)
    def hand_out(public_id: str, **which: str) -> Response:
        answer = view(public_id, **which)
        if request.method == "GET":
            workspace_id, file = current_workspace().id, download.file or which["name"]
            with writing() as session:
                about = f"{download.thing} {public_id}"
                note(session, download.what, workspace_id, about, {"file": file})
        return answer

    return hand_out
