"""Where on this machine the data lies."""

from pathlib import Path

from flask import current_app

from app.extensions import db, is_sqlite


def data_folder() -> Path:
    return Path(current_app.config["FLOWPULSE_DATA_DIR"]).resolve()


def database_folder() -> Path:
    """Where the SQLite database is or, without one, the data folder."""
    return Path(str(db.engine.url.database)).parent if is_sqlite() else data_folder()
