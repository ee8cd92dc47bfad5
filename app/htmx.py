"""What htmx asks and is told in headers: whether it asks at all, and the toasts of an answer."""

import json
from collections.abc import Iterable

from flask import request

TARGET = "#toasts"
GOES_ON = "FlowPulse-Goes-On"
MAX_TEXT = 400
"""A header has its limits; a toast too."""


def is_for_htmx() -> bool:
    """Whether the answer takes the place of a part of a page."""
    return "HX-Request" in request.headers


def is_going_on() -> bool:
    """Whether a search goes on by itself: what is newer than the answer stands above it already."""
    return GOES_ON in request.headers


def toast_header(messages: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The header that shows these messages, each a category and a text; in ASCII."""
    toasts = [{"category": category, "text": text[:MAX_TEXT]} for category, text in messages]
    return {"HX-Trigger": json.dumps({"toast": {"target": TARGET, "toasts": toasts}})}
