"""Several threads that do the same at once, as the processes of a server do."""

import threading
from collections.abc import Callable, Iterable
from typing import Self

from flask import Flask


def do_together(app: Flask, count: int, work: Callable[[], object]) -> list[BaseException]:
    """Each within a context of the app; returns what has gone wrong once all have ended."""
    failures: list[BaseException] = []

    def attempt() -> None:
        try:
            with app.app_context():
                work()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=attempt) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failures


class Meanwhile:
    """Threads that go on for as long as the block lasts; each looks at `is_over` between two steps
    of its task."""

    def __init__(self, tasks: Iterable[Callable[[], None]]) -> None:
        self.is_over = threading.Event()
        self._threads = [threading.Thread(target=task) for task in tasks]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.is_over.set()
        for thread in self._threads:
            thread.join()
