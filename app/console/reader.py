"""Who reads the page: the zone that times are told in, and the theme."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, tzinfo
from functools import wraps
from zoneinfo import ZoneInfo

from flask import Flask, g, has_request_context, request, session

from app.console.formatting import TIME_FILTERS
from app.models import User
from app.trusted_proxies import USER
from app.workspaces.profile import is_any_zone, is_time_zone
from app.workspaces.sessions import find_user

BY_PROXY = "by_proxy"
"""In the browser's signed cookie: that a proxy's word has opened the session."""
ZONE_COOKIE = "time_zone"
RENDERED_FOR_ALL = frozenset({"live_log.stream_events"})
"""Endpoints whose HTML several readers share: it is told in UTC, and app.js puts it right."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Nothing is known of a reader who is not signed in: the browser decides."""

    zone_name: str | None = None
    theme: str | None = None

    @property
    def zone(self) -> tzinfo:
        """The zone that the reader has chosen; UTC where it is the browser's to say."""
        return ZoneInfo(self.zone_name) if self.zone_name else UTC


SOMEBODY = Reader()


def load_reader(token: str) -> User | None:
    """Flask-Login's look-up; keeps what pages need of the user.

    An error page must not ask the database, so that it reads what is kept here.
    """
    user = find_user(token)
    if user is None or not _is_still_named(user):
        return None
    note_reader(user)
    return user


def _is_still_named(user: User) -> bool:
    """A session that a proxy's word has opened is good with that word alone."""
    return not session.get(BY_PROXY) or request.environ.get(USER, "").lower() == user.email


def note_reader(user: User) -> None:
    """For the rest of this request; a zone that the machine no longer knows counts as none."""
    zone_name = user.time_zone if user.time_zone and is_time_zone(user.time_zone) else None
    g.reader = Reader(zone_name, user.theme)


def current_reader() -> Reader:
    if not has_request_context() or request.endpoint in RENDERED_FOR_ALL:
        return SOMEBODY
    reader: Reader = g.get("reader", SOMEBODY)
    return reader


def read_zone(form: Mapping[str, str]) -> tzinfo:
    """The zone in which the reader means a day: the account's, else what the browser sent along
    as `zone`, else UTC."""
    zone_name, sent = current_reader().zone_name, form.get("zone", "")
    return ZoneInfo(zone_name or (sent if is_any_zone(sent) else "UTC"))


def chart_zone() -> tuple[str, tzinfo]:
    """The zone by whose hours and days charts are cut, with its name: the reader's choice, or the
    browser's as static/app.js has told it, or UTC."""
    name = current_reader().zone_name or request.cookies.get(ZONE_COOKIE, "")
    return (name, ZoneInfo(name)) if is_time_zone(name) else ("UTC", UTC)


def init_reader(app: Flask) -> None:
    """Have templates tell times in the reader's zone, and know the reader."""
    app.jinja_env.filters.update({name: _in_zone(tell) for name, tell in TIME_FILTERS.items()})
    app.jinja_env.globals["reader"] = current_reader


def _in_zone(tell: Callable[..., str]) -> Callable[..., str]:
    @wraps(tell)
    def tell_reader(*arguments: object, **options: object) -> str:
        return tell(*arguments, **{"zone": current_reader().zone, **options})

    return tell_reader
