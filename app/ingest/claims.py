"""Idempotency-Keys that events claim in the transaction that writes them."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import cache
from itertools import chain

from app.ingest.records import IdempotentClaim, RememberedAnswer
from app.ingest.statements import FIND_ANSWER
from app.ingest.store import Cursor, Store
from app.models import IDEMPOTENCY_WINDOW

_ROWS_AT_ONCE = 64


def claim_all(
    store: Store, cursor: Cursor, claims: Sequence[IdempotentClaim]
) -> dict[int, RememberedAnswer]:
    """Remember the answers that go with these keys, few statements for many; by the places of the
    claims, what is remembered already of the others, an earlier twin among the claims included."""
    if not claims:
        return {}
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
