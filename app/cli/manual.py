"""`manual`: the page of the documentation that is drawn from the commands' own help."""

from collections.abc import Iterable, Iterator, Sequence

import click
from flask import current_app

from app.cli.commands import Command, Group, command
from app.invocation import DOCUMENTED, as_documented

WIDTH = 88
INTRODUCTION = f"""\
# The command line

Drawn from the commands' own help by `{DOCUMENTED} manual > docs/command-line.md`.

Call the commands from FlowPulse's folder, with the Python that runs the server:
`{DOCUMENTED} …`. They read settings as the server does, from the environment
or `.env`, and may be used while it runs; all but `move` and `restore`.

What only the server's own environment has, they don't know. Where systemd starts it, call them as
root by [`flowpulse …`](deployment.md#systemd) instead, with the settings and the account of the
services; in a container by [`docker compose exec`](deployment.md#containers).

- **Exit codes**: 0 done, 1 refused or not found (one line on standard error says why), 2 called
  wrongly.
- **Output**: what a command is asked for goes to standard output, anything else to standard error.
  A single thing is one line with a tab between each two fields, in the order that the help gives;
  this form will not change. Lists are tables for people.
- `--json` prints one JSON value on one line, or with `events tail` one on each line. Times are in
  UTC.
- What senders wrote is shown with `\\x1b` and the like in place of control characters.
- `--workspace` takes a workspace's id or name, and isn't needed while there is only one. `prepare`,
  `worker`, `doctor`, `backup`, `restore` and `move` concern the whole server and take none;
  `worker` runs until it is told to stop and writes only to its log, so that it has no `--json`.
"""


@command("manual", hidden=True)
def manual() -> None:
    """Print docs/command-line.md anew."""
    click.echo(render_manual(), nl=False)


def render_manual() -> str:
    """The page as Markdown; hidden and foreign commands are left out."""
    commands, context = current_app.cli, click.get_current_context()
    every = [commands.get_command(context, name) for name in commands.list_commands(context)]
    sections = [
        f"## {' '.join(names)}\n\n```text\n{_help(names, found)}\n```\n"
        for names, found in _walk((), filter(None, every))
    ]
    return "\n".join([INTRODUCTION, *sections])


def _walk(
    above: tuple[str, ...], commands: Iterable[click.Command]
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for found in commands:
        names = (*above, str(found.name))
        if isinstance(found, Group):
            yield from _walk(names, found.commands.values())
        elif isinstance(found, Command) and not found.hidden:
            yield names, found


def _help(names: Sequence[str], found: click.Command) -> str:
    context = click.Context(
        found,
        info_name=f"{DOCUMENTED} {' '.join(names)}",
        terminal_width=WIDTH,
        max_content_width=WIDTH,
    )
    return as_documented(found.get_help(context)).rstrip()
