"""Addresses as people outside see them."""

import re
from functools import lru_cache
from typing import Any

from flask import current_app, request, url_for
from werkzeug.sansio.utils import get_current_url

# Printable ASCII from one slash on: no second slash, no backslash, nothing a browser would drop; no
# longer than an address that the server reads.
_LOCAL_PATH = re.compile(r"/(?![/\\])[!-\[\]-~]{0,8000}")

_HOST = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?")


def public_url(path: str = "") -> str:
    """The full address of a path, from FLOWPULSE_PUBLIC_URL or, without it, the request's own.

    The path is the application's, without what a proxy has before it.
    """
    base: str = current_app.config["FLOWPULSE_PUBLIC_URL"] or _own_url() + request.script_root
    return base + path


def public_url_for(endpoint: str, **values: Any) -> str:
    """The full address of a page."""
    return public_url(url_for(endpoint, **values).removeprefix(request.script_root))


def start_page() -> str:
    """The path of the start page: `/`, or below it the path that a proxy has FlowPulse under."""
    return f"{request.script_root}/" if request else "/"


def this_address() -> str:
    """The path and query of this request, as the browser knows them."""
    address = request.full_path if request.query_string else request.path
    return request.script_root + address


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
    return target if target and _LOCAL_PATH.fullmatch(target) else start_page()
