"""What flash() left for an answer to htmx: it travels in a header and becomes a toast.

Whole pages carry it themselves, see templates/components/message.html.
"""

from typing import cast

from flask import Blueprint, Response, get_flashed_messages

from app.htmx import is_for_htmx, toast_header

_REDIRECTS = range(300, 400)


def carry_toasts(blueprint: Blueprint) -> None:
    """Have the blueprint's answers to htmx bring the messages that wait."""
    blueprint.after_request(_add_toasts)


def _add_toasts(response: Response) -> Response:
    """After a redirect, the page that it leads to brings them."""
    if not is_for_htmx() or response.status_code in _REDIRECTS:
        return response
    waiting = cast(list[tuple[str, str]], get_flashed_messages(with_categories=True))
    if waiting:
        response.headers.update(toast_header(waiting))
    return response
