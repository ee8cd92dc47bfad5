"""What `make run` calls: prepare the server, and the worker."""

import logging
from pathlib import Path

import click
from flask import current_app
from flask_migrate import upgrade

from app.cli.commands import command
from app.cli.options import json_option
from app.cli.text import dump
from app.extensions import db, is_sqlite
from app.processing.worker import Worker
from app.workspaces.people import is_set_up, setup_token

EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104
"""Addresses that mean all of the machine's, and one of them that a browser can open."""


@command("prepare")
@json_option
def prepare(as_json: bool) -> None:
    """Make or upgrade the database and print the server's address.

    While nobody has set the server up, the one-time set-up link is printed too. May be called at
    any time.
    """
    _make_places()
    upgrade()
    address = server_address()
    link = None if is_set_up() else f"{address}/setup?token={setup_token()}"
    if as_json:
        click.echo(dump({"address": address, "setup_url": link}))
        return
    click.echo(f"FlowPulse runs at {address}")
    if link:
        click.echo(f"To set it up, open this link. It works once:\n\n  {link}\n")


@command("worker")
def worker() -> None:
    """Turn events into runs until told to stop (SIGTERM, Ctrl-C).

    `make run` starts one by itself. Several may run at once.
    """
    logging.basicConfig(
        format="%(asctime)s worker %(levelname)s %(message)s", datefmt="%Y-%m-%d %H:%M:%S"
    )
    Worker().run()


def server_address() -> str:
    """Where a browser finds the server: FLOWPULSE_PUBLIC_URL, or by HOST and PORT."""
    public: str = current_app.config["FLOWPULSE_PUBLIC_URL"]
    host: str = current_app.config["HOST"]
    host = EVERYWHERE.get(host, host)
    name = f"[{host}]" if ":" in host else host
    return public or f"http://{name}:{current_app.config['PORT']}"


def _make_places() -> None:
    """The folders, and an empty database that only the server's own account may read."""
    folders = [Path(current_app.config["FLOWPULSE_DATA_DIR"])]
    database = Path(str(db.engine.url.database)) if is_sqlite() else None
    if database:
        folders.append(database.parent)
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    if database and not (database.exists() and database.stat().st_size):
        database.touch(mode=0o600)
        database.chmod(0o600)
