"""The systems whose workflows can be brought along, as the console offers them."""

from collections.abc import Callable
from typing import Any, NamedTuple

from app.importing import healthchecks, n8n
from app.importing.plans import Plan


class Source(NamedTuple):
    """`hint` says which document it is. `read` gets that, the system's own time zone, and the grace
    time in seconds, and raises RefusedError; `has_more` tells that it is a part of the list."""

    name: str
    label: str
    hint: str
    read: Callable[[Any, str, int], list[Plan]]
    has_more: Callable[[Any], bool]


def _read_checks(document: Any, zone: str, grace_seconds: int) -> list[Plan]:
    """Each check names both by itself."""
    return healthchecks.read_checks(document)


SOURCES = {
    each.name: each
    for each in (
        Source(
            "healthchecks",
            "Healthchecks",
            "What a project’s API answers to GET /api/v3/checks/, asked with a key that may write: "
            "a read-only one lists no addresses.",
            _read_checks,
            lambda document: False,
        ),
        Source(
            "n8n",
            "n8n",
            "What its API answers to GET /api/v1/workflows, or what n8n export:workflow --all "
            "writes.",
            n8n.read_workflows,
            n8n.has_more_pages,
        ),
    )
}
"""By the name that stands in forms."""
