"""Alembic, for the commands that need it."""

from pathlib import Path

from flask import Flask
from flask_migrate import Migrate

from app.extensions import db

MIGRATIONS = Path(__file__).parents[2] / "migrations"

_migrate = Migrate(render_as_batch=True, compare_type=True)


def init_migrations(app: Flask) -> None:
    """Have the app know where its migrations are; may be called again."""
    if "migrate" not in app.extensions:
        _migrate.init_app(app, db, directory=str(MIGRATIONS))
