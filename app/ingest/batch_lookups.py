"""What a batch looks up, once for all of its events."""

from collections.abc import Sequence
from datetime import datetime
from itertools import repeat

from app.ingest.records import FormerWorkflow, KnownWorkflow, RememberedAnswer
from app.ingest.store import Store
from app.ingest.suggestions import closest_slug
from app.models import IDEMPOTENCY_WINDOW

MOST_SUGGESTIONS = 20
"""Wrong references of one batch that are compared with all workflows; the rest get the general
hint."""


class Workflows:
    """The store's workflows; each reference is looked up once, so that few cost a batch nothing."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._found: dict[tuple[str, str], KnownWorkflow | None] = {}
        self._former: dict[str, FormerWorkflow | None] = {}
        self._references: list[tuple[str, str]] | None = None
        self._suggested: dict[str, str | None] = {}

    def find_workflow(self, workspace_id: int, column: str, value: str) -> KnownWorkflow | None:
        if (column, value) not in self._found:
            found = self._store.find_workflow(workspace_id, column, value)
            self._found[column, value] = found
        return self._found[column, value]

    def find_former_slug(
        self, workspace_id: int, slug: str, now: datetime
    ) -> FormerWorkflow | None:
        if slug not in self._former:
            self._former[slug] = self._store.find_former_slug(workspace_id, slug, now)
        return self._former[slug]

    def suggest_slug(self, workspace_id: int, value: str) -> str | None:
        """As the store does, whichever field the value came in."""
        if value not in self._suggested:
            if len(self._suggested) >= MOST_SUGGESTIONS:
                return None
            self._suggested[value] = closest_slug(value, self._list_references(workspace_id))
        return self._suggested[value]

    def _list_references(self, workspace_id: int) -> list[tuple[str, str]]:
        if self._references is None:
            self._references = self._store.list_references(workspace_id)
        return self._references


def find_first_answers(
    store: Store, workspace_id: int, keys: Sequence[str], now: datetime
) -> dict[str, RememberedAnswer]:
    """What was answered before to those of the Idempotency-Keys that are remembered."""
    if not keys:
        return {}
    wanted = [*keys, *repeat(keys[-1], _round_up(len(keys)) - len(keys))]
    marks = ", ".join("?" * len(wanted))
    statement = (
        "SELECT key, request_hash, answer FROM idempotency_keys "  # noqa: S608
        f"WHERE workspace_id = ? AND created_at >= ? AND key IN ({marks})"
    )
    rows = store.fetch_all(statement, workspace_id, now - IDEMPOTENCY_WINDOW, *wanted)
    return {key: RememberedAnswer(request_hash, answer) for key, request_hash, answer in rows}


def _round_up(count: int) -> int:
    """To a power of two, so that few statements are known for all sizes."""
    return 1 << (count - 1).bit_length()
