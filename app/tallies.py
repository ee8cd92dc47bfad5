"""Counts up what has happened, within the transaction in which it does."""

from collections.abc import Mapping

from sqlalchemy import text
from sqlalchemy.orm import Session

ACCEPTED, REJECTED, DELIVERY = "accepted", "rejected", "delivery"
MAIL = "mail"
"""Stands for a channel's id in what was sent to a person."""
_ADD = text(
    "INSERT INTO tallies (what, about, count) VALUES (:what, :about, :count) "
    "ON CONFLICT (what, about) DO UPDATE SET count = tallies.count + excluded.count"
)


def count_up(session: Session, counts: Mapping[tuple[str, str], int]) -> None:
    """Add to the tallies of these (what, about), in one order for all who do so."""
    rows = [
        {"what": what, "about": about, "count": count}
        for (what, about), count in sorted(counts.items())
        if count
    ]
    if rows:
        session.execute(_ADD, rows)


def about_delivery(channel_id: int | None, state: str) -> str:
    """What a delivery's tally is about: its channel and how it ended."""
    return f"{channel_id or MAIL} {state}"
