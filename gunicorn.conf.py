"""How gunicorn serves FlowPulse."""

import ctypes
import gc
import logging
import os
import resource
import runpy
import signal
import sys
from pathlib import Path
from typing import Any

from gunicorn.glogging import Logger

ROOT = Path(__file__).parent
sys.path.insert(0, str(ROOT))  # Where it is started from another folder.

from serving.gentle_stop import stop_gently  # noqa: E402
from serving.new_start import start_anew_on_reload  # noqa: E402
from serving.prompt_worker import PromptWorker  # noqa: E402
from serving.slow_readers import give_up_slow_readers  # noqa: E402

# Read by their paths, not as app.config: the package must not be imported before gevent has patched
# what it builds on.
_settings = runpy.run_path(str(ROOT / "app" / "config.py"))["load_settings"]()
_form = _settings["FLOWPULSE_LOG_FORMAT"]
_log = runpy.run_path(str(ROOT / "app" / "log_lines.py"))


def _hide(text: str) -> str:
    """Keys in request lines that gunicorn can't read, say. What finds them comes with the
    application, and nothing of it is imported before gevent has patched what it builds on."""
    keys = sys.modules.get("app.disguised_keys")
    return str(keys.mask_all_keys(text)) if keys else text


class ShortLines(Logger):  # type: ignore[misc]
    """One short line an entry; supervisord and the journal know the rest.

    What the application has to say goes to the same output, in the same form.
    """

    error_fmt = _log["line_of"]("web")
    datefmt = _log["DATES"]

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        for handler in (*self.error_log.handlers, *self.access_log.handlers):
            form = handler.formatter
            if type(form) is logging.Formatter:  # None of the owner's own, by --log-config.
                own = _log["LogLines"](form._fmt, form.datefmt, _hide)
                handler.setFormatter(_log["JsonLines"]("web", _hide) if _form == "json" else own)
        _log["log_to_stderr"]("web", _form, _hide)


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


wsgi_app = "wsgi:app"
# Loaded once, in the master: its processes share that memory. A reload (HUP) runs the master anew.
preload_app = True
proc_name = "flowpulse"
bind = _address(str(_settings["HOST"]), int(_settings["PORT"]))
workers = int(_settings["WEB_CONCURRENCY"])
worker_class = PromptWorker
# Connections at once in one process, idle ones and open event streams included.
worker_connections = 1000
backlog = 2048

# The gevent worker gives a sender this long for a whole request head, as well as between two
# requests: a socket that idles or sends half a header is closed after it. 0 would mean for ever.
# The body is read by the application, which sets its own limit (FLOWPULSE_BODY_TIMEOUT_SECONDS);
# what it left unread is skipped within this time too. A reader has as long for each 64 KB.
keepalive = 20
# With gevent this is no limit for a request: it ends a process whose loop stood still for so long.
timeout = 30
# Below supervisord's stopwaitsecs, so that gunicorn ends its workers by itself.
graceful_timeout = 25
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108

# A header line of 4 KB must reach the application; all of them together bound what a socket that
# never finishes its head can hold in memory (100 x 8 KB).
limit_request_line = 8190
limit_request_fields = 100
limit_request_field_size = 8190

# Which proxies are believed is decided in one place, by FLOWPULSE_TRUSTED_PROXIES in the app.
forwarded_allow_ips = ""
forwarder_headers = ""
secure_scheme_headers: dict[str, str] = {}

# gunicorn 27 opens a socket for remote control in the home folder unless told not to.
control_socket_disable = True

accesslog = None  # The live log shows every request.
errorlog = "-"
loglevel = os.environ.get("GUNICORN_LOG_LEVEL", "warning")
logger_class = ShortLines


def on_starting(server: Any) -> None:
    _allow_open_files()
    if os.environ.get("SUPERVISOR_ENABLED"):
        _end_with_parent()


def _allow_open_files() -> None:
    """As many as the connections need; many systems start with 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = worker_connections + 4096
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _end_with_parent() -> None:
    """Have Linux tell us to stop when supervisord is killed: nobody else would, and the port would
    stay taken."""
    if sys.platform == "linux":
        set_parent_death_signal = 1
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGTERM)


# More than all requests at once hold: with Python's 700, each was looked over while it was served,
# which took a twentieth of the time. With 50,000 a process held 10 MB more.
OBJECTS_UNTIL_COLLECTION = 4_000


def when_ready(server: Any) -> None:
    server.app.wsgi().extensions["flowpulse_warm_up"]()
    gc.collect()
    gc.freeze()  # A collection writes into what it goes over, which ends the sharing.
    give_up_slow_readers(server.LISTENERS, server.cfg.keepalive + 3)  # We come first.
    stop_gently(server)
    start_anew_on_reload(server)


def pre_request(worker: Any, req: Any) -> None:
    """Let the application end a connection: gunicorn drops its Connection header."""
    req.body.end_connection = req.force_close


def post_worker_init(worker: Any) -> None:
    """Tell the application when its process is to end, so that open event streams end with it.

    `alive` turns false within the signal handler, on SIGTERM and thereby also on a reload (HUP),
    where the master sends SIGTERM to the old workers.
    """
    gc.collect()
    gc.freeze()  # What was loaded stays: going over it again and again cost a tenth of the time.
    gc.set_threshold(OBJECTS_UNTIL_COLLECTION)
    worker.wsgi.extensions["flowpulse_stopping"] = lambda: not worker.alive
    worker.wsgi.extensions["flowpulse_web_beat"].start()


def worker_exit(server: Any, worker: Any) -> None:
    """Have what still waits in the process written: refused requests, counts, last uses of keys."""
    app = getattr(worker, "wsgi", None)
    if app is not None:
        app.extensions["flowpulse_web_beat"].stop()
        app.extensions["flowpulse_ingest"].close()
