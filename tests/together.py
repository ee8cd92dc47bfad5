"""Several threads that do the same at once, as the processes of a server do."""

import threading
from collections.abc import Callable

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
