"""Pages that only read may read from a replica, as long as they show what their reader has done."""

import logging
import time
from collections.abc import Callable
from functools import wraps
from typing import Any, cast

from flask import Flask, Response, current_app, request, session
from flask.typing import ResponseReturnValue
from sqlalchemy import Engine, event
from sqlalchemy.exc import DBAPIError
from werkzeug.exceptions import NotFound

from app.clock import timestamp
from app.console.guards import READING
from app.doctor.replica import MOST_BEHIND_SECONDS, State, first_line, read_state
from app.extensions import REPLICA, db, reading_from_replica

FROM_REPLICA = frozenset({"overview", "live_log", "runs", "insights", "problem_groups"})
"""Blueprints whose pages search and add up much. Who may see them is asked of the database itself,
as is all that concerns sessions; a page that shows one thing costs it little."""
NEVER = frozenset({"live_log.stream_events"})
"""The stream tells of what is new: it must not be late."""
LOOK_SECONDS = 1.0
AWAY_SECONDS = 10.0
"""How long a replica that failed is left alone."""
MARGIN_SECONDS = 1.0
"""A transaction's time is taken a moment before others can see what it did."""
WROTE_AT = "wrote_at"
WHICH_DATABASE = "SELECT system_identifier::text, current_database() FROM pg_control_system()"
"""A server's number, which it shares with its replicas and no other, and the database's name."""

View = Callable[..., ResponseReturnValue]
logger = logging.getLogger(__name__)


class Replica:
    """What a process knows of the replica; one per app."""

    def __init__(self, database: Engine) -> None:
        self._database = database
        self._origin: tuple[Any, ...] | None = None
        self._state = State(problem="It was not asked yet.")
        self._looked_at = float("-inf")
        self._away_until = float("-inf")
        self._is_looking = False
        self._is_in_use: bool | None = None

    def check_origin(self, connection: Any, _: object) -> None:
        """Refuse a new connection to anything but a copy of our own database: it would show what
        others have sent. Raises OperationalError, as a server does that refuses one."""
        if self._origin is None:
            with self._database.connect() as own:
                self._origin = tuple(own.exec_driver_sql(WHICH_DATABASE).one())
        found = connection.execute(WHICH_DATABASE).fetchone()
        connection.commit()
        if found != self._origin:
            connection.close()
            ours, theirs = (" of server ".join(each[::-1]) for each in (self._origin, found))
            driver: Any = self._database.dialect.dbapi  # Imported by PostgreSQL's users alone.
            raise driver.OperationalError(
                "FLOWPULSE_REPLICA_URL leads to a copy of another database than that of "
                f"FLOWPULSE_DATABASE_URL: to {theirs}, and not to {ours}."
            )

    def may_serve(self, wrote_at: float) -> bool:
        """Whether it is there, not far behind, and knows what was written until then."""
        if self._is_looking or time.monotonic() < self._away_until:
            return False
        if time.monotonic() - self._looked_at >= LOOK_SECONDS:
            self._look()
        problem = self._state.problem
        if problem is None and self._state.behind_seconds > MOST_BEHIND_SECONDS:
            problem = f"It is {self._state.behind_seconds:.0f} s behind."
        self._note(problem)
        return problem is None and self._state.knows_until > wrote_at + MARGIN_SECONDS

    def note_failure(self, error: DBAPIError) -> None:
        """Leave it alone for a while."""
        self._away_until = time.monotonic() + AWAY_SECONDS
        self._state = State(problem=first_line(error))
        self._note(self._state.problem)

    def _look(self) -> None:
        self._is_looking = True
        try:
            self._state = read_state()
        finally:
            self._is_looking = False
            self._looked_at = time.monotonic()
        if self._state.problem:
            self._away_until = self._looked_at + AWAY_SECONDS

    def _note(self, problem: str | None) -> None:
        """A line when that changes, not one for each page."""
        if problem and self._is_in_use is not False:
            logger.warning("Pages are read from the database, not from its replica: %s", problem)
        elif not problem and not self._is_in_use:
            logger.info("Pages are read from the replica")
        self._is_in_use = problem is None


def init_replica(app: Flask) -> None:
    """Let the pages that may do so read from the replica, where one is set."""
    if not app.config["FLOWPULSE_REPLICA_URL"]:
        return
    with app.app_context():
        replica = Replica(db.engine)
        event.listen(db.engines[REPLICA], "connect", replica.check_origin)
    app.extensions["flowpulse_replica"] = replica
    app.after_request(_note_writing)
    for endpoint, view in app.view_functions.items():
        if endpoint.partition(".")[0] in FROM_REPLICA and endpoint not in NEVER:
            app.view_functions[endpoint] = _read_where_possible(cast(View, view))


def _read_where_possible(view: View) -> View:
    @wraps(view)
    def read(**arguments: object) -> ResponseReturnValue:
        replica: Replica = current_app.extensions["flowpulse_replica"]
        wrote_at = float(session.get(WROTE_AT, 0.0))
        if request.method not in READING or not replica.may_serve(wrote_at):
            return view(**arguments)
        try:
            with reading_from_replica():
                return view(**arguments)
        except DBAPIError as error:  # Also one whose tables are not migrated yet.
            replica.note_failure(error)
        except NotFound:
            pass  # It may only not be there yet.
        db.session.rollback()
        return view(**arguments)

    return read


def _note_writing(answer: Response) -> Response:
    """Whoever has changed something sees it: the browser carries along when that was."""
    if request.method not in READING and not request.path.startswith("/api/"):
        session[WROTE_AT] = timestamp()
    return answer
