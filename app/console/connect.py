"""The connect wizard: a tool, a workflow, a key, a snippet; then the page waits for both ticks."""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import func, or_, select

from app.console.guards import (
    PublicIdConverter,
    current_workspace,
    may,
    signed_in_user,
    visible_workspace_ids,
)
from app.console.listening import Heard, Watch, is_news, listen
from app.console.reachability import describe_reach
from app.console.snippet_parts import PLACEHOLDER, Part, Target
from app.console.snippets import TOOLS
from app.console.workflow_list import find_workflow
from app.extensions import db
from app.htmx import is_for_htmx
from app.links import public_url
from app.models import ApiKey, Workflow
from app.workspaces.api_keys import MAX_NAME, create_api_key
from app.workspaces.people import RefusedError
from app.workspaces.workflows import create_workflow

LISTED_WORKFLOWS = 100
_PUBLIC_ID = re.compile(PublicIdConverter.regex)

blueprint = Blueprint("connect", __name__)


class Choice(NamedTuple):
    """What has been chosen so far; it stands in the address. `key`: "own", or not settled yet."""

    tool: str = ""
    workflow: Workflow | None = None
    key: str = ""

    def address(self, endpoint: str = "connect.show_connect", **more: Any) -> str:
        values = {
            "tool": self.tool or None,
            "workflow": self.workflow.public_id if self.workflow else None,
            "key": self.key or None,
        }
        return url_for(endpoint, **{**values, **more})


@blueprint.get("/connect")
def show_connect() -> ResponseReturnValue:
    choice = _read_choice()
    if choice.tool and choice.workflow and Watch.read(request.args) is None:
        return redirect(choice.address(**Watch.start()._asdict()))
    return _show(choice)


@blueprint.post("/connect/workflow")
def add_workflow() -> ResponseReturnValue:
    choice = _read_choice()
    try:
        workflow = create_workflow(current_workspace().id, request.form.get("name", ""))
    except RefusedError as error:
        return _show(choice, errors={"workflow": [str(error)]}), 422
    return redirect(choice._replace(workflow=workflow).address(), 303)


@blueprint.post("/connect/key")
def add_key() -> ResponseReturnValue:
    """The key is in this answer and nowhere else: neither in a session nor in an address."""
    choice = _read_choice()
    if choice.workflow is None or Watch.read(request.args) is None:
        return redirect(choice.address(), 303)
    name = request.form.get("name", "")
    try:
        _, key = create_api_key(
            current_workspace().id, name, ["ingest"], created_by=signed_in_user()
        )
    except RefusedError as error:
        return _show(choice, errors={"key": [str(error)]}), 422
    return _show(choice, key=key, key_name=name)


@blueprint.get("/connect/listen")
def listen_once() -> ResponseReturnValue:
    """The part that waits; 204 where the page shows already what there is."""
    choice, watch = _read_choice(), Watch.read(request.args)
    if choice.workflow is None or watch is None:
        return redirect(choice.address())
    heard = listen(choice.workflow, visible_workspace_ids(), watch)
    if not is_for_htmx():
        return redirect(choice.address(**heard.watch._asdict(), _anchor="listen"))
    if not is_news(watch, heard, "silent" in request.args):
        return "", 204
    return render_template("console/_connect_listen.html", **_listening(choice, heard))


def _read_choice() -> Choice:
    """404 for a workflow that is not there, or can't be."""
    tool, public_id = request.args.get("tool", ""), request.args.get("workflow", "")
    if public_id and not _PUBLIC_ID.fullmatch(public_id):
        abort(404, "There is no such workflow in this workspace.")
    return Choice(
        tool if tool in TOOLS else "",
        find_workflow(public_id) if public_id else None,
        "own" if request.args.get("key") == "own" else "",
    )


def _show(
    choice: Choice,
    key: str | None = None,
    key_name: str = "",
    errors: dict[str, list[str]] | None = None,
) -> str:
    return render_template(
        "console/connect.html",
        **_listening(choice),
        **_workflows(choice),
        tools=TOOLS,
        key=key,
        key_name=key_name,
        suggested_key_name=_suggest_key_name(choice),
        parts=_draw_parts(choice, key),
        form=request.form,
        errors=errors or {},
        here=request.args.to_dict(),
    )


def _draw_parts(choice: Choice, key: str | None) -> Sequence[Part]:
    is_settled = key or choice.key or not may("member")
    if not (choice.tool and choice.workflow and is_settled):
        return ()
    workflow = choice.workflow
    target = Target(public_url(), workflow.public_id, workflow.slug, key or PLACEHOLDER)
    return TOOLS[choice.tool].make_parts(target)


def _listening(choice: Choice, heard: Heard | None = None) -> dict[str, Any]:
    """What the waiting part needs, whether it comes with the page or alone."""
    watch = Watch.read(request.args)
    values = {
        "choice": choice,
        "tool": TOOLS.get(choice.tool),
        "base_url": public_url(),
        "reach": describe_reach(public_url()),
        "heard": heard,
    }
    if choice.workflow is None or watch is None:
        return values
    heard = heard or listen(choice.workflow, visible_workspace_ids(), watch)
    silent = {"silent": 1} if heard.is_silent else {}
    listen_url = choice.address("connect.listen_once", **heard.watch._asdict(), **silent)
    return {**values, "heard": heard, "listen_url": listen_url, "workflow": choice.workflow}


def _workflows(choice: Choice) -> dict[str, Any]:
    """Those to pick from: the newest, or what was looked for."""
    if choice.workflow:
        return {"workflows": (), "workflow_count": 0, "find": ""}
    wanted = request.args.get("find", "").replace("\0", "").strip()
    in_use = [
        Workflow.workspace_id == current_workspace().id,
        Workflow.archived_at.is_(None),
    ]
    count = db.session.scalar(select(func.count()).select_from(Workflow).where(*in_use)) or 0
    if wanted:
        columns = (Workflow.name, Workflow.slug, Workflow.public_id)
        in_use.append(or_(*(each.icontains(wanted, autoescape=True) for each in columns)))
    query = select(Workflow).where(*in_use).order_by(Workflow.id.desc()).limit(LISTED_WORKFLOWS)
    return {"workflows": db.session.scalars(query).all(), "workflow_count": count, "find": wanted}


def _suggest_key_name(choice: Choice) -> str:
    """A name that is free, such as `n8n: Lead enrichment 2`."""
    if not (choice.tool and choice.workflow):
        return ""
    name = f"{TOOLS[choice.tool].label}: {choice.workflow.name}"[: MAX_NAME - 5]
    query = select(ApiKey.name).where(
        ApiKey.workspace_id == current_workspace().id,
        ApiKey.revoked_at.is_(None),
        ApiKey.name.startswith(name, autoescape=True),
    )
    taken = set(db.session.scalars(query))
    if name not in taken:
        return name
    return next(free for n in range(2, len(taken) + 3) if (free := f"{name} {n}") not in taken)
