"""What waits to be written, or to be let go: whoever takes its turn decides."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from app.blocking import Signal, make_signal
from app.ingest.store import OUTAGES, Store

WAIT_SECONDS = 8.0
"""How long a sender waits for its event's turn; then it is told 503, and the event is let go."""
WRITE_SECONDS = 10.0
"""How long it waits on while its event is being written: what came of that must be known."""
LOOK_SECONDS = 0.25


@dataclass(slots=True, eq=False, kw_only=True)
class Waiting:
    """Has one turn, for whoever writes it or for its sender, who gives it up.

    So nothing is written whose sender has been told that it is not.
    """

    done: Signal = field(default_factory=make_signal)
    turn: list[bool] = field(default_factory=lambda: [True])
    is_ours: bool = False
    error: BaseException | None = None

    def take(self) -> bool:
        """Whether its sender has not given it up; it is its writer's from now on."""
        self.is_ours = self.is_ours or self._take_turn()
        return self.is_ours

    def give_back(self) -> None:
        """Nothing was written: its sender may give it up again."""
        if self.is_ours:
            self.is_ours = False
            self.turn.append(True)

    def wait_on(self) -> bool:
        """Whether it was written after all; it is let go as soon as nobody is writing it."""
        for _ in range(round(WRITE_SECONDS / LOOK_SECONDS)):
            if self._take_turn():
                return False
            if self.done.wait(LOOK_SECONDS):
                return True
        self.is_ours = False  # Should this try fail, there is no other.
        return False

    def _take_turn(self) -> bool:
        """Whether nobody had taken it; a list's pop is one step for all threads."""
        try:
            return self.turn.pop()
        except IndexError:
            return False


W = TypeVar("W", bound=Waiting)


def write_one_by_one(store: Store, things: Sequence[W], write: Callable[[W], None]) -> None:
    """One thing that can't be written must not take the others with it.

    When it is the database that can't be used, all the rest fail at once: each would wait for its
    lock anew, long after its sender was told.
    """
    outage: Exception | None = None
    for thing in things:
        thing.error = outage
        if outage is None:
            try:
                store.run(partial(write, thing))
            except Exception as error:
                thing.error = error
                outage = error if isinstance(error, OUTAGES) else None
