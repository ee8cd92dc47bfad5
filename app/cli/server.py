"""What `make run` calls first: prepare the server."""

import errno
import socket
from pathlib import Path

import click
from flask import current_app
from flask_migrate import upgrade

from app.cli.commands import command
from app.cli.options import json_option
from app.cli.text import dump, escape
from app.doctor.moves import why_not_to_start
from app.extensions import db, is_sqlite
from app.processing.secret_mark import adopt_secret
from app.workspaces.people import is_set_up, setup_token

EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104
"""Addresses that mean all of the machine's, and one of them that a browser can open."""


@command("prepare")
@click.option("--to-start", is_flag=True, help="Fail when the server's port is taken.")
@click.option(
    "--new-secret-key", is_flag=True, help="Go on with another secret key than the database's."
)
@json_option
def prepare(to_start: bool, new_secret_key: bool, as_json: bool) -> None:
    """Make or upgrade the database and print the server's address.

    While nobody has set the server up, the one-time set-up link is printed too. May be called at
    any time; with --to-start only before the server starts. Fails where the database's API keys
    were made with another secret key than this machine's.
    """
    if to_start:
        _check_port(current_app.config["HOST"], current_app.config["PORT"])
    _make_places()
    reason = why_not_to_start()
    if reason:
        raise click.ClickException(escape(" ".join(reason)))
    upgrade()
    adopt_secret(new_secret_key)
    address = server_address()
    link = None if is_set_up() else f"{address}/setup?token={setup_token()}"
    if as_json:
        click.echo(dump({"address": address, "setup_url": link}))
        return
    click.echo(f"FlowPulse runs at {address}")
    if link:
        click.echo(f"To set it up, open this link. It works once:\n\n  {link}\n")


def _check_port(host: str, port: int) -> None:
    """Try the address once, where the web server would try it again and again."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise click.ClickException(
                    f"Port {port} is taken: FlowPulse runs already, or another program has it. "
                    f"Stop that, or set PORT, for example: PORT={port + 1} make run"
                ) from error
            raise click.ClickException(
                f"The server can't listen at {host}, port {port}: {error.strerror}. "
                "Change HOST or PORT."
            ) from error


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
