"""Pages of a list by key: what stands on one, and from where its neighbours go on.

Whoever asks reads along an index from one key on, and so a page costs the same at each end of the
list; how many pages there are is not counted.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from sqlalchemy import Select
from sqlalchemy.orm import InstrumentedAttribute

from app.console.places import PlaceReader, read_id
from app.extensions import db

Key = TypeVar("Key")

ListKeys = Callable[[Key | None, bool, int], Sequence[Key]]
"""Keys beyond one, or from the beginning: upwards or not, at most so many, the nearest first."""


class KeyPage(NamedTuple, Generic[Key]):
    """Keys, the latest first, and those from which the pages beside it go on; `mistakes`: what of
    the address can't be read, by parameter."""

    keys: Sequence[Key] = ()
    newer: Key | None = None
    older: Key | None = None
    mistakes: Mapping[str, str] = {}

    @property
    def status(self) -> int:
        """Of the answer that shows it."""
        return 422 if self.mistakes else 200


def find_key_page(
    list_keys: ListKeys[Any], size: int, before: Any = None, after: Any = None
) -> KeyPage[Any]:
    """The latest; those behind `before`; or those just ahead of `after`, unless the latest page
    reaches so far."""
    if after is not None:
        found = list_keys(after, True, size + 1)
        if len(found) > size:
            shown = found[size - 1 :: -1]
            return KeyPage(shown, newer=shown[0], older=shown[-1])
        before = None
    found = list_keys(before, False, size + 1)
    shown = found[:size]
    newer = None if before is None else next(iter(shown), before)
    return KeyPage(shown, newer, older=shown[-1] if len(found) > size else None)


def find_id_page(
    query: Select[Any], key: InstrumentedAttribute[int], size: int, noun: str
) -> KeyPage[int]:
    """The page of these rows that the request's address asks for, by their ids: an index has to
    lead to them in this order. `noun`: what one is called, such as `an alert`."""
    reader = PlaceReader()
    what = f"the number of {noun}, such as 120"
    before, after = (reader.read(name, read_id, what) for name in ("before", "after"))
    if reader.mistakes:
        return KeyPage(mistakes=reader.mistakes)

    def list_ids(start: int | None, is_upward: bool, limit: int) -> Sequence[int]:
        found = query.with_only_columns(key)
        if start is not None:
            found = found.where(key > start if is_upward else key < start)
        ordered = found.order_by(key if is_upward else key.desc())
        return db.session.scalars(ordered.limit(limit)).all()

    return find_key_page(list_ids, size, before, after)
