"""The time that one try to deliver a message has, for all that belongs to it."""

import time

TOTAL_SECONDS = 20.0


class Deadline:
    """Begins at once."""

    def __init__(self, seconds: float | None = None) -> None:
        self.seconds = TOTAL_SECONDS if seconds is None else seconds
        self._end = time.monotonic() + self.seconds

    def left(self, at_most: float | None = None) -> float:
        """The seconds that are left. Raises TimeoutError when none are."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError(self.words)
        return left if at_most is None else min(left, at_most)

    @property
    def words(self) -> str:
        return f"it took longer than {self.seconds:g} s"
