"""What a provider tells of who has come back from it."""

from datetime import timedelta
from typing import Any, NamedTuple


class Arrival(NamedTuple):
    """Who has come back, and what was kept of the way there.

    `email` is empty where the provider does not vouch for it, `claimed` is what it says all the
    same. `proven`: how long ago the person has shown there who they are; None where the provider
    could tell, and does not. `was_asked`: whether that was after they had left here.
    """

    subject: str
    email: str
    claimed: str
    name: str
    proven: timedelta | None
    was_asked: bool
    kept: dict[str, Any]
