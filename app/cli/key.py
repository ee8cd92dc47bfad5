"""`key`: the API keys that let automations in."""

from collections.abc import Mapping
from datetime import timedelta

import click
from sqlalchemy import or_, select

from app.cli.commands import Group
from app.cli.options import KeepPeriod, Period, json_option, workspace_option
from app.cli.text import Row, dump, escape, print_row, print_rows, show
from app.clock import now
from app.extensions import db
from app.keys import KEY_PATTERN, PREFIX_LENGTH
from app.models import SCOPES, ApiKey, Workflow, Workspace
from app.workspaces.api_keys import (
    create_api_key,
    find_api_keys,
    revoke_api_key,
    rotate_api_key,
)

COLUMNS = ("id", "prefix", "name")
ALL = "all"


@click.group("key", cls=Group, help="The API keys that let automations in.")
def key() -> None: ...


@key.command("create")
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice(SCOPES),
    multiple=True,
    default=SCOPES,
    help="What the key opens; may be given several times.  [default: all of them]",
)
@click.option(
    "--expires-in",
    type=Period(),
    metavar="PERIOD",
    help="How long the key is good, such as 90d, 12h or 30m. Without it, until it is revoked.",
)
@click.option(
    "--workflow",
    "slugs",
    metavar="SLUG|ID",
    multiple=True,
    help="A workflow that it works for; may be given several times. Without it, for all.",
)
@workspace_option
@json_option
def create(
    name: str,
    scopes: tuple[str, ...],
    expires_in: timedelta | None,
    slugs: tuple[str, ...],
    workspace: Workspace,
    as_json: bool,
) -> None:
    """Make an API key, and print the key alone on standard output.

    This is the only time that it can be seen. To keep it in a variable:

    \b
      KEY=$(.venv/bin/flask --app wsgi key create n8n)
    """
    expires_at = now() + expires_in if expires_in else None
    limits = [_find_workflow(workspace.id, slug).id for slug in slugs]
    row, secret = create_api_key(workspace.id, name, scopes, expires_at, workflow_ids=limits)
    _show_once(row, secret, as_json)


@key.command("list")
@click.option("--revoked", is_flag=True, help="List those that are revoked, too.")
@workspace_option
@json_option
def list_(revoked: bool, workspace: Workspace, as_json: bool) -> None:
    """List the API keys of a workspace, by their first characters."""
    wanted = select(ApiKey).where(ApiKey.workspace_id == workspace.id).order_by(ApiKey.id)
    if not revoked:
        wanted = wanted.where(ApiKey.revoked_at.is_(None))
    keys = list(db.session.scalars(wanted))
    slugs = _find_slugs(keys)
    rows = [_describe(each, slugs) for each in keys]
    if not as_json:
        rows = [
            {**row, "workflows": ALL if row["workflows"] is None else row["workflows"]}
            for row in rows
        ]
    more = [
        "scopes",
        "workflows",
        "last_used_at",
        "expires_at",
        *(["revoked_at"] if revoked else []),
    ]
    print_rows(rows, as_json, (*COLUMNS, *more))


@key.command("revoke")
@click.argument("name_or_prefix", metavar="NAME|PREFIX")
@workspace_option
@json_option
def revoke(name_or_prefix: str, workspace: Workspace, as_json: bool) -> None:
    """Revoke an API key by its name or its first characters.

    From the next request on it opens nothing. Prints id, prefix and name with a tab between each
    two.
    """
    found = _find(workspace.id, name_or_prefix)
    revoke_api_key(found)
    print_row(_describe(found, _find_slugs([found])), as_json, COLUMNS)


@key.command("rotate")
@click.argument("name_or_prefix", metavar="NAME|PREFIX")
@click.option(
    "--keep-old",
    type=KeepPeriod(),
    metavar="PERIOD|now",
    default="24h",
    show_default=True,
    help="How long the old key works on, such as 24h or 7d; it ends at once with now.",
)
@workspace_option
@json_option
def rotate(name_or_prefix: str, keep_old: timedelta, workspace: Workspace, as_json: bool) -> None:
    """Replace an API key, and print the new one alone on standard output.

    The new key takes over name, scopes and limits. The old one is called "NAME (old)" and works on
    for a while; its page in the console shows who still uses it.
    """
    old = _find(workspace.id, name_or_prefix)
    row, secret = rotate_api_key(old, now() + keep_old)
    _show_once(row, secret, as_json)
    ends = f"works until {show(old.expires_at)}" if keep_old else "has ended"
    click.echo(f"The old one is called {escape(old.name)} and {ends}.", err=True)


def _show_once(row: ApiKey, secret: str, as_json: bool) -> None:
    if as_json:
        click.echo(dump({"key": secret, **_describe(row, _find_slugs([row]))}))
        return
    click.echo(secret)
    click.echo(f"This is the key {escape(row.name)}. It is shown only now.", err=True)


def _find_workflow(workspace_id: int, slug_or_id: str) -> Workflow:
    found = db.session.scalar(
        select(Workflow).where(
            Workflow.workspace_id == workspace_id,
            or_(Workflow.slug == slug_or_id, Workflow.public_id == slug_or_id),
        )
    )
    if found is None:
        raise click.ClickException(f"No workflow has the slug or id {escape(slug_or_id)}.")
    return found


def _find_slugs(keys: list[ApiKey]) -> dict[int, str]:
    """The slugs of the workflows that these are limited to, by primary key."""
    ids = {each for key in keys for each in key.workflow_ids or ()}
    query = select(Workflow.id, Workflow.slug).where(Workflow.id.in_(ids))
    return {workflow_id: slug for workflow_id, slug in db.session.execute(query)}  # noqa: C416


def _find(workspace_id: int, name_or_prefix: str) -> ApiKey:
    text = name_or_prefix.strip()
    if KEY_PATTERN.fullmatch(text):
        text = text[:PREFIX_LENGTH]
    found = find_api_keys(workspace_id, text) or _find_by_start(workspace_id, text)
    if len(found) == 1:
        return found[0]
    if not found:
        raise click.ClickException(f"No live key has the name or prefix {escape(text)}.")
    lines = "".join(f"\n  {each.prefix}  {escape(each.name)}" for each in found)
    raise click.ClickException(f"Several keys fit; give more of the prefix, or the name:{lines}")


def _find_by_start(workspace_id: int, start: str) -> list[ApiKey]:
    """The live keys whose prefix begins so; `fp_` alone, which all have, finds none."""
    if len(start) <= len("fp_"):
        return []
    live = select(ApiKey).where(ApiKey.workspace_id == workspace_id, ApiKey.revoked_at.is_(None))
    wanted = ApiKey.prefix.startswith(start, autoescape=True)
    # SQLite's LIKE doesn't tell letter cases apart.
    return [
        each
        for each in db.session.scalars(live.where(wanted).order_by(ApiKey.id))
        if each.prefix.startswith(start)
    ]


def _describe(key: ApiKey, slugs: Mapping[int, str]) -> Row:
    """`workflows`: the slugs of those that it is limited to, None for all."""
    limits = (
        None
        if key.workflow_ids is None
        else sorted(slugs[each] for each in key.workflow_ids if each in slugs)
    )
    return {
        "id": key.public_id,
        "name": key.name,
        "prefix": key.prefix,
        "scopes": key.scope_names,
        "workflows": limits,
        "created_at": key.created_at,
        "last_used_at": key.last_used_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
    }
