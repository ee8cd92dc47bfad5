"""What a server's processes use while a drill goes on: memory and file descriptors."""

import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import psutil

from tests.server import LiveServer
from tests.together import Meanwhile


@dataclass(frozen=True, slots=True)
class Sample:
    """At a moment (monotonic), of all processes together.

    `mb`: PSS, in which pages that processes share are counted once.
    """

    at: float
    mb: float
    descriptors: int


class Usage(Meanwhile):
    """Looks at a server's processes every so many seconds. `with Usage(server) as usage:`"""

    def __init__(self, server: LiveServer, every: float = 10.0) -> None:
        super().__init__([self._watch])
        self._roots = [process.pid for process in server.processes.values()]
        self._every = every
        self.samples: list[Sample] = []

    def median_mb(self, since: float, until: float = float("inf")) -> float:
        return statistics.median(each.mb for each in self._between(since, until))

    def median_descriptors(self, since: float, until: float = float("inf")) -> float:
        return statistics.median(each.descriptors for each in self._between(since, until))

    def most_mb(self, since: float = 0.0) -> float:
        return max(each.mb for each in self._between(since, float("inf")))

    def _between(self, since: float, until: float) -> list[Sample]:
        return [each for each in list(self.samples) if since <= each.at < until]

    def _watch(self) -> None:
        while True:
            self.samples.append(look_at(self._roots))
            if self.is_over.wait(self._every):
                return


def look_at(roots: Iterable[int]) -> Sample:
    """These processes and all that they have started."""
    family = [member for root in roots for member in _family(root)]
    memory = sum(_ask(lambda each=each: each.memory_full_info().pss) for each in family)
    descriptors = sum(_ask(each.num_fds) for each in family)
    return Sample(time.monotonic(), memory / 2**20, descriptors)


def _family(root: int) -> list[psutil.Process]:
    try:
        process = psutil.Process(root)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _ask(question: Callable[[], int]) -> int:
    """0 for a process that has ended meanwhile."""
    try:
        return question()
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return 0
