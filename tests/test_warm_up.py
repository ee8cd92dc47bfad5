"""What all web processes need is loaded before they are forked, and they share nothing else."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, select

from app import clock
from app.extensions import db, is_sqlite, writing
from app.models import Downtime, Instance
from app.warm_up import warm_up
from app.write_lock import note_of_move
from tests.apps import close_app
from tests.apps import make_app as make_other_app
from tests.factories import Team, make_team
from tests.ports import free_port


@pytest.fixture
def team(app: Flask) -> Team:
    return make_team()


def drawn(app: Flask) -> set[str]:
    """The templates that are loaded."""
    return {str(name) for _, name in (app.jinja_env.cache or {}).keys()}  # noqa: SIM118


def test_a_page_is_drawn_and_a_beat_written_and_no_connection_left(app: Flask, team: Team) -> None:
    db.session.remove()
    warm_up(app)
    assert {engine.pool.checkedin() for engine in db.engines.values()} == {0}  # type: ignore[attr-defined]
    assert "sign_in/sign_in.html" in drawn(app)
    assert db.session.scalar(select(Instance.web_seen_at)) is not None


def test_it_hardly_waits_for_another_writer(
    app: Flask, team: Team, make_app: Callable[..., Flask]
) -> None:
    other = make_app()
    with writing() as session:
        session.scalar(select(Instance).with_for_update())
        warm_up(other)  # Would wait for ever: nobody lets go meanwhile.
    assert not drawn(other)


def test_a_database_that_was_moved_away_keeps_no_web_server_from_starting(
    app: Flask, team: Team
) -> None:
    if not is_sqlite():
        pytest.skip("what was moved away is SQLite")
    note = note_of_move(Path(str(db.engine.url.database)))
    note.write_text("postgresql://elsewhere/flowpulse")
    warm_up(app)
    note.unlink()
    assert not drawn(app)


def test_a_wrong_clock_is_set_right_before_it_says_that_it_is_there(
    app: Flask, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    if is_sqlite():
        pytest.skip("SQLite has no clock but the machine's own")
    warm_up(app)
    real = clock.own_now
    monkeypatch.setattr(clock, "_ahead", timedelta())  # Which is put back with it.
    monkeypatch.setattr(clock, "own_now", lambda: real() + timedelta(hours=1))
    warm_up(app)
    assert db.session.scalar(select(func.count()).select_from(Downtime)) == 0


def test_without_a_database_it_does_nothing(database_kind: str, tmp_path: Path) -> None:
    urls = {
        "sqlite": f"sqlite:///{tmp_path}/empty.db",
        "postgresql": f"postgresql+psycopg://nobody@127.0.0.1:{free_port()}/none",
    }
    app = make_other_app(urls[database_kind], tmp_path)
    warm_up(app)
    assert not drawn(app)
    close_app(app)
