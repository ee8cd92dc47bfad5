"""Badges: what a workflow's state is, for who knows the address and without signing in."""

import json
from typing import NamedTuple

from flask import Blueprint, Response, abort, render_template
from sqlalchemy import select

from app.console.workflow_health import look_at
from app.extensions import db
from app.models import Workflow
from app.signs import show_signs
from app.workspaces.badges import TOKEN_LENGTH

LIFETIME = "public, max-age=60"
LABEL_LENGTH = 40
_NARROW, _WIDE = frozenset("fijlrt.,:;|!'()[]I "), frozenset("mwMW@%")
_WIDTHS = {"narrow": 4.2, "wide": 10.2, "usual": 6.9}
_PADDING = 12

blueprint = Blueprint("badges", __name__)


class BadgeState(NamedTuple):
    """What a badge says, and its colour: the name is of shields.io, the number for our own. An
    error keeps its colour whatever the address of the picture asks for."""

    message: str
    colour: str
    fill: str
    is_error: bool = False


STATES = {
    "ok": BadgeState("passing", "brightgreen", "#2b7a4b"),
    "failing": BadgeState("failing", "red", "#b3253a", is_error=True),
    "stuck": BadgeState("stuck", "red", "#b3253a", is_error=True),
    "silent": BadgeState("silent", "orange", "#9a5b06", is_error=True),
    "never": BadgeState("no runs", "lightgrey", "#666666"),
    "archived": BadgeState("archived", "lightgrey", "#666666"),
}
"""By the state of app/console/workflow_health.py."""


@blueprint.get("/badge/<token>.svg")
def show_svg(token: str) -> Response:
    workflow = find_workflow(token)
    state = STATES[find_state(workflow)]
    label = _shorten(workflow.name)
    widths = [round(_measure(text)) + _PADDING for text in (label, state.message)]
    svg = render_template("console/badge.svg", label=label, state=state, widths=widths)
    return _answer(svg, "image/svg+xml; charset=utf-8")


@blueprint.get("/badge/<token>.json")
def show_json(token: str) -> Response:
    """As https://shields.io/badges/endpoint-badge asks for it."""
    workflow = find_workflow(token)
    state = STATES[find_state(workflow)]
    document = {
        "schemaVersion": 1,
        "label": _shorten(workflow.name),
        "message": state.message,
        "color": state.colour,
        "isError": state.is_error,
        "cacheSeconds": 300,
    }
    return _answer(json.dumps(document), "application/json")


def find_workflow(token: str) -> Workflow:
    """The workflow whose badge has this token; 404 where it is switched off or renewed."""
    if len(token) == TOKEN_LENGTH and token.isascii() and "\0" not in token:
        workflow = db.session.scalar(select(Workflow).where(Workflow.badge_token == token))
        if workflow is not None:
            return workflow
    abort(404, "There is no such badge.")


def find_state(workflow: Workflow) -> str:
    """One of STATES."""
    if workflow.archived_at is not None:
        return "archived"
    (health,) = look_at(workflow.workspace_id, [workflow])
    return health.state


def _answer(text: str, content_type: str) -> Response:
    response = Response(text, content_type=content_type)
    response.headers["Cache-Control"] = LIFETIME
    return response


def _shorten(name: str) -> str:
    """Without control characters, which XML can't hold."""
    shown = show_signs(name)
    return shown if len(shown) <= LABEL_LENGTH else shown[: LABEL_LENGTH - 1] + "…"


def _measure(text: str) -> float:
    """About how wide it is in px; the SVG fits the letters to it."""
    kinds = ("narrow" if c in _NARROW else "wide" if c in _WIDE else "usual" for c in text)
    return sum(_WIDTHS[kind] for kind in kinds)
