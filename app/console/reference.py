"""The API reference: each endpoint with its fields, an example, its refusals, a form to try it."""

from collections.abc import Iterable

from flask import Blueprint, current_app, render_template

from app.api.openapi import serves_others
from app.api.other_monitors import TAG as OTHERS
from app.config import SETTINGS
from app.console.api_reference import (
    Endpoint,
    curl_request,
    example_body,
    list_endpoints,
    list_shared_refusals,
    list_tags,
)
from app.console.guards import current_workspace, is_reader, may, protect_reading
from app.console.overview import first_slug
from app.ingest.batch_body import MOST_EVENTS
from app.ingest.schemas import EVENT_KINDS
from app.links import public_url
from app.models import IDEMPOTENCY_WINDOW

STAND_IN_SLUG = "your-workflow"
LIMITS = (
    "FLOWPULSE_RATE_LIMIT",
    "FLOWPULSE_FAILED_KEY_LIMIT",
    "FLOWPULSE_MAX_BODY_BYTES",
    "FLOWPULSE_MAX_JSON_DEPTH",
    "FLOWPULSE_BODY_TIMEOUT_SECONDS",
    "FLOWPULSE_EVENT_DAYS",
    "FLOWPULSE_FAILURE_DAYS",
    "FLOWPULSE_REJECTED_DAYS",
)
"""The settings that a sender may run into."""

blueprint = Blueprint("docs", __name__)
protect_reading(blueprint)


@blueprint.get("/docs")
def show_reference() -> str:
    slug = first_slug(current_workspace().id) if is_reader() else None
    has_others = serves_others()
    return render_template(
        "console/reference.html",
        groups=group_endpoints(list_endpoints(has_others=has_others)),
        about=list_tags(has_others=has_others),
        base_url=public_url(),
        slug=slug,
        bodies={each.id: example_body(each, slug or STAND_IN_SLUG) for each in list_endpoints()},
        curl_request=curl_request,
        shared_refusals=list_shared_refusals(),
        limits=list_limits(),
        most_events=MOST_EVENTS,
        remembered_hours=int(IDEMPOTENCY_WINDOW.total_seconds() // 3600),
        test_kinds=EVENT_KINDS,
        may_test=is_reader() and may("member"),
    )


def group_endpoints(endpoints: Iterable[Endpoint]) -> dict[str, list[Endpoint]]:
    """By their tag, in the document's order; a ping by GET is the same as one by POST."""
    groups: dict[str, list[Endpoint]] = {}
    for endpoint in endpoints:
        if endpoint.tag in ("Pings", OTHERS) and endpoint.method == "GET":
            continue
        groups.setdefault(endpoint.tag, []).append(endpoint)
    return groups


def list_limits() -> list[tuple[str, str, object]]:
    """Name, meaning and present value of each."""
    return [
        (setting.name, setting.help, current_app.config[setting.name])
        for setting in SETTINGS
        if setting.name in LIMITS
    ]
