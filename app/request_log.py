"""One JSON line for each request: what came, what was answered, how long it took; no secret."""

import logging
import re
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

from werkzeug.wsgi import ClosingIterator

from app.address_secrets import KEPT, mask_addresses
from app.clock import now
from app.keys import mask_keys_in_address
from app.log_lines import as_line

Environ = dict[str, Any]
Application = Callable[[Environ, Any], Iterable[bytes]]
TOLD = "flowpulse.told"
"""Where in its environ stands what its line tells of a report: `code`, `event_id`, and of a batch
`accepted`, `refused` and `last_event_id`."""
MOST_PATH, MOST_METHOD = 500, 20
_OPENING = re.compile(
    r"^(/+(?:ping|p|api/+push|badge|invitation|sign-in/+new-password)/+)([^/]+?)(?=/|\.\w+$|$)",
    re.IGNORECASE,
)
"""What opens something by itself: whoever knows such an address may use it."""
_LONG = 20
"""Characters from which on the beginning of it opens nothing, and tells which one it is."""

logger = logging.getLogger("flowpulse.requests")


def log_requests(application: Application) -> Application:
    """The application, with a line to this process's error output once an answer is complete."""
    if not logger.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(message)s"))
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        logger.propagate = False
    return _LoggedRequests(application)


class _LoggedRequests:
    def __init__(self, application: Application) -> None:
        self._application = application

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        began = time.perf_counter()
        answered = 0

        def start(status: str, *more: Any) -> Any:
            nonlocal answered
            answered = int(status[:3])
            return start_response(status, *more)

        def finish() -> None:
            logger.info(describe(environ, answered, time.perf_counter() - began))

        answer = self._application(environ, start)
        if isinstance(answer, list):
            finish()
            return answer
        return ClosingIterator(answer, finish)


def describe(environ: Environ, status: int, seconds: float) -> str:
    """The line. ASCII, every control character escaped, whatever stands in the request."""
    line = {
        "time": f"{now():%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z",
        "process": "web",
        "level": "INFO",
        "message": "request",
        "method": environ["REQUEST_METHOD"][:MOST_METHOD],
        "path": show_path(environ),
        "status": status,
        "duration_ms": round(seconds * 1000, 2),
        "remote_addr": environ.get("REMOTE_ADDR"),
        **environ.get(TOLD, {}),
    }
    return as_line({name: value for name, value in line.items() if value is not None})


def show_path(environ: Environ) -> str:
    """Without its query, in which people put keys and tokens."""
    path = _OPENING.sub(_star_out, environ.get("PATH_INFO", ""))
    whole = environ.get("SCRIPT_NAME", "") + mask_addresses(mask_keys_in_address(path))
    shown = whole if whole.isascii() else whole.encode("latin-1").decode("utf-8", "replace")
    return shown if len(shown) <= MOST_PATH else f"{shown[:MOST_PATH]}…"


def _star_out(found: re.Match[str]) -> str:
    kept = KEPT if len(found[2]) >= _LONG else 0
    return f"{found[1]}{found[2][:kept]}{'*' * (len(found[2]) - kept)}"
