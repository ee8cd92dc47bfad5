"""The connect wizard's steps: what has been chosen, and what there is to show for it."""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from flask import abort, request, url_for
from sqlalchemy import ColumnElement, func, or_, select

from app.console.guards import PublicIdConverter, current_workspace, may, visible_workspace_ids
from app.console.listening import Heard, Watch, listen
from app.console.reachability import describe_reach
from app.console.snippet_parts import PLACEHOLDER, Part, Target
from app.console.snippets import TOOLS
from app.console.workflow_list import MAX_QUERY, find_workflow
from app.extensions import db
from app.links import public_url
from app.models import ApiKey, Workflow
from app.workspaces.api_keys import MAX_NAME

MOST_LISTED = 100
OWN = "own"
"""In the address: the reader has a key, and has not said which."""
_PUBLIC_ID = re.compile(PublicIdConverter.regex)


class Choice(NamedTuple):
    """What has been chosen so far; it stands in the address, the key by its public id."""

    tool: str = ""
    workflow: Workflow | None = None
    api_key: ApiKey | None = None
    has_own_key: bool = False

    @property
    def has_key(self) -> bool:
        return self.api_key is not None or self.has_own_key

    def without_key(self) -> "Choice":
        return self._replace(api_key=None, has_own_key=False)

    def address(self, endpoint: str = "connect.show_connect", **more: Any) -> str:
        key = self.api_key.public_id if self.api_key else OWN if self.has_own_key else None
        values = {
            "tool": self.tool or None,
            "workflow": self.workflow.public_id if self.workflow else None,
            "key": key,
        }
        return url_for(endpoint, **{**values, **more})


def read_choice() -> Choice:
    """From the address. 404 for a workflow that is not there, or can't be."""
    args = request.args
    tool, public_id, key = (args.get(name, "") for name in ("tool", "workflow", "key"))
    if public_id and not _PUBLIC_ID.fullmatch(public_id):
        abort(404, "There is no such workflow in this workspace.")
    return Choice(
        tool if tool in TOOLS else "",
        find_workflow(public_id) if public_id else None,
        _find_key(key) if _PUBLIC_ID.fullmatch(key) else None,
        key == OWN,
    )


def describe_wizard(
    choice: Choice, key: str | None = None, errors: dict[str, list[str]] | None = None
) -> dict[str, Any]:
    """All that the steps show; `key` is the one that was just made, and only its answer has it."""
    return {
        **describe_listening(choice),
        **_list_workflows(choice),
        "tools": TOOLS,
        "key": key,
        "suggested_key_name": _suggest_key_name(choice),
        "own_keys": _list_keys() if choice.has_own_key and may("member") else (),
        "parts": _draw_parts(choice, key),
        "form": request.form,
        "errors": errors or {},
        "since": since(),
    }


def since() -> dict[str, str]:
    """From when on the page listens, for the address of a further step."""
    return {name: request.args[name] for name in ("after", "at") if name in request.args}


def describe_listening(choice: Choice, heard: Heard | None = None) -> dict[str, Any]:
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
    heard = heard or listen(choice.workflow, visible_workspace_ids(), watch, choice.api_key)
    silent = {"silent": 1} if heard.is_silent else {}
    listen_url = choice.address("connect.listen_once", **heard.watch._asdict(), **silent)
    return {**values, "heard": heard, "listen_url": listen_url, "workflow": choice.workflow}


def _draw_parts(choice: Choice, key: str | None) -> Sequence[Part]:
    is_settled = key or choice.has_key or not may("member")
    if not (choice.tool and choice.workflow and is_settled):
        return ()
    workflow = choice.workflow
    target = Target(public_url(), workflow.public_id, workflow.slug, key or PLACEHOLDER)
    return TOOLS[choice.tool].make_parts(target)


def _list_workflows(choice: Choice) -> dict[str, Any]:
    """Those to pick from: the newest, or what was looked for."""
    if choice.workflow:
        return {"workflows": (), "workflow_count": 0, "find": "", "max_query": MAX_QUERY}
    wanted = request.args.get("find", "").replace("\0", "").strip()[:MAX_QUERY]
    in_use = [
        Workflow.workspace_id == current_workspace().id,
        Workflow.archived_at.is_(None),
    ]
    count = db.session.scalar(select(func.count()).select_from(Workflow).where(*in_use)) or 0
    if wanted:
        columns = (Workflow.name, Workflow.slug, Workflow.public_id)
        in_use.append(or_(*(each.icontains(wanted, autoescape=True) for each in columns)))
    query = select(Workflow).where(*in_use).order_by(Workflow.id.desc()).limit(MOST_LISTED)
    return {
        "workflows": db.session.scalars(query).all(),
        "workflow_count": count,
        "find": wanted,
        "max_query": MAX_QUERY,
    }


def _find_key(public_id: str) -> ApiKey | None:
    return db.session.scalar(select(ApiKey).where(*_in_use(), ApiKey.public_id == public_id))


def _list_keys() -> Sequence[ApiKey]:
    """Those that may report, by name."""
    query = select(ApiKey).where(*_in_use(), ApiKey.scopes.contains("ingest"))
    return db.session.scalars(query.order_by(ApiKey.name).limit(MOST_LISTED)).all()


def _in_use() -> tuple[ColumnElement[bool], ...]:
    return ApiKey.workspace_id == current_workspace().id, ApiKey.revoked_at.is_(None)


def _suggest_key_name(choice: Choice) -> str:
    """A name that is free, such as `n8n: Lead enrichment 2`."""
    if not (choice.tool and choice.workflow):
        return ""
    tool = TOOLS[choice.tool]
    name = f"{tool.short or tool.label}: {choice.workflow.name}"[: MAX_NAME - 5].rstrip()
    query = select(ApiKey.name).where(*_in_use(), ApiKey.name.startswith(name, autoescape=True))
    taken = set(db.session.scalars(query))
    if name not in taken:
        return name
    return next(free for n in range(2, len(taken) + 3) if (free := f"{name} {n}") not in taken)
