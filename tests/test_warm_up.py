"""What all web processes need is loaded before they are forked, and they share nothing else."""

from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from app.extensions import db, writing
from app.models import Instance
from app.warm_up import warm_up
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


def test_it_waits_for_no_other_writer(
    app: Flask, team: Team, make_app: Callable[..., Flask]
) -> None:
    other = make_app()
    with writing():
        warm_up(other)  # Would wait for ever: nobody lets go meanwhile.
    assert not drawn(other) or db.engine.dialect.name == "postgresql"


def test_without_a_database_it_does_nothing(database_kind: str, tmp_path: Path) -> None:
    urls = {
        "sqlite": f"sqlite:///{tmp_path}/empty.db",
        "postgresql": f"postgresql+psycopg://nobody@127.0.0.1:{free_port()}/none",
    }
    app = make_other_app(urls[database_kind], tmp_path)
    warm_up(app)
    assert not drawn(app)
    close_app(app)
