"""The file that runs a command and tells how it ended: for anybody, as text."""

from pathlib import Path

from flask import Blueprint, Response, current_app, request

FILE = "flowpulse-run.py"

blueprint = Blueprint("runner", __name__)


@blueprint.get("/flowpulse-run")
def show_runner() -> Response:
    """With an ETag, so that machines may ask for it often."""
    text = (Path(str(current_app.static_folder)) / FILE).read_bytes()
    response = Response(text, content_type="text/x-python; charset=utf-8")
    response.headers["Content-Disposition"] = 'inline; filename="flowpulse-run"'
    response.add_etag()
    response.make_conditional(request)
    return response
