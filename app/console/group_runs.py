"""A group of refused requests runs again, step by step: each answer says how far it has come."""

import re
from typing import NamedTuple

from flask import flash, redirect, render_template, request
from flask.typing import ResponseReturnValue

from app.console.formatting import number, plural
from app.console.guards import current_workspace, signed_in_user, visible_workspace_ids
from app.console.likely_workflows import find_archived, find_closest, find_exact, list_in_use
from app.console.reprocessing import ALL, STEP, GroupResult, reprocess_group
from app.extensions import db
from app.models import Workflow
from app.workspaces.people import RefusedError

_MOST_CLOSE = 3


class Progress(NamedTuple):
    """What all steps up to now have come to, and the id below which the next one begins."""

    done: int
    refused: int
    left: int
    before: int

    @property
    def total(self) -> int:
        return self.done + self.refused + self.left


def take_step(
    fingerprint: str, group_href: str, solved_href: str, instead: Workflow | None = None
) -> ResponseReturnValue:
    """Do what the form asks for; while requests are left, the answer is a form for the next step.

    `instead` takes the place of the workflow that they name. At the end it leads to `group_href`,
    or to `solved_href` where nothing is refused any more.
    """
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
    """The workflow that the form names in place of the one that the requests name, if it does.

    Raises RefusedError at `instead` where no workflow that takes events has such an id, slug or
    name.
    """
    if "instead" not in request.form:
        return None
    text, workspace_id = request.form["instead"].strip(), current_workspace().id
    if not text:
        raise RefusedError("instead", "Name a workflow by its slug, id or name.")
    in_use = list_in_use(workspace_id)
    if found := find_exact(text, in_use):
        return db.session.get_one(Workflow, found.id)
    if archived := find_archived(workspace_id, text):
        name = f"“{archived.name}” is archived. Restore it on its page first."
        raise RefusedError("instead", name)
    close = " or ".join(each.slug for each in find_closest(text, in_use, _MOST_CLOSE))
    hint = f" {close} is close to it." if close else ""
    raise RefusedError("instead", f"No workflow that takes events has this id, slug or name.{hint}")


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
