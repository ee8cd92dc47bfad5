"""A PostgreSQL connection that waits for its socket as gevent does it best."""

from typing import Any

import gevent
import psycopg
from gevent import monkey

from app.database_errors import strip_values


class GreenConnection(psycopg.Connection[Any]):
    """Keeps one watcher for each thing that it waits for.

    Under gevent, psycopg polls: it makes a poll object and its watchers for each wait, which takes
    several times as long as the statement does here.
    """

    _watchers: dict[int, Any]

    def wait(self, gen: Any, interval: float = 0.0, timeout: float | None = None) -> Any:
        """See psycopg; what it raises says nothing of any row."""
        try:
            return self._wait(gen, timeout)
        except psycopg.Error as error:
            strip_values(error)
            raise

    def _wait(self, gen: Any, timeout: float | None) -> Any:
        """Without a timeout, and where gevent serves the process, it is ours."""
        if timeout is not None or not monkey.is_module_patched("socket"):
            return super().wait(gen, timeout=timeout)
        try:
            wanted = next(gen)
            while True:
                gevent.get_hub().wait(self._watcher(wanted))
                wanted = gen.send(wanted)
        except StopIteration as ended:
            return ended.value

    def _watcher(self, wanted: int) -> Any:
        """A look at what can't be done yet harms nobody: psycopg then asks to wait again."""
        if not hasattr(self, "_watchers"):
            self._watchers = {}
        watcher = self._watchers.get(wanted)
        if watcher is None:
            watcher = gevent.get_hub().loop.io(self.pgconn.socket, wanted)
            self._watchers[wanted] = watcher
        return watcher

    def close(self) -> None:
        """Ends the watchers with the socket: its number may be another's at once."""
        for watcher in getattr(self, "_watchers", {}).values():
            watcher.close()
        self._watchers = {}
        super().close()
