"""What an event says, in a few words: the message of a row."""

from collections.abc import Callable
from typing import NamedTuple

from app.beginnings import mask_beginning
from app.console.url_filter import OUTCOMES
from app.models import Event
from app.problems import PROBLEMS
from app.processing.runs import OUTCOMES_BY_KIND, kinds_that_tell
from app.redaction import mask_text
from app.signs import show_signs

_MAX_TEXT = 160
FAILURES = frozenset(kinds_that_tell("failure"))
"""The kinds of events that report a failure."""


def filter_by_outcome(event: Event) -> str | None:
    """The outcome that the log's filter knows for such an event; None for a start."""
    told = OUTCOMES_BY_KIND.get(event.kind or "")
    return told if told in OUTCOMES else None


class Summary(NamedTuple):
    """What an event says, in a few words, and in a sentence below them."""

    title: str
    text: str = ""


def summarise(event: Event) -> Summary:
    """What a row says about an event; one registry line a state."""
    title, text = _SUMMARIES[event.state](event)
    return Summary(_shorten(title), _shorten(text))


def _shorten(text: str) -> str:
    """Cut once its secrets are hidden: a part of one would no longer be known for what it is."""
    return show_signs(mask_beginning(text, _MAX_TEXT, mask_text))


def _of_accepted(event: Event) -> Summary:
    return Summary("Trying again", event.failure) if event.failure else _of_warnings(event)


def _of_processed(event: Event) -> Summary:
    run = event.run
    if run is None or event.kind not in FAILURES:
        return _of_warnings(event)
    if run.outcome == "failure":
        return Summary(run.error_message or "", run.error_type or "")
    return Summary("Decided by another event", "One that ended later told that the run succeeded.")


def _of_failed(event: Event) -> Summary:
    return Summary(PROBLEMS["processing_failed"].title, event.failure or "")


def _of_rejected(event: Event) -> Summary:
    problem = PROBLEMS.get(event.code or "")
    messages = [str(error.get("message", "")) for error in event.errors or []]
    more = f" (and {len(messages) - 1} more)" if len(messages) > 1 else ""
    text = messages[0] + more if messages else event.detail or ""
    return Summary(problem.title if problem else event.code or "Refused", text)


def _of_warnings(event: Event) -> Summary:
    messages = [str(warning.get("message", "")) for warning in event.warnings or []]
    if not messages:
        return Summary("")
    return Summary("1 warning" if len(messages) == 1 else f"{len(messages)} warnings", messages[0])


_SUMMARIES: dict[str, Callable[[Event], Summary]] = {
    "accepted": _of_accepted,
    "processed": _of_processed,
    "failed": _of_failed,
    "rejected": _of_rejected,
}
