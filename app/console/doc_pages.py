"""Integrations and guides: documents as pages, with the reader's values in their snippets."""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from flask import Blueprint, abort, render_template, request, url_for
from markupsafe import Markup
from sqlalchemy import select

from app.console.guards import current_workspace, is_reader, may, protect_reading
from app.console.guides import GUIDES, SECTIONS
from app.console.integration_files import STAND_IN, fill, has_stand_ins, read_file
from app.console.integrations import INTEGRATIONS, page_file, read_page
from app.console.prose import inline
from app.console.snippet_parts import Target
from app.extensions import db
from app.invocation import as_installed
from app.links import public_url
from app.models import ApiKey, Workflow

MOST_LISTED = 100
_README = re.compile(r"(?:\.\./)+(?:integrations/)?([\w-]+)/README\.md|\./([\w-]+)/README\.md")
_GUIDE = re.compile(r"(?:[\w./]*/)?([\w-]+)\.md")
_OWN_PAGES = {
    "integrations": "doc_pages.show_index",
    "troubleshooting": "troubleshooting.show_table",
}
"""Documents that the app shows in another form."""

blueprint = Blueprint("doc_pages", __name__)
protect_reading(blueprint)


class Filling(NamedTuple):
    """What stands in the snippets, and what else there is to choose from."""

    target: Target = STAND_IN
    workflow: Workflow | None = None
    key: ApiKey | None = None
    workflows: Sequence[Workflow] = ()
    keys: Sequence[ApiKey] = ()


@blueprint.get("/docs/integrations")
def show_index() -> str:
    return render_template("console/integrations.html", integrations=INTEGRATIONS)


@blueprint.get("/docs/guides")
def show_guides() -> str:
    return render_template("console/guides.html", sections=SECTIONS)


@blueprint.get("/docs/<name>")
def show_page(name: str) -> str:
    document = read_page(name)
    if document is None:
        abort(404, "There is no such page in the documents.")
    filling = read_filling()
    return render_template(
        "console/doc_page.html",
        name=name,
        document=document,
        integrations=INTEGRATIONS,
        sections=SECTIONS,
        is_guide=name in GUIDES,
        is_filled=has_stand_ins(document),
        filling=filling,
        **_drawing(name, filling.target),
    )


def read_filling() -> Filling:
    """From the address, or else the newest workflow; a key is told by its name alone."""
    if not is_reader():
        return Filling()
    workspace_id = current_workspace().id
    workflows = db.session.scalars(
        select(Workflow)
        .where(Workflow.workspace_id == workspace_id, Workflow.archived_at.is_(None))
        .order_by(Workflow.id.desc())
        .limit(MOST_LISTED)
    ).all()
    keys = _list_keys(workspace_id) if may("member") else ()
    wanted_slug, wanted_key = request.args.get("workflow"), request.args.get("key")
    newest = workflows[0] if workflows else None
    workflow = next((each for each in workflows if each.slug == wanted_slug), newest)
    key = next((each for each in keys if each.public_id == wanted_key), keys[0] if keys else None)
    target = STAND_IN if workflow is None else Target("", workflow.public_id, workflow.slug)
    filled = Target(public_url(), target.workflow_id, target.slug)
    return Filling(filled, workflow, key, workflows, keys)


def _list_keys(workspace_id: int) -> Sequence[ApiKey]:
    """Those that may report, the newest first."""
    query = select(ApiKey).where(
        ApiKey.workspace_id == workspace_id,
        ApiKey.revoked_at.is_(None),
        ApiKey.scopes.contains("ingest"),
    )
    return db.session.scalars(query.order_by(ApiKey.id.desc()).limit(MOST_LISTED)).all()


def _drawing(name: str, target: Target) -> dict[str, Any]:
    """What the macros draw blocks with."""

    def draw_inline(text: str) -> Markup:
        return inline(fill(as_installed(text), target), resolve)

    def draw_code(text: str, language: str) -> str:
        return fill(as_installed(text), target, language)

    def draw_file(file: str) -> str:
        """Of this page's folder, or `../NAME/FILE` of another's."""
        own = file.removeprefix("../")
        return read_file(own if own != file else f"{name}/{file}", target)

    return {"inline": draw_inline, "code": draw_code, "file": draw_file}


def resolve(link: str) -> str | None:
    """A document's link as an address of the app; None for what only the repository has."""
    path, mark, anchor = link.partition("#")
    if link.startswith(("https://", "http://")) or not path:
        return link
    found = _README.fullmatch(path) or _GUIDE.fullmatch(path)
    name = next((each for each in found.groups() if each), "").lower() if found else ""
    if name in _OWN_PAGES:
        return url_for(_OWN_PAGES[name]) + mark + anchor
    if page_file(name):
        return url_for("doc_pages.show_page", name=name) + mark + anchor
    return None
