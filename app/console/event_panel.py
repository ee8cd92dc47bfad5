"""The event that is open beside the log: the content of its page, and no second version of it."""

import re

from markupsafe import Markup
from werkzeug.exceptions import NotFound

from app.console.event import show_event

_PUBLIC_ID = re.compile("[a-z0-9]{24}")
_START, _END = '<article id="event"', "</article>"


def read_panel(public_id: str | None) -> Markup | None:
    """The article of the event's page; None without an event that the reader may see."""
    if public_id is None or not _PUBLIC_ID.fullmatch(public_id):
        return None
    try:
        page = str(show_event(public_id))
    except NotFound:
        return None
    start, end = page.find(_START), page.rfind(_END)
    # A template has drawn and escaped it already.
    return Markup(page[start : end + len(_END)]) if 0 <= start < end else None  # noqa: S704
