"""Headers of every answer: what a page may load, and how long a browser may keep it."""

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from flask import Flask, Response, current_app, request
from werkzeug.security import safe_join

from app.answers import API_HEADERS, JsonAnswer
from app.console.assets import styles_version

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
PAGE_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
FOREVER = "public, max-age=31536000, immutable"
_VENDOR = "vendor/"


def init_headers(app: Flask) -> None:
    app.after_request(add_headers)
    app.url_defaults(_add_version)


def add_headers(response: Response) -> Response:
    """Those of a page, of a file, or of an answer of the API that does not bring its own."""
    if isinstance(response, JsonAnswer):
        return response
    headers = response.headers
    if request.path.startswith("/api/"):
        headers.update(API_HEADERS)
        return response
    headers.update(PAGE_HEADERS)
    if request.endpoint in ("static", "assets.show_styles"):
        headers["Cache-Control"] = _file_lifetime()
    else:
        headers.setdefault("Cache-Control", "no-store")
    return response


def _file_lifetime() -> str:
    """A file whose name or address holds its version never changes under that address."""
    filename = (request.view_args or {}).get("filename", "")
    version = request.args.get("v")
    if request.endpoint == "assets.show_styles":
        return FOREVER if version == styles_version() else "no-cache"
    if filename.startswith(_VENDOR) or (version and version == file_version(filename)):
        return FOREVER
    return "no-cache"


def _add_version(endpoint: str, values: dict[str, Any]) -> None:
    if endpoint == "static" and not values["filename"].startswith(_VENDOR):
        values["v"] = file_version(values["filename"])


def file_version(filename: str) -> str | None:
    """The first characters of the content's hash; None for a file that is not there."""
    path = safe_join(str(current_app.static_folder), filename)
    if path is None or not Path(path).is_file():
        return None
    return _hash(path, Path(path).stat().st_mtime_ns)


@cache
def _hash(path: str, changed_ns: int) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()[:12]
