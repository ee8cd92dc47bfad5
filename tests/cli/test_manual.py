"""Every command explains itself, and docs/command-line.md says the same."""

from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from app.cli import COMMANDS, load
from app.cli.commands import Command
from tests.cli.conftest import Run

PAGE = Path(__file__).parents[2] / "docs" / "command-line.md"


def every_command() -> Iterator[tuple[str, click.Command]]:
    for command in (load(name) for name in COMMANDS if name != "db"):  # Flask-Migrate's own.
        for found in getattr(command, "commands", {"": command}).values():
            yield (str(command.name) if found is command else f"{command.name} {found.name}"), found


def test_the_page_is_fresh(run: Run) -> None:
    assert PAGE.read_text() == run("manual").stdout, (
        "Run: .venv/bin/flask --app wsgi manual > docs/command-line.md"
    )


@pytest.mark.parametrize(("name", "command"), list(every_command()))
def test_each_command_has_a_help_text_for_itself_and_its_options(
    name: str, command: click.Command
) -> None:
    assert isinstance(command, Command)
    assert command.help
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{name} {parameter.opts}"
    assert command.hidden or f"## {name}\n" in PAGE.read_text()
