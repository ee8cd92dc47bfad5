"""Mends the fields of a body that is JSON: one change for an error, and that change in words."""

import json
import re
from collections.abc import Callable, Mapping

from app.console.drafts import Draft
from app.ingest.references import REFERENCES
from app.ingest.schemas import EVENT_KINDS
from app.ingest.suggestions import closest_slug
from app.ingest.timestamps import read_timestamp
from app.problems import FieldError

_PROPOSED = re.compile(r'^Send "([^"]+)"\.')
_AMOUNT = re.compile(r"\s*([\d.]{1,20})\s*(ms|s|sec|seconds?|m|min|minutes?|h|hours?)?\s*")
_THOUSANDS = re.compile(r"\s*\d{1,3}(,\d{3})+(?![\d,])")
_DECIMAL_COMMA = re.compile(r"^(\s*\d+),(\d{1,2})(?![\d.,])")
_MS = {"m": 1, "s": 1_000, "mi": 60_000, "h": 3_600_000}
_LONGEST = {"source_platform": 64}
_ODD = re.compile("[\0\ud800-\udfff]")
_FIELDS = tuple(dict.fromkeys(name for kind in EVENT_KINDS.values() for name in kind.fields))


Words = str | None


def _rename(draft: Draft, error: FieldError) -> Words:
    """Unless the field has a value by now, or had one that stood for none: that is what `received`
    is then."""
    is_empty = draft.read(error.field) in (None, "")
    if error.received and is_empty and draft.rename(error.received, error.field):
        return f"{error.received} is called {error.field}."
    return None


def _rename_misspelt(draft: Draft, warning: FieldError) -> Words:
    """A warning names the field that was meant in its message alone."""
    found = re.search(r"did you mean (\w+)\?$", warning.message)
    if not found or draft.find(found[1]) or not draft.rename(warning.field, found[1]):
        return None
    return f"{warning.field} is called {found[1]}."


def _unwrap(draft: Draft, error: FieldError) -> Words:
    """What stands beside the envelope goes with it, but for the fields of an event."""
    member = draft.find(error.received or "")
    if member is None:
        return None
    value = draft.read(error.received or "")
    beside = {each.name: draft.text[slice(*each.value)] for each in draft.members()}
    draft.text = value if isinstance(value, str) else draft.text[slice(*member.value)]
    kept = _keep(draft, beside) if isinstance(value, dict) else []
    more = f", with {' and '.join(kept)} from beside it" if kept else ""
    return f"What {error.received} holds is the body itself{more}."


def _keep(draft: Draft, members: Mapping[str, str]) -> list[str]:
    """Add those of these members that are fields of an event and not there; returns their names."""
    kept = [name for name in _FIELDS if name in members and draft.find(name) is None]
    for name in reversed(kept):
        draft.add(name, members[name])
    return kept


def _convert_date(draft: Draft, error: FieldError) -> Words:
    found = _PROPOSED.match(error.fix)
    if not found or read_timestamp(found[1]) is None or not draft.put(error.field, found[1]):
        return _drop(draft, error) if error.field == "started_at" else None
    doubt = " If that is not UTC, put its offset in place of the Z." if "UTC" in error.fix else ""
    return f"{error.field} is {found[1]}.{doubt}"


def _drop(draft: Draft, error: FieldError) -> Words:
    if draft.drop(error.field):
        return f"{error.field} is left out: it is optional, and what came can't be used."
    return None


def _convert_type(draft: Draft, error: FieldError) -> Words:
    value = draft.read(error.field)
    if error.field in REFERENCES:
        return None
    if error.field == "metadata" and value is not None:
        draft.put("metadata", {"value": value})
        return "metadata holds what came as its member value."
    if isinstance(value, bool) and error.field not in ("ended_at", "started_at"):
        draft.put(error.field, json.dumps(value))
        return f"{error.field} is a text."
    return None if error.field == "ended_at" else _drop(draft, error)


def _shorten(draft: Draft, error: FieldError) -> Words:
    value, most = draft.read(error.field), _LONGEST.get(error.field, 255)
    if error.field in REFERENCES or not draft.put(error.field, str(value)[:most]):
        return None
    return f"{error.field} is cut to {most} characters."


def _convert_number(draft: Draft, error: FieldError) -> Words:
    found = _AMOUNT.fullmatch(_without_commas(str(draft.read(error.field))))
    try:
        unit = (found[2] or "ms") if found else ""
        factor = 1 if unit == "ms" else _MS["mi" if unit.startswith("m") else unit[0]]
        amount = float(found[1]) * factor if found else None
    except (ValueError, KeyError, IndexError):
        amount = None
    if amount is None:
        return _drop(draft, error)
    number = int(amount) if amount.is_integer() else amount
    draft.put(error.field, number)
    return f"{error.field} is the number {number}, in milliseconds."


def _without_commas(text: str) -> str:
    """1,500 is fifteen hundred, and 1,5 is one and a half; whatever else has commas stays so."""
    if _THOUSANDS.match(text):
        return text.replace(",", "")
    return _DECIMAL_COMMA.sub(r"\1.\2", text)


def _clean(draft: Draft, error: FieldError) -> Words:
    value = draft.read(error.field)
    if not isinstance(value, str):
        return None
    draft.put(error.field, _ODD.sub("", value))
    return f"{error.field} has no NUL and no half characters any more."


def _drop_optional(draft: Draft, error: FieldError) -> Words:
    """An expression or blanks: of what is required, nobody knows what it should have been."""
    others = [name for name in REFERENCES if name != error.field and draft.read(name)]
    is_spare = error.field in REFERENCES and others
    is_optional = error.field not in (*REFERENCES, "ended_at", "error_message")
    return _drop(draft, error) if is_spare or is_optional else None


def _drop_mismatch(draft: Draft, error: FieldError) -> Words:
    if draft.drop(error.field):
        return f"{error.field} is left out: another field names the workflow already."
    return None


def _take_closest(draft: Draft, error: FieldError) -> Words:
    slug = closest_slug(str(draft.read(error.field) or ""), draft.known)
    if slug is None:
        return None
    draft.name_workflow("workflow_slug", slug)
    return f"The workflow is {slug}, the closest one that there is."


RULES: dict[str, Callable[[Draft, FieldError], Words]] = {
    "after_ended_at": _drop,
    "blank": _drop_optional,
    "date_only": _convert_date,
    "epoch_number": _convert_date,
    "invalid_characters": _clean,
    "invalid_type": _convert_type,
    "local_format": _convert_date,
    "misspelt_field": _rename_misspelt,
    "missing": _rename,
    "not_a_datetime": _convert_date,
    "not_a_number": _convert_number,
    "out_of_range": _drop,
    "too_long": _shorten,
    "unevaluated_expression": _drop_optional,
    "workflow_mismatch": _drop_mismatch,
    "workflow_not_found": _take_closest,
    "wrapped_in_envelope": _unwrap,
}
"""What mends a field, by the code of its error or warning."""
