"""Mends the fields of a body that is JSON: one change for an error, and that change in words."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from app.console.json_view import Member, list_members, scan
from app.ingest.references import REFERENCES, closest_slug
from app.ingest.timestamps import read_timestamp
from app.problems import FieldError

_PROPOSED = re.compile(r'^Send "([^"]+)"\.')
_AMOUNT = re.compile(r"\s*([\d.]{1,20})\s*(ms|s|sec|seconds?|m|min|minutes?|h|hours?)?\s*")
_MS = {"m": 1, "s": 1_000, "mi": 60_000, "h": 3_600_000}
_LONGEST = {"source_platform": 64}
_ODD = re.compile("[\0\ud800-\udfff]")


@dataclass
class Draft:
    """A JSON object as text, changed member by member; the rest stays as it was typed.

    `known`: slug and name of the workspace's workflows.
    """

    text: str
    known: list[tuple[str, str]]

    def find(self, name: str) -> Member | None:
        members = list_members(self.text, scan(self.text))
        return next((each for each in reversed(members) if each.name == name), None)

    def read(self, name: str) -> Any:
        member = self.find(name)
        return json.loads(self.text[slice(*member.value)], strict=False) if member else None

    def rename(self, name: str, new: str) -> bool:
        """False where there is no such member."""
        self.drop(new)
        return self._replace((member := self.find(name)) and member.key, json.dumps(new))

    def put(self, name: str, value: Any) -> bool:
        """Give a member another value; False where there is none."""
        written = json.dumps(value, ensure_ascii=False)
        return self._replace((member := self.find(name)) and member.value, written)

    def drop(self, name: str) -> bool:
        """Take out every member of this name, each with one of the commas beside it."""
        dropped = False
        while member := self.find(name):
            start, end = member.key[0], member.value[1]
            after = re.compile(r"\s*,\s*").match(self.text, end)
            before = re.compile(r",\s*$").search(self.text[:start])
            if after:
                end = after.end()
            elif before:
                start = before.start()
            self.text = self.text[:start] + self.text[end:]
            dropped = True
        return dropped

    def name_workflow(self, field: str, value: str) -> None:
        """Have this field, and no other, name the workflow."""
        present = next((name for name in REFERENCES if self.find(name)), None)
        if present is None:
            at = self.text.find("{") + 1
            comma = "" if self.text[at:].lstrip().startswith("}") else ", "
            written = f"{json.dumps(field)}: {json.dumps(value)}{comma}"
            self.text = self.text[:at] + written + self.text[at:]
            return
        if present != field:
            self.rename(present, field)
        self.put(field, value)
        for name in REFERENCES:
            if name != field:
                self.drop(name)

    def _replace(self, place: tuple[int, int] | None, new: str) -> bool:
        if place:
            self.text = self.text[: place[0]] + new + self.text[place[1] :]
        return place is not None


Words = str | None


def _rename(draft: Draft, error: FieldError) -> Words:
    if error.received and draft.rename(error.received, error.field):
        return f"{error.received} is called {error.field}."
    return None


def _rename_misspelt(draft: Draft, warning: FieldError) -> Words:
    """A warning names the field that was meant in its message alone."""
    found = re.search(r"did you mean (\w+)\?$", warning.message)
    if not found or draft.find(found[1]) or not draft.rename(warning.field, found[1]):
        return None
    return f"{warning.field} is called {found[1]}."


def _unwrap(draft: Draft, error: FieldError) -> Words:
    member = draft.find(error.received or "")
    if member is None:
        return None
    value = draft.read(error.received or "")
    draft.text = value if isinstance(value, str) else draft.text[slice(*member.value)]
    return f"What {error.received} holds is the body itself."


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
    found = _AMOUNT.fullmatch(str(draft.read(error.field)).replace(",", ""))
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
