"""Addresses as people outside see them."""

import re
from functools import lru_cache

from flask import current_app, request
from werkzeug.sansio.utils import get_current_url

# Printable ASCII from one slash on: no second slash, no backslash, nothing a browser would drop; no
# longer than an address that the server reads.
_LOCAL_PATH = re.compile(r"/(?![/\\])[!-\[\]-~]{0,8000}")

_HOST = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?")


def public_url(path: str = "") -> str:
    """The full address of a path, from FLOWPULSE_PUBLIC_URL or, without it, the request's own."""
    base: str = current_app.config["FLOWPULSE_PUBLIC_URL"] or _own_url()
    return base + path


def _own_url() -> str:
    """The request's own address; the one it came to, where its Host header names none."""
    if _HOST.fullmatch(request.host):
        return _host_url(request.scheme, request.host)
    environ = request.environ
    return f"{request.scheme}://{environ['SERVER_NAME']}:{environ['SERVER_PORT']}"


@lru_cache(maxsize=64)
def _host_url(scheme: str, host: str) -> str:
    return get_current_url(scheme, host).rstrip("/")


def local_path(target: str | None) -> str:
    """`target` where it is a path of this server, else the start page."""
    return target if target and _LOCAL_PATH.fullmatch(target) else "/"
