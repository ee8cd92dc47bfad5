"""Reads a batch's body: its events, each as the text that it could have been sent as alone."""

import json
import re
from collections.abc import Iterator, Sequence
from json.decoder import WHITESPACE  # type: ignore[attr-defined]
from typing import Any, NamedTuple

from app.ingest.body import ReadBody, parse_json, read_object
from app.ingest.field_names import describe_missing, find_meant
from app.ingest.fields import show_value
from app.ingest.schemas import EVENT_KINDS
from app.ingest.slips import Slip
from app.problems import FieldError, ProblemError, shorten

EVENTS = "events"
OWN = KIND, IDEMPOTENCY_KEY = "kind", "idempotency_key"
"""The members of an event in a batch that an event sent alone has in its address and headers."""
MOST_EVENTS = 500
LEVELS_AROUND = 2
"""The batch's object and its list: so much deeper than an event a batch may be nested."""
_LIST = '{"events": [{"kind": "run-success", …}, …]}.'
_FIX = f"Put the events into a list: {_LIST}"
_OF_EVENTS = frozenset(OWN).union(*(kind.fields for kind in EVENT_KINDS.values()))
_TELLING = {"error_message": "run-failure", "ended_at": "run-success", "started_at": "run-start"}
"""The kind that an event is which does not say it, by its fields; the first of them decides."""
_MOST_NAMED = 3
_SHARED = frozenset({"double_encoded", "form_encoded"})
"""What was tolerated in the body as a whole, and is told of each event."""
_LEAD = re.compile(r'(\{\s*)(?:"(?:kind|idempotency_key)"\s*:\s*"[^"\\]*"\s*,\s*){1,2}')
"""What the members of a batch's event are as a rule: its first ones, and plain texts."""
_skip_blanks = WHITESPACE.match
_read_value = json.JSONDecoder().raw_decode


class BatchBody(NamedTuple):
    """The texts of the events, and the warnings that each of them has."""

    texts: list[str]
    warnings: list[FieldError]


class _Member(NamedTuple):
    """A member of an object: its name, where that begins, and where its value begins and ends."""

    name: str
    begin: int
    value: int
    end: int


def read_whole(raw: bytes, content_type: str | None, max_depth: int) -> ReadBody:
    """The batch's object; an event in it may be nested `max_depth` levels deep.

    Raises ProblemError `invalid_json`, with the place in the whole body.
    """
    try:
        return read_object(raw, content_type, max_depth + LEVELS_AROUND)
    except ProblemError as problem:
        if problem.errors[0].code != "json_not_an_object":
            raise
        message, received = problem.errors[0].message, problem.errors[0].received
        error = FieldError("body", "json_not_an_object", message, _FIX, received)
        raise ProblemError("invalid_json", errors=[error], position=problem.position) from None


def split(whole: ReadBody, raw: bytes, max_depth: int) -> BatchBody:
    """The events of a batch that was read from `raw`; raises ProblemError `validation_failed`."""
    warnings = [warning for warning in whole.warnings if warning.code in _SHARED]
    warnings += _warn_of_others([name for name in whole if name != EVENTS])
    value = whole.get(EVENTS)
    if type(value) is str and value.strip():
        text, value = value, _read_list(value, max_depth)
        at = _skip_blanks(text, 0).end()
        message = "The list of events was JSON inside a text."
        warnings.append(FieldError(EVENTS, "double_encoded", message))
    elif type(value) is list:
        text = _decode(raw)
        at = [each.value for each in _list_members(text) if each.name == EVENTS][-1]
    _check_list(value, whole)
    return BatchBody([text[start:end] for start, end in _find_elements(text, at)], warnings)


def unwrap(text: str) -> str:
    """An event's own text, where it was sent as JSON inside a text."""
    return str(json.loads(text)).strip() if text.startswith('"') else text


def encode(text: str) -> bytes:
    """Half a character becomes the escape that it was in the text around it."""
    return text.encode("utf-8", "backslashreplace")


def leave_out_own(text: str) -> str:
    """The text of an event's object without what belongs to the batch; all else is as it was."""
    lead = _LEAD.match(text)
    if lead and "\\u" not in text and not any(f'"{name}"' in text[lead.end() :] for name in OWN):
        return lead[1] + text[lead.end() :]
    members = list(_list_members(text))
    if not any(each.name in OWN for each in members):
        return text
    kept, gap = "", text[text.index("{") : members[0].begin]
    for index, each in enumerate(members):
        before = text[members[index - 1].end : each.begin] if kept else ""
        if each.name not in OWN:
            kept += before + text[each.begin : each.end]
    return gap + kept + text[members[-1].end :].rstrip()


def _read_list(text: str, max_depth: int) -> Any:
    """What a text in the place of the list holds, read as JSON."""
    try:
        return parse_json(text, max_depth + 1).value
    except Slip as slip:
        what = slip.message.replace("The body ", "It ", 1)
        message = f"{EVENTS} is a text that holds no JSON list: {what}"
        error = FieldError(EVENTS, "invalid_type", message, _FIX, text)
        raise ProblemError("validation_failed", errors=[error]) from None


def _check_list(value: Any, whole: ReadBody) -> None:
    error = None
    if value is None or value == "":
        error = _describe_missing(whole)
    elif type(value) is not list:
        message = f"{EVENTS} has to be a list."
        error = FieldError(EVENTS, "invalid_type", message, _FIX, show_value(value))
    elif not value:
        error = FieldError(EVENTS, "no_events", f"{EVENTS} is an empty list.")
    elif len(value) > MOST_EVENTS:
        message = f"{EVENTS} holds {len(value):,} events; a batch holds at most {MOST_EVENTS}."
        error = FieldError(EVENTS, "too_many_events", message)
    if error:
        raise ProblemError("validation_failed", errors=[error])


def _describe_missing(whole: ReadBody) -> FieldError:
    meant = [value for name, value in whole.items() if value and find_meant(name, (EVENTS,))]
    is_event = EVENTS not in whole and not whole.keys().isdisjoint(_OF_EVENTS)
    if is_event and not any(isinstance(value, list) for value in meant):
        return _describe_lone_event(whole)
    if EVENTS in whole or meant:
        return describe_missing((EVENTS,), whole, (EVENTS,))
    return FieldError(EVENTS, "missing", f"{EVENTS} is missing.", _FIX)


def _describe_lone_event(whole: ReadBody) -> FieldError:
    """Of a body that is an event by itself: where it is taken alone."""
    kind = whole.get(KIND)
    if type(kind) is not str or kind not in EVENT_KINDS:
        kind = next((kind for name, kind in _TELLING.items() if name in whole), "run-success")
    fix = f"Send it to /api/v1/ingest/{kind}, or put it into a list: {_LIST}"
    message = f"{EVENTS} is missing: the body is a single event."
    return FieldError(EVENTS, "missing", message, fix)


def _warn_of_others(names: Sequence[str]) -> list[FieldError]:
    """What stands beside the list of events; few are named, as each event is told of all."""
    warnings = []
    for name in names[:_MOST_NAMED]:
        shown = (shorten(name) or '""') + f" beside {EVENTS}"
        if name in _OF_EVENTS:  # The event may have a field of this name: it is not meant.
            message = f"{shown} was ignored: it belongs into each event."
            warnings.append(FieldError("body", "unknown_field", message))
        else:
            message = f"{shown} is not a known field; it was ignored."
            warnings.append(FieldError(name or '""', "unknown_field", message))
    if len(names) > _MOST_NAMED:
        left = len(names) - _MOST_NAMED
        message = f"{left} more fields beside {EVENTS} are not known; they were ignored."
        warnings.append(FieldError("body", "unknown_field", message))
    return warnings


def _decode(raw: bytes) -> str:
    """The text of a body that has been read as JSON."""
    return unwrap(raw.decode("utf-8-sig").strip())


def _list_members(text: str) -> Iterator[_Member]:
    """The members of the JSON object that the text is, in their order."""
    at = _skip_blanks(text, text.index("{") + 1).end()
    while text[at] != "}":
        begin = at
        name, at = _read_value(text, begin)
        value = _skip_blanks(text, _skip_blanks(text, at).end() + 1).end()
        _, end = _read_value(text, value)
        yield _Member(name, begin, value, end)
        at = _skip_comma(text, end)


def _find_elements(text: str, at: int) -> Iterator[tuple[int, int]]:
    """Where each element of the list begins and ends that opens at this place of the text."""
    at = _skip_blanks(text, at + 1).end()
    while text[at] != "]":
        _, end = _read_value(text, at)
        yield at, end
        at = _skip_comma(text, end)


def _skip_comma(text: str, at: int) -> int:
    """The place of what comes next: a member, an element, or the bracket that closes them."""
    at = _skip_blanks(text, at).end()
    return _skip_blanks(text, at + 1).end() if text[at] == "," else at
