"""`doctor`: looks for what is wrong with the server, and says how to mend it."""

from dataclasses import asdict

import click

from app.cli.commands import command
from app.cli.options import json_option
from app.cli.text import dump, escape
from app.doctor.checks import examine
from app.doctor.findings import Finding

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


def _print(finding: Finding) -> None:
    state = click.style(f"{finding.state:4}", fg=STYLES[finding.state])
    click.echo(f"{state}  {finding.name}: {escape(finding.message)}")
    if finding.fix:
        click.echo(f"      → {escape(finding.fix)}")
