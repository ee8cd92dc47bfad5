"""Tries out a new start before a reload: python -m serving.try_out wsgi:app, in its own process.

It ends with 1 and a last line that says why where the program, with the code and settings of now,
could not start or could not use its database. Its input is the running program's database URL.
"""

import os
import sys
import threading

from flask import Flask
from gunicorn.util import import_app
from sqlalchemy.exc import DBAPIError

from app.doctor.database_health import check_connection, check_migrations
from app.doctor.outage import explain_outage

LONGEST_SECONDS = 6
"""The driver gives up after 5; this is for a database that takes the connection and is silent."""


def main() -> None:
    app: Flask = import_app(sys.argv[1])
    # A database that is away for the running program too is no reason to keep the old settings.
    is_same = app.config["SQLALCHEMY_DATABASE_URI"] == sys.stdin.read()
    watch = threading.Timer(LONGEST_SECONDS, _give_up, [is_same])
    watch.daemon = True
    watch.start()
    try:
        with app.app_context():
            check_connection()
            finding = check_migrations()
    except DBAPIError as error:
        sys.exit(None if is_same else explain_outage(error))
    sys.exit(None if finding.state == "ok" else f"{finding.message} {finding.fix}")


def _give_up(is_same: bool) -> None:
    """Also out of a call of the driver's that does not come back."""
    message = f"The database can't be used: it does not answer within {LONGEST_SECONDS} s"
    print(message, file=sys.stderr, flush=True)
    os._exit(0 if is_same else 1)


if __name__ == "__main__":
    main()
