"""Where a run can be looked at on the platform that it ran on."""

from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

from app.models import Run
from app.redaction import mask_text
from app.workspaces.run_urls import PLACEHOLDER

NAMES = ("execution_url", "executionUrl", "run_url", "runUrl")
"""Fields of the metadata that can only mean the execution, the best first."""
GENERIC_NAME = "url"
"""One that may mean anything: a page, a customer, an order."""
MAX_LENGTH = 2_000


class SourceLink(NamedTuple):
    """An address outside, and the host that a reader should know before a click."""

    url: str
    host: str


def find_source_link(run: Run, details: Mapping[str, Any] | None) -> SourceLink | None:
    """What the metadata gives for the execution, or else the workflow's template, or else what the
    metadata gives for anything; only ever http or https, and none that holds a secret."""
    told = details or {}
    candidates = (*(told.get(name) for name in NAMES), _fill_template(run), told.get(GENERIC_NAME))
    return next((link for each in candidates if (link := _read_link(each))), None)


def _fill_template(run: Run) -> str | None:
    template, execution_id = run.workflow.run_url, run.external_execution_id
    if not template or not execution_id or mask_text(execution_id) != execution_id:
        return None  # Within the address, with its signs encoded, a secret would not be known.
    return template.replace(PLACEHOLDER, quote(execution_id, safe=""))


def _read_link(value: object) -> SourceLink | None:
    if not isinstance(value, str) or len(value) > MAX_LENGTH:
        return None
    if not all(sign.isprintable() and not sign.isspace() for sign in value) or "\\" in value:
        return None
    try:
        parts = urlsplit(value)
        host = parts.hostname
        _ = parts.port
    except ValueError:
        return None
    if parts.scheme.lower() not in ("http", "https") or not host or "@" in parts.netloc:
        return None
    if mask_text(value) != value:
        return None
    return SourceLink(value, host)
