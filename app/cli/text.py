"""What is printed: nothing that could steer the terminal, as lines for people or as JSON."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import click

from app.log_lines import escape

__all__ = ["dump", "escape", "print_row", "print_rows", "show"]

Row = Mapping[str, object]


def dump(value: object) -> str:
    """JSON in ASCII, without control characters; times in ISO 8601, UTC."""
    text = json.dumps(value, separators=(",", ":"), default=_plain)
    return text.replace("\x7f", "\\u007f")


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def show(value: object) -> str:
    """One value for people: times to the second in UTC, a hyphen for nothing."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    if isinstance(value, (list, tuple)):
        return " ".join(show(item) for item in value) or "-"
    return "-" if value is None or value == "" else escape(str(value))


def print_row(row: Row, as_json: bool, columns: Sequence[str]) -> None:
    """One thing: the named columns with a tab between each two, or all of it as JSON."""
    click.echo(dump(row) if as_json else "\t".join(show(row[name]) for name in columns))


def print_rows(rows: Sequence[Row], as_json: bool, columns: Sequence[str]) -> None:
    """Several: a table under the columns' names, or one JSON array."""
    if as_json:
        click.echo(dump(rows))
        return
    table = [[name.replace("_", " ").upper() for name in columns]]
    table += [[show(row[name]) for name in columns] for row in rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for line in table:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        click.echo("  ".join(cells).rstrip())
