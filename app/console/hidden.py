"""What of a request is hidden on pages, and whom it is shown for a while."""

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

from flask import current_app, g, session

from app.console.body_places import BodyText, Place
from app.console.guards import may, signed_in_user
from app.console.url_filter import UrlFilter
from app.models import Event
from app.redaction import mask_body, mask_text, mask_value
from app.signs import show_signs
from app.url_secrets import mask_url_secrets

Filter = TypeVar("Filter", bound=UrlFilter)

SECONDS = 300
"""How long somebody who asked for it sees the hidden values of a request."""
NOBODY = "nobody"
_IN_SESSION = "revealed"
_MOST = 10


def may_reveal() -> bool:
    """Whether the signed-in user has the role that FLOWPULSE_REVEAL_ROLE names."""
    role: str = current_app.config["FLOWPULSE_REVEAL_ROLE"]
    return role != NOBODY and may(role)


def sift(wanted: Filter) -> Filter:
    """The filter as it is for the signed-in user: by what is hidden, only those find anything who
    could have it shown."""
    is_whole = wanted.value("q") is None or may_reveal()
    return wanted if is_whole else replace(wanted, is_sifted=True)


def reveal(event: Event) -> None:
    """Show this browser, and this user alone, what the event hides; whoever calls saw to it that
    the user may."""
    grants = dict(sorted(_read_grants().items(), key=lambda pair: pair[1])[-_MOST + 1 :])
    session[_IN_SESSION] = [
        signed_in_user().public_id,
        grants | {event.public_id: _clock() + SECONDS},
    ]


def hide_again(event: Event) -> None:
    grants = _read_grants()
    grants.pop(event.public_id, None)
    session[_IN_SESSION] = [signed_in_user().public_id, grants]


def open_event(event: Event) -> None:
    """Have the rest of this request show what the event hides, where that is granted."""
    until = _read_grants().get(event.public_id, 0)
    g.revealed = _clock() < until <= _clock() + SECONDS and may_reveal()


def is_revealed() -> bool:
    return bool(g.get("revealed"))


def visible(text: str) -> str:
    """The filter of all that comes from outside: signs that hide something are seen, secrets are
    not."""
    return show_signs(without_secrets(text))


def without_secrets(text: str) -> str:
    return text if is_revealed() else mask_text(text)


def holds_secrets(text: str | None) -> bool:
    """The test of what must not stand in a link as it came."""
    return text is not None and without_secrets(text) != text


def without_url_secrets(text: str) -> str:
    return text if is_revealed() else mask_url_secrets(text)


def without_secret_members(value: Any) -> Any:
    """The same for what stands for JSON."""
    return value if is_revealed() else mask_value(value)


def cover_places(
    body: BodyText, places: list[Place], place_of: Mapping[int, Place]
) -> tuple[BodyText, list[Place], dict[int, Place]]:
    """What `find_places` found, in the body as it may be shown."""
    covered, moved = cover(body, places)
    return covered, moved, {index: moved[place.number - 1] for index, place in place_of.items()}


def cover(body: BodyText, places: list[Place]) -> tuple[BodyText, list[Place]]:
    """The body as it may be shown, and the places in it."""
    if is_revealed():
        return body, places
    redacted = body.redacted
    if not redacted.hides:
        return body, places
    moved = [
        place._replace(
            start=redacted.shift(place.start), end=redacted.shift(place.end, is_end=True)
        )
        for place in places
    ]
    raw = redacted.shown.encode("utf-8", "surrogatepass")
    return BodyText(raw, body.content_type, body.is_cut), moved


def cover_bytes(body: BodyText) -> bytes:
    """The body as it may be downloaded."""
    if is_revealed() or (body.is_utf8 and not body.redacted.hides):
        return body.raw
    return mask_body(body.raw, is_form=body.is_form)


def hides_values(event: Event, body: BodyText) -> bool:
    """Whether the page of the event would show more to who may see it."""
    texts = [event.path, event.user_agent or "", (event.run and event.run.error_message) or ""]
    texts += [value for _, value in event.headers]
    return body.redacted.hides or any(mask_text(text) != text for text in texts)


def _read_grants() -> dict[str, float]:
    """By event, until when it is shown to this user."""
    owner, grants = session.get(_IN_SESSION) or ("", {})
    return dict(grants) if owner == signed_in_user().public_id else {}


def _clock() -> float:
    return time.time()
