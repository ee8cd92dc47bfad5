"""`doctor`: looks for what is wrong with the server, and says how to mend it."""

from collections.abc import Callable, Iterable
from dataclasses import asdict

import click
from sqlalchemy.exc import DBAPIError

from app.cli import audit_health, channel_health, database_health, machine_health
from app.cli.commands import command, explain_outage
from app.cli.findings import Finding
from app.cli.options import json_option
from app.cli.text import dump, escape
from app.extensions import db

CHECKS: tuple[Callable[[], Finding], ...] = (
    machine_health.check_data_folder,
    machine_health.check_secret_key,
    machine_health.check_disk_space,
    machine_health.check_public_url,
    machine_health.check_proxies,
    database_health.check_connection,
    database_health.check_file,
    database_health.check_migrations,
    database_health.check_move,
    database_health.check_key_of_database,
    database_health.check_replica,
    database_health.check_partitions,
    database_health.check_clock,
    database_health.check_retention,
    database_health.check_size,
    database_health.check_worker,
    database_health.check_queue,
    audit_health.check_audit_log,
    channel_health.check_mail_server,
    channel_health.check_channels,
    channel_health.check_channel_settings,
)
STYLES = {"ok": "green", "warn": "yellow", "fail": "red"}


@command("doctor")
@json_option
@click.pass_context
def doctor(ctx: click.Context, as_json: bool) -> None:
    """Check the server, and say how to mend what is wrong.

    Each finding is ok, warn or fail. The exit code is 1 if any is fail, else 0.
    """
    findings = list(examine())
    if as_json:
        click.echo(dump([asdict(finding) for finding in findings]))
    else:
        for finding in findings:
            _print(finding)
    if any(finding.state == "fail" for finding in findings):
        ctx.exit(1)


def examine() -> Iterable[Finding]:
    """The findings in the order of CHECKS; a check that the database keeps from working fails."""
    for check in CHECKS:
        try:
            yield check()
        except DBAPIError as error:
            db.session.rollback()
            name = check.__name__.removeprefix("check_").replace("_", " ")
            fix = "Mend what `connection` and `migrations` tell first."
            yield Finding(name, "fail", explain_outage(error), fix)


def _print(finding: Finding) -> None:
    state = click.style(f"{finding.state:4}", fg=STYLES[finding.state])
    click.echo(f"{state}  {finding.name}: {escape(finding.message)}")
    if finding.fix:
        click.echo(f"      → {escape(finding.fix)}")
