"""Files as browsers like them: all sheets as one, and packed for whoever takes gzip."""

import gzip
import hashlib
from functools import cache
from pathlib import Path
from typing import NamedTuple, cast

from flask import Blueprint, Flask, Response, current_app, request, url_for
from flask.typing import ResponseReturnValue

SHEETS = (
    "ground",
    "bar",
    "page",
    "tables",
    "reading",
    "forms",
    "findings",
    "pages",
    "live-log",
    "shortcuts",
    "event",
    "problems",
    "overview",
    "connect",
    "docs",
    "workflows",
    "schedule",
    "keys",
    "alerts",
    "channels",
    "account",
    "audit",
    "runs",
    "charts",
    "small",
)
"""The sheets of static/styles in their order; the last ones win."""
PACKED_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}

blueprint = Blueprint("assets", __name__)


class Packed(NamedTuple):
    """A file's bytes, plain and with gzip."""

    plain: bytes
    gzipped: bytes


@blueprint.get("/static/styles/all.css")
def show_styles() -> Response:
    """All sheets in one: a page asks once and not eighteen times."""
    return _answer(_pack(_read_sheets()), "text/css")


def init_assets(app: Flask) -> None:
    send_file = app.view_functions["static"]

    def send_packed(filename: str) -> ResponseReturnValue:
        path = Path(str(app.static_folder)) / filename
        content_type = PACKED_TYPES.get(path.suffix)
        if content_type is None or ".." in filename or not path.is_file():
            return cast(ResponseReturnValue, send_file(filename=filename))
        return _answer(_read_packed(path, path.stat().st_mtime_ns), content_type)

    app.view_functions["static"] = send_packed
    app.jinja_env.globals["styles_url"] = styles_url


def styles_url() -> str:
    """The address of all sheets in one; it changes with any of them."""
    return url_for("assets.show_styles", v=styles_version())


def styles_version() -> str:
    """The first characters of the hash of all sheets."""
    return hashlib.sha256(_read_sheets()).hexdigest()[:12]


def _read_sheets() -> bytes:
    folder = Path(str(current_app.static_folder)) / "styles"
    paths = [folder / f"{name}.css" for name in SHEETS]
    return _join(tuple((path, path.stat().st_mtime_ns) for path in paths))


@cache
def _join(sheets: tuple[tuple[Path, int], ...]) -> bytes:
    return b"\n".join(path.read_bytes() for path, _ in sheets)


@cache
def _read_packed(path: Path, changed_ns: int) -> Packed:
    return _pack(path.read_bytes())


@cache
def _pack(plain: bytes) -> Packed:
    return Packed(plain, gzip.compress(plain, mtime=0))


def _answer(packed: Packed, content_type: str) -> Response:
    takes_gzip = request.accept_encodings["gzip"] > 0
    response = Response(packed.gzipped if takes_gzip else packed.plain, content_type=content_type)
    if takes_gzip:
        response.headers["Content-Encoding"] = "gzip"
    response.headers["Vary"] = "Accept-Encoding"
    response.set_etag(hashlib.sha256(packed.plain).hexdigest()[:24])
    response.make_conditional(request)
    return response
