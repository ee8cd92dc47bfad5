"""The whole workspace as a file, for its owners: the same as the command line's export."""

from collections.abc import Iterator
from itertools import chain

from flask import Blueprint, Response, abort
from flask.typing import ResponseReturnValue
from slugify import slugify

from app.archives.growing import begin_archive
from app.archives.layout import ArchiveError
from app.clock import now
from app.console.guards import current_workspace
from app.console.hidden import may_reveal
from app.extensions import db, writing
from app.models import Workspace
from app.workspaces.audit import note

MOST_OF_NAME = 60
NOT_SHOWN = (
    "What was sent would be in it unmasked, and FLOWPULSE_REVEAL_ROLE has nobody of your role see "
    "that. Whoever runs the server exports it by the command line."
)

blueprint = Blueprint("workspace_export", __name__)


@blueprint.post("/settings/export")
def export() -> ResponseReturnValue:
    """What can't be noted is not handed out, and what can't be begun is not noted."""
    if not may_reveal():
        abort(403, NOT_SHOWN)
    workspace = current_workspace()
    workspace_id = workspace.id
    name = slugify(workspace.name, max_length=MOST_OF_NAME) or "workspace"
    filename = f"{name}-{now():%Y-%m-%d}.zip"
    try:
        file = begin_archive(workspace)
    except ArchiveError as error:
        abort(409, str(error))
    db.session.rollback()  # It holds no connection while it waits for the first piece.
    try:
        pieces = _begin(file.pieces())
        with writing() as session:
            about = session.get_one(Workspace, workspace_id)
            note(session, "workspace_exported", workspace_id, about, {"file": filename})
    except BaseException:
        file.give_up()
        raise
    response = Response(pieces, content_type="application/zip")
    response.headers.set("Content-Disposition", "attachment", filename=filename)
    response.call_on_close(file.give_up)
    return response


def _begin(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """What fails at once is answered as everywhere."""
    try:
        first = next(pieces, b"")
    except ArchiveError as error:
        abort(503, str(error))
    return chain([first], pieces)
