"""A probe waits for a look, not for ever, and has one look under way at most."""

import threading

import pytest
from flask import Flask, current_app
from sqlalchemy.exc import OperationalError

from app.doctor.probing import Probe


def test_who_asks_waits_for_so_long_and_the_next_joins_the_same_look(app: Flask) -> None:
    let_go, begun = threading.Event(), threading.Semaphore(0)

    def look() -> str:
        begun.release()
        let_go.wait(10)
        return f"seen of {current_app.name}"

    probe = Probe(app, look)
    for _ in range(3):
        with pytest.raises(TimeoutError):
            probe.ask(0.05)
    assert begun.acquire(timeout=5) and not begun.acquire(timeout=0.05)
    threading.Timer(0.05, let_go.set).start()
    assert probe.ask(5) == "seen of app"
    assert probe.ask(5) == "seen of app"
    assert begun.acquire(timeout=5), "the next question is a look of its own"


def test_what_a_look_raises_reaches_who_asks_and_the_next_look_starts_anew(app: Flask) -> None:
    errors = iter([OperationalError("SELECT", {}, Exception("gone"))])

    def look() -> str:
        for error in errors:
            raise error
        return "back"

    probe = Probe(app, look)
    with pytest.raises(OperationalError):
        probe.ask(5)
    assert probe.ask(5) == "back"
