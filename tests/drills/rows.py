"""What a row of docs/reliability.md is made of."""

from typing import NamedTuple

from tests.drills.marks import Held

DURABILITY, OVERLOAD, OTHERS = "Durability and faults", "Overload", "Further drills"
REACHED = "{rate:.0f}/s"
ALTERED = "{altered} altered"
BETWEEN = "at least {between:,} accepted between two faults"


class Drill(NamedTuple):
    """A row of the page."""

    section: str
    fault: str
    mark: str
    found: str
    """A format string with the names of the figures that the drill records."""
    databases: tuple[str, ...] = ("sqlite", "postgresql")
    """Where it means anything."""
    held: Held | None = None
    """Whether the mark was held (`tests.drills.marks`); None: only the amount counts."""
    besides: tuple[str, ...] = (ALTERED, BETWEEN, REACHED)
    """As `found`, each told where its figures are known: older results lack some."""


NOTHING_LOST = "0 lost, doubled or altered; "
RECKONED = "{accepted:,} answered with 202: {lost} lost, {doubled} doubled; "
"""Begins a mark, and what was found by it."""
