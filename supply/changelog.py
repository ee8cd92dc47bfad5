"""CHANGELOG.md, as Keep a Changelog 1.1.0 has it: what is unreleased becomes a release."""

import re
from datetime import date
from itertools import pairwise
from typing import NamedTuple

UNRELEASED = "Unreleased"
_SECTION = re.compile(r"^## \[(?P<name>[^\]]+)\](?: - (?P<day>\d{4}-\d\d-\d\d))?$", re.MULTILINE)
_LINKS = re.compile(r"\n(?:\[[^\]]+\]: \S+\n)+\Z")
_WEB = "../.."
"""Where a repository's page is, seen from this file's, on GitHub and what works as it does: the
project may move, and so may its copies."""


class Section(NamedTuple):
    """What is told of a version, without its heading; `day` is None of what is unreleased."""

    name: str
    day: date | None
    text: str


class Changelog(NamedTuple):
    """The head, then all sections, the newest first. Links are made anew from them."""

    head: str
    sections: tuple[Section, ...]

    @property
    def releases(self) -> tuple[Section, ...]:
        return tuple(each for each in self.sections if each.name != UNRELEASED)

    def notes_of(self, version: str) -> str:
        """Raises StopIteration where there is no such release."""
        return next(each.text for each in self.releases if each.name == version)

    def released(self, version: str, day: date) -> "Changelog":
        """With what is unreleased as that release; as it is where that is there already."""
        if version in (each.name for each in self.releases):
            return self
        new = Section(version, day, self.unreleased)
        return Changelog(self.head, (Section(UNRELEASED, None, ""), new, *self.releases))

    @property
    def unreleased(self) -> str:
        return next((each.text for each in self.sections if each.name == UNRELEASED), "")

    @property
    def has_news(self) -> bool:
        """Whether anything is listed as unreleased; headings alone are nothing."""
        return any(line.startswith("- ") for line in self.unreleased.splitlines())

    def render(self) -> str:
        parts = [self.head, *(_draw(each) for each in self.sections), self._draw_links()]
        return "\n\n".join(part for part in parts if part) + "\n"

    def _draw_links(self) -> str:
        """Of each version to what has changed in it; the first has nothing before it."""
        versions = [each.name for each in self.releases]
        if not versions:
            return ""
        lines = [f"[{UNRELEASED}]: {_WEB}/compare/v{versions[0]}...HEAD"]
        for version, before in pairwise(versions):
            lines.append(f"[{version}]: {_WEB}/compare/v{before}...v{version}")
        return "\n".join([*lines, f"[{versions[-1]}]: {_WEB}/releases/tag/v{versions[-1]}"])


def read_changelog(text: str) -> Changelog:
    text = _LINKS.sub("\n", text)
    found = list(_SECTION.finditer(text))
    ends = [each.start() for each in found[1:]] + [len(text)]
    sections = (
        Section(each["name"], _read_day(each["day"]), text[each.end() : end].strip())
        for each, end in zip(found, ends, strict=True)
    )
    head = text[: found[0].start()] if found else text
    return Changelog(head.strip(), tuple(sections))


def _draw(section: Section) -> str:
    day = f" - {section.day}" if section.day else ""
    return f"## [{section.name}]{day}\n\n{section.text}".strip()


def _read_day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None
