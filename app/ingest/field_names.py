"""Explains names: the ones that are unknown, and the ones that should be there and are not."""

import difflib
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import islice
from typing import Any

from app.ingest.body import ReadBody
from app.problems import FieldError, shorten

_CLOSE_ENOUGH = 0.8
_LONGEST = 40
_MOST_NAMED = 20
_MOST_COMPARED = 50
_OTHER_WORDS = {
    "ended_at": (
        "end end_time end_at end_date finished finished_at finish_time stopped_at stop_time "
        "completed_at completed timestamp time date finished_on ended"
    ),
    "started_at": "start start_time start_at start_date begin began_at begun_at started",
    "duration_ms": "duration duration_in_ms elapsed elapsed_ms time_ms runtime runtime_ms took_ms",
    "external_execution_id": "execution_id external_id run_id execution exec_id external_run_id",
    "source_platform": "platform source tool",
    "source_workflow_id": "n8n_workflow_id scenario_id zap_id external_workflow_id",
    "correlation_id": "correlation trace_id request_id",
    "metadata": "meta extra context",
    "error_message": "error message err error_text error_description reason",
    "error_type": "error_name error_code error_class exception exception_type",
    "workflow_slug": "slug workflow",
    "workflow_name": "name",
    "workflow_id": "workflow_uid flow_id workflow_uuid",
    "events": "batch items records data",
    "kind": "type event_type event_kind",
}
_FILLED = {
    "ended_at": 'Send when the run ended, such as "2026-01-15T09:31:00Z".',
    "started_at": 'Send when the run started, such as "2026-01-15T09:30:55Z".',
    "error_message": (
        "Send a text that says what failed. For an error without one, send the name of the step "
        "that failed."
    ),
    "external_execution_id": "Send the id of the execution, the same one as when the run ends.",
}
"""What to send in a field that is there, and empty."""
_ADDED = "Add the field with a value. Its name has to be spelt exactly so."


def _normalise(name: str) -> str:
    return re.sub(r"[\W_]", "", name).lower()


_MEANT = {_normalise(word): field for field, text in _OTHER_WORDS.items() for word in text.split()}


@lru_cache(maxsize=1024)
def find_meant(name: str, known: tuple[str, ...]) -> str | None:
    """The one of the `known` fields that is close to the unknown `name`, if one is."""
    if len(name) > _LONGEST:
        return None
    spelt = _normalise(name)
    same = {_normalise(field): field for field in known}
    if spelt in same:
        return same[spelt]
    close = difflib.get_close_matches(spelt, same, n=1, cutoff=_CLOSE_ENOUGH)
    if close:
        return same[close[0]]
    meant = _MEANT.get(spelt)
    return meant if meant in known else None


def describe_missing(
    wanted: tuple[str, ...], body: Mapping[str, Any], known: tuple[str, ...]
) -> FieldError:
    """The error of a body with none of the `wanted` fields; a misnamed or wrapped one is told."""
    names = f"{', '.join(wanted[:-1])} or {wanted[-1]}" if len(wanted) > 1 else wanted[0]
    for name, value in islice(_list_unknown(body, known), _MOST_COMPARED):
        meant = find_meant(name, known)
        if meant in wanted and value not in (None, ""):
            message = f"{meant} is missing. You sent {name}: rename it to {meant}."
            return FieldError(meant, "missing", message, f"Spell it exactly {meant}.", name)
        if _holds(value, wanted):
            message = f"{names} is inside {name}, where it is not looked for."
            fix = f"Send what {name} holds as the body itself, without {name} around it."
            return FieldError(wanted[0], "wrapped_in_envelope", message, fix, name)
    if len(wanted) > 1:
        message = f"No workflow is named: one of {names} is needed."
        fix = "Copy the id or the slug from the workflow's page and send it."
        return FieldError(wanted[0], "missing", message, fix)
    if names not in body:
        return FieldError(names, "missing", f"{names} is missing.", _ADDED)
    how = {"": "empty", None: "null"}[body[names]]
    return FieldError(names, "missing", f"{names} is {how}.", fill(names), body[names])


def fill(name: str) -> str:
    """What to send in a required field that is there, but holds no value."""
    return _FILLED.get(name, f"Send a value in {name}.")


def warn_of_unknown(body: ReadBody, known: tuple[str, ...], elsewhere: Mapping[str, str]) -> None:
    """Adds a warning for each name that is not `known`; `elsewhere`: where one belongs."""
    unknown = list(_list_unknown(body, known))
    for name, _ in unknown[:_MOST_NAMED]:
        meant, shown = find_meant(name, known), shorten(name) or '""'
        code, message = "unknown_field", f"{shown} is not a known field; it was ignored."
        if meant:
            code = "misspelt_field"
            message = f"{shown} is not a known field and was ignored: did you mean {meant}?"
        elif name in elsewhere:
            message = f"{shown} was ignored: {elsewhere[name]}."
        body.warnings.append(FieldError(name or '""', code, message))
    if len(unknown) > _MOST_NAMED:
        message = f"{len(unknown) - _MOST_NAMED} more fields are not known; they were ignored."
        body.warnings.append(FieldError("body", "unknown_field", message))


def _list_unknown(body: Mapping[str, Any], known: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    return ((name, value) for name, value in body.items() if name not in known)


def _holds(value: Any, wanted: tuple[str, ...]) -> bool:
    if isinstance(value, dict):
        return any(name in value for name in wanted)
    text = value.lstrip() if isinstance(value, str) else ""
    return text.startswith("{") and any(f'"{name}"' in text for name in wanted)
