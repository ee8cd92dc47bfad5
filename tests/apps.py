"""Apps for tests inside this process, and the client that speaks to them."""

from contextvars import Context
from pathlib import Path
from typing import Any

from flask import Flask, has_app_context
from flask.testing import FlaskClient
from jinja2.bccache import Bucket, BytecodeCache
from sqlalchemy import Engine

from app import create_app
from app.cli.migrations import init_migrations
from app.config import SETTINGS
from app.extensions import db
from tests.server import SECRET


class FreshClient(FlaskClient):
    """A client whose requests know nothing of the test's own application context.

    Inside it they would share its `g` and session: a person once signed in would stay so. After a
    request, the test's session reads what the request has written.
    """

    def open(self, *arguments: Any, **options: Any) -> Any:
        answer = Context().run(super().open, *arguments, **options)
        if has_app_context():
            db.session.rollback()
        return answer


def make_app(database_url: str, data_dir: Path, **settings: object) -> Flask:
    """All settings are given, so that neither the environment nor a `.env` reaches the tests."""
    defaults = {setting.name: setting.parse(setting.default) for setting in SETTINGS}
    own = {
        "FLOWPULSE_DATABASE_URL": database_url,
        "FLOWPULSE_DATA_DIR": data_dir,
        "FLOWPULSE_SECRET_KEY": SECRET,
    }
    app = create_app({**defaults, **own, **settings})
    init_migrations(app)
    _share_compiled(app)
    app.jinja_env.bytecode_cache = _TEMPLATES
    app.testing = True
    app.test_client_class = FreshClient
    return app


class _CompiledTemplates(BytecodeCache):
    """A template is compiled once for all apps: that takes ten times as long as to fill it.

    What comes of it depends on its source, and on filters and tests that all apps have alike.
    """

    def __init__(self) -> None:
        self._codes: dict[tuple[str, str], Any] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._codes.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._codes[bucket.key, bucket.checksum] = bucket.code


_TEMPLATES = _CompiledTemplates()

_first_engines: dict[str, Engine] = {}
"""Of each kind of database, the engine whose dialect and compiled statements all others use."""


def _share_compiled(app: Flask) -> None:
    """A statement is compiled once for all apps, as it is in a server that has run for a while.

    SQLAlchemy looks compiled statements up by the dialect object, so that one is shared as well.
    """
    with app.app_context():
        engine = db.engine
    first = _first_engines.get(engine.dialect.name)
    if first is None or getattr(first.dialect, "server_version_info", None) is None:
        _first_engines[engine.dialect.name] = engine  # One that has not connected knows too little.
        return
    engine.dialect = engine.pool._dialect = first.dialect
    engine._compiled_cache = first._compiled_cache


def close_app(app: Flask) -> None:
    """End its threads and close its connections to the database."""
    app.extensions["flowpulse_ingest"].close()
    with app.app_context():
        db.session.remove()
        db.engine.dispose()
