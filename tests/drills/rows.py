"""What a row of docs/reliability.md is made of."""

from typing import NamedTuple

DURABILITY, OVERLOAD, OTHERS = "Durability and faults", "Overload", "Further drills"


class Drill(NamedTuple):
    """A row of the page."""

    section: str
    fault: str
    mark: str
    found: str
    """A format string with the names of the figures that the drill records."""
    databases: tuple[str, ...] = ("sqlite", "postgresql")
    """Where it means anything."""


NOTHING_LOST = "0 lost, 0 doubled; "
RECKONED = "{accepted:,} answered with 202: {lost} lost, {doubled} doubled; "
"""Begins a mark, and what was found by it."""
