"""A JSON object as text that is changed member by member, the rest kept as it was typed."""

import json
import re
from dataclasses import dataclass
from typing import Any

from app.console.json_view import Member, list_members
from app.ingest.references import REFERENCES
from app.json_tokens import scan


@dataclass
class Draft:
    """A JSON object as text, changed member by member; the rest stays as it was typed.

    `known`: slug and name of the workspace's workflows.
    """

    text: str
    known: list[tuple[str, str]]

    def members(self) -> list[Member]:
        return list_members(self.text, scan(self.text))

    def find(self, name: str) -> Member | None:
        return next((each for each in reversed(self.members()) if each.name == name), None)

    def read(self, name: str) -> Any:
        member = self.find(name)
        return json.loads(self.text[slice(*member.value)], strict=False) if member else None

    def rename(self, name: str, new: str) -> bool:
        """In place of what has the new name; False, with all as it was, where there is no such
        member."""
        if name == new or self.find(name) is None:
            return False
        self.drop(new)
        return self._replace((member := self.find(name)) and member.key, json.dumps(new))

    def add(self, name: str, written: str) -> None:
        """Put a further member in front of the others, its value as JSON text."""
        at = self.text.find("{") + 1
        comma = "" if self.text[at:].lstrip().startswith("}") else ", "
        self.text = f"{self.text[:at]}{json.dumps(name)}: {written}{comma}{self.text[at:]}"

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
            return self.add(field, json.dumps(value))
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
