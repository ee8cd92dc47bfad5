"""The worker's process, which `make run` keeps running."""

import logging

from app.cli.commands import command
from app.processing.secret_mark import ForeignSecretError, is_foreign
from app.processing.worker import Worker


@command("worker")
def worker() -> None:
    """Turn events into runs until told to stop (SIGTERM, Ctrl-C).

    `make run` starts one by itself. Several may run at once.
    """
    logging.basicConfig(
        format="%(asctime)s worker %(levelname)s %(message)s", datefmt="%Y-%m-%d %H:%M:%S"
    )
    if is_foreign():
        raise ForeignSecretError
    Worker().run()
