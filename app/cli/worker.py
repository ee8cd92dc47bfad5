"""The worker's process, which `make run` keeps running."""

from flask import current_app

from app.cli.commands import command
from app.disguised_keys import mask_all_keys
from app.log_lines import log_to_stderr
from app.processing.secret_mark import ForeignSecretError, is_foreign
from app.processing.worker import Worker


@command("worker")
def worker() -> None:
    """Turn events into runs until told to stop (SIGTERM, Ctrl-C).

    `make run` starts one by itself. Several may run at once.
    """
    log_to_stderr("worker", current_app.config["FLOWPULSE_LOG_FORMAT"], mask_all_keys)
    if is_foreign():
        raise ForeignSecretError
    Worker().run()
