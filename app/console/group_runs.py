"""A group of refused requests runs again, step by step: each answer says how far it has come."""

import re
from typing import NamedTuple

from flask import flash, redirect, render_template, request
from flask.typing import ResponseReturnValue

from app.console.formatting import number, plural
from app.console.guards import signed_in_user, visible_workspace_ids
from app.console.reprocessing import ALL, STEP, GroupResult, reprocess_group
from app.console.workflow_list import find_workflow
from app.models import Workflow


class Progress(NamedTuple):
    """What all steps up to now have come to, and the id below which the next one begins."""

    done: int
    refused: int
    left: int
    before: int

    @property
    def total(self) -> int:
        return self.done + self.refused + self.left


def take_step(fingerprint: str, group_href: str, solved_href: str) -> ResponseReturnValue:
    """Do what the form asks for; while requests are left, the answer is a form for the next step.

    At the end it leads to `group_href`, or to `solved_href` where nothing is refused any more.
    """
    instead = read_instead()
    result = reprocess_group(
        visible_workspace_ids(),
        fingerprint,
        signed_in_user(),
        before=read_number("before") or ALL,
        limit=STEP,
        instead=instead,
    )
    progress = Progress(
        (read_number("done") or 0) + result.done,
        (read_number("refused") or 0) + result.refused,
        result.left,
        result.before,
    )
    if progress.left:
        return render_template(
            "console/reprocessing.html", progress=progress, instead=instead, back=group_href
        )
    flash(*_describe(progress, result))
    return redirect(group_href if progress.refused else solved_href, 303)


def read_instead() -> Workflow | None:
    """The workflow that the form chose in place of the one that the requests name."""
    chosen = request.form.get("instead", "")
    return find_workflow(chosen) if chosen else None


def read_number(name: str) -> int | None:
    text = request.form.get(name, "")
    return int(text) if re.fullmatch("[0-9]{1,18}", text, re.ASCII) else None


def _describe(progress: Progress, result: GroupResult) -> tuple[str, str]:
    """What to say at the end, and in which tone."""
    why = f" {result.last_problem.detail}" if result.last_problem else ""
    done = f"{plural(progress.done, 'request')} reprocessed and accepted"
    if progress.done and progress.refused:
        return f"{done}, {number(progress.refused)} still refused.{why}", "warning"
    if progress.done:
        return f"{done}.", "success"
    if progress.refused:
        still = f"{plural(progress.refused, 'request is', 'requests are')} still refused"
        return f"None was accepted: {still}.{why}", "error"
    return "Nothing was left to reprocess.", "message"
