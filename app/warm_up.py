"""What each web process would load and compile for itself is done once, before they are forked."""

import logging
from contextlib import closing
from urllib.parse import urlsplit
from wsgiref.util import setup_testing_defaults

from flask import Flask
from sqlalchemy import text

from app.clock import now
from app.extensions import db, is_sqlite, writing
from app.oidc import find_provider
from app.processing.downtimes import note_web
from app.processing.shared_clock import read_shared_clock

PAGE = "/sign-in"
_HARDLY_WAIT = text("SET LOCAL lock_timeout = '300ms'")
logger = logging.getLogger(__name__)


def warm_up(app: Flask) -> None:
    """Say once that web processes are there, and draw a page, so that all of them share what that
    has loaded: 3 MB less for each.

    It hardly waits for another writer, and leaves no connection open: processes can't share one.
    Whatever fails here, the processes start; if it still does they will say so.
    """
    try:
        with app.app_context():
            find_provider()  # Which, where one is set, loads what speaks to it.
            read_shared_clock()
            with writing(patient=False) as session:
                if not is_sqlite():
                    session.execute(_HARDLY_WAIT)
                note_web(session, now())
        _draw_page(app)
    except Exception as error:
        logger.info("The web server starts cold: %s", error)
    finally:
        with app.app_context():
            for engine in db.engines.values():
                engine.dispose()


def _draw_page(app: Flask) -> None:
    environ = {"PATH_INFO": PAGE, "REMOTE_ADDR": "127.0.0.1"}
    host = urlsplit(app.config["FLOWPULSE_PUBLIC_URL"]).netloc
    if host:
        environ["HTTP_HOST"] = host
    setup_testing_defaults(environ)
    with closing(app(environ, lambda *_: lambda _: None)) as parts:  # type: ignore[type-var]
        b"".join(parts)
