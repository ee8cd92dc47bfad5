"""What a batch looks up, once for all of its events."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import cache
from itertools import chain, repeat

from app.ingest.records import FormerWorkflow, IdempotentClaim, KnownWorkflow, RememberedAnswer
from app.ingest.statements import FIND_ANSWER
from app.ingest.store import Cursor, Store
from app.models import IDEMPOTENCY_WINDOW

_ROWS_AT_ONCE = 64


class Workflows:
    """The store's workflows; each reference is looked up once, so that few cost a batch nothing."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._found: dict[tuple[str, str], KnownWorkflow | None] = {}
        self._former: dict[str, FormerWorkflow | None] = {}
        self._references: list[tuple[str, str]] | None = None

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

    def list_references(self, workspace_id: int) -> list[tuple[str, str]]:
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


def claim_all(
    store: Store, cursor: Cursor, claims: Sequence[IdempotentClaim]
) -> dict[int, RememberedAnswer]:
    """Remember the answers that go with these keys, few statements for many; by the places of the
    claims, what is remembered already of the others, an earlier twin among the claims included."""
    first: dict[tuple[int, str], int] = {}
    for place, claim in enumerate(claims):
        first.setdefault(claim[:2], place)
    # Twins in two processes would wait for each other if each took its keys in any order.
    wanted = sorted(first)
    cutoff = min(claim.created_at for claim in claims) - IDEMPOTENCY_WINDOW
    made: set[tuple[int, str]] = set()
    for chunk in _in_chunks(wanted):
        rows = [claims[first[name]] for name in chunk]
        cursor.execute(store.sql(_claim_sql(len(rows))), (*chain.from_iterable(rows), cutoff))
        made.update((workspace_id, key) for workspace_id, key in cursor.fetchall())
    known = _find_known(store, cursor, [name for name in wanted if name not in made], cutoff)
    for name in made:
        known[name] = RememberedAnswer(*claims[first[name]][2:4])
    return {
        place: known[claim[:2]]
        for place, claim in enumerate(claims)
        if claim[:2] not in made or first[claim[:2]] != place
    }


def _find_known(
    store: Store, cursor: Cursor, names: Sequence[tuple[int, str]], cutoff: datetime
) -> dict[tuple[int, str], RememberedAnswer]:
    known = {}
    for workspace_id, key in names:
        cursor.execute(store.sql(FIND_ANSWER), (workspace_id, key, cutoff))
        known[workspace_id, key] = RememberedAnswer(*cursor.fetchone())
    return known


def _in_chunks(names: Sequence[tuple[int, str]]) -> Iterator[Sequence[tuple[int, str]]]:
    """As many at once as fit into powers of two, so that few statements are known for all sizes."""
    at = 0
    while at < len(names):
        size = min(_ROWS_AT_ONCE, 1 << ((len(names) - at).bit_length() - 1))
        yield names[at : at + size]
        at += size


@cache
def _claim_sql(count: int) -> str:
    row = "(?, ?, ?, ?, ?)"
    return (
        "INSERT INTO idempotency_keys "  # noqa: S608
        "(workspace_id, key, request_hash, answer, created_at) "
        f"VALUES {', '.join([row] * count)} ON CONFLICT (workspace_id, key) DO UPDATE SET "
        "request_hash = excluded.request_hash, answer = excluded.answer, "
        "created_at = excluded.created_at WHERE idempotency_keys.created_at < ? "
        "RETURNING workspace_id, key"
    )


def _round_up(count: int) -> int:
    """To a power of two, so that few statements are known for all sizes."""
    return 1 << (count - 1).bit_length()
