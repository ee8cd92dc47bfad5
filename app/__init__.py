"""FlowPulse: create_app puts its parts together."""

import logging
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from flask import Flask

from app import models
from app.api import init_api
from app.cli import init_cli
from app.config import ConfigurationError, load_settings, resolve_database_url
from app.console import init_console
from app.env_file import find_unreadable
from app.errors import init_errors
from app.extensions import REPLICA, configure_engine, csrf, db
from app.flask_app import FlowPulse
from app.ingest.batches import blueprint as batch_blueprint
from app.ingest.foreign_pings import init_foreign_pings
from app.ingest.pings import blueprint as pings_blueprint
from app.ingest.routes import init_ingest_routes
from app.ingest.service import init_ingest
from app.postgres import REPLICA_NOTICES, engine_options
from app.processing.web_beat import WebBeat
from app.request_log import log_requests
from app.secret_key import resolve_secret_key
from app.trusted_proxies import SETTING as PROXIES
from app.trusted_proxies import USER_HEADER, believe_proxies
from app.warm_up import warm_up
from app.ways_in import refuse_unfit

__version__ = "0.1.0"
__all__ = ["create_app", "models"]

ROOT = Path(__file__).parent.parent


def create_app(overrides: Mapping[str, object] | None = None) -> FlowPulse:
    """The application; `overrides` are settings by name that win over the environment."""
    app = FlowPulse(__name__, template_folder=ROOT / "templates", static_folder=ROOT / "static")
    app.url_map.merge_slashes = False  # A redirect would lose a report that was sent to //ingest.
    _configure(app, overrides)
    db.init_app(app)
    csrf.init_app(app)
    app.before_request_funcs.clear()  # Its look at each request: `protect_forms` has its own.
    configure_engine(app)
    init_ingest(app)
    init_errors(app)
    init_api(app)
    init_console(app)
    init_cli(app)
    init_ingest_routes(app)
    app.register_blueprint(batch_blueprint)
    app.register_blueprint(pings_blueprint)
    init_foreign_pings(app)
    app.extensions["flowpulse_web_beat"] = WebBeat(app)
    app.extensions["flowpulse_warm_up"] = partial(warm_up, app)
    return app


def _find_replica(settings: Mapping[str, object], database_url: str) -> dict[str, Any]:
    """The engine for the replica, where one is set. Raises ConfigurationError beside SQLite."""
    url = str(settings["FLOWPULSE_REPLICA_URL"])
    if url and database_url.startswith("sqlite:"):
        raise ConfigurationError(
            "FLOWPULSE_REPLICA_URL is set, but the database is SQLite, which has no replicas. "
            "Leave it empty, or set FLOWPULSE_DATABASE_URL to the PostgreSQL that it follows."
        )
    return {REPLICA: {"url": url, **engine_options(url, REPLICA_NOTICES)}} if url else {}


def _configure(app: Flask, overrides: Mapping[str, object] | None) -> None:
    settings = load_settings(overrides)
    refuse_unfit(settings)
    for place in find_unreadable():
        logging.getLogger(__name__).warning("%s: not of the form NAME=value, left out.", place)
    secret = resolve_secret_key(settings)
    database_url = resolve_database_url(settings)
    app.config.from_mapping(settings)
    app.config.from_mapping(
        FLOWPULSE_VERSION=__version__,
        SECRET_KEY=secret,
        FLOWPULSE_KEY_SECRET=secret.encode(),
        SQLALCHEMY_DATABASE_URI=database_url,
        SQLALCHEMY_ENGINE_OPTIONS=engine_options(database_url),
        SQLALCHEMY_BINDS=_find_replica(settings, database_url),
        MAX_CONTENT_LENGTH=None,
        WTF_CSRF_CHECK_DEFAULT=False,
    )
    logged = log_requests(app.wsgi_app) if settings["FLOWPULSE_LOG_FORMAT"] == "json" else None
    app.wsgi_app = believe_proxies(  # type: ignore[method-assign]
        logged or app.wsgi_app, app.config[PROXIES], app.config[USER_HEADER]
    )
