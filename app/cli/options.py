"""Options that several commands have, and the workspace that a command works in."""

import functools
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import click
from sqlalchemy import or_, select

from app.cli.text import escape
from app.extensions import db
from app.invocation import shell_command
from app.models import Workspace

NOT_SET_UP = (
    f"This server is not set up yet. Open the link that `{shell_command('prepare')}` prints, "
    f"or run: {shell_command('user create you@example.org --role owner')}"
)

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
name_workspace_option = click.option(
    "--workspace",
    "wanted_workspace",
    metavar="ID|NAME",
    help="Id or name of the workspace. Not needed while there is only one.",
)


def workspace_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Gives the function the chosen Workspace as `workspace`."""

    @name_workspace_option
    @functools.wraps(function)
    def in_workspace(*args: Any, wanted_workspace: str | None, **kwargs: Any) -> Any:
        return function(*args, workspace=find_workspace(wanted_workspace), **kwargs)

    return in_workspace


def find_workspace(wanted: str | None) -> Workspace:
    """The workspace with this id or name; without either, the only one there is.

    Raises ClickException.
    """
    every = select(Workspace).where(Workspace.deleted_at.is_(None)).order_by(Workspace.id)
    if wanted:
        every = every.where(or_(Workspace.public_id == wanted, Workspace.name == wanted))
    found = list(db.session.scalars(every))
    if len(found) == 1:
        return found[0]
    if found:
        problem = "Several workspaces have this name" if wanted else "There are several workspaces"
        raise click.ClickException(f"{problem}. Choose one with --workspace ID:\n{_list(found)}")
    if wanted and db.session.scalar(select(Workspace.id).limit(1)):
        known = _list(db.session.scalars(select(Workspace).order_by(Workspace.id)).all())
        message = f"No workspace has the id or name {escape(wanted)}. There is:\n{known}"
        raise click.ClickException(message)
    raise click.ClickException(NOT_SET_UP)


def _list(workspaces: Any) -> str:
    return "\n".join(f"  {each.public_id}  {escape(each.name)}" for each in workspaces)


class Period(click.ParamType[timedelta]):
    """A length of time such as `90d`: a whole number and s, m, h, d or w."""

    name = "period"
    SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}  # noqa: RUF012
    MOST = timedelta(days=36_500)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        if isinstance(value, timedelta):
            return value
        match = re.fullmatch(r"([0-9]{1,10})([smhdw])", str(value).strip().lower())
        seconds = int(match[1]) * self.SECONDS[match[2]] if match else 0
        if not 0 < seconds <= self.MOST.total_seconds():
            self.fail(f"{value!r} is no length of time such as 90d, 12h or 30m.", param, ctx)
        return timedelta(seconds=seconds)


class KeepPeriod(Period):
    """A length of time, or `now` for none."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        if str(value).strip().lower() == "now":
            return timedelta(0)
        return super().convert(value, param, ctx)
