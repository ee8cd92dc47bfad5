"""Look-ups that come in together are one statement; each is answered with what it asked for."""

import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from app.ingest import grouped_lookups
from app.ingest.grouped_lookups import GroupedLookUp
from app.ingest.store import AwayError
from tests.server import wait_for


class Table:
    """Rows by their keys; the first reading waits until it is let go."""

    def __init__(self, **rows: int) -> None:
        self.rows = rows
        self.groups: list[set[str]] = []
        self.began, self.may_end = threading.Event(), threading.Event()
        self.fails = False

    def read(self, keys: Sequence[str]) -> dict[str, int]:
        self.groups.append(set(keys))
        fails = self.fails
        self.began.set()
        assert self.may_end.wait(10)
        if fails:
            raise AwayError("away")
        return {key: self.rows[key] for key in keys if key in self.rows}


def ask_meanwhile(
    pool: ThreadPoolExecutor, lookup: GroupedLookUp[str], *keys: str
) -> list[Future[int | None]]:
    """Ask for these, one after the other, while something is being read."""
    asked = []
    for number, key in enumerate(keys, start=1):
        asked.append(pool.submit(lookup.find, key))
        wait_for(lambda number=number: len(lookup._waiting) == number)  # type: ignore[misc]
    return asked


@pytest.fixture
def pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(8)


def test_what_is_asked_for_meanwhile_is_read_at_once(pool: ThreadPoolExecutor) -> None:
    table = Table(a=1, b=2, c=3)
    lookup = GroupedLookUp(table.read)
    first = pool.submit(lookup.find, "a")
    assert table.began.wait(10)
    others = ask_meanwhile(pool, lookup, "b", "c", "b", "nobody")
    table.may_end.set()
    assert [each.result(10) for each in (first, *others)] == [1, 2, 3, 2, None]
    assert table.groups == [{"a"}, {"b", "c", "nobody"}]


def test_nothing_is_remembered() -> None:
    table = Table(a=1)
    table.may_end.set()
    lookup = GroupedLookUp(table.read)
    assert lookup.find("a") == 1
    del table.rows["a"]
    assert lookup.find("a") is None


def test_a_change_before_the_question_is_in_the_answer_even_if_a_reading_was_under_way(
    pool: ThreadPoolExecutor,
) -> None:
    table = Table(a=1)
    lookup = GroupedLookUp(table.read)
    first = pool.submit(lookup.find, "a")
    assert table.began.wait(10)
    table.rows["a"] = 2
    (second,) = ask_meanwhile(pool, lookup, "a")
    table.may_end.set()
    assert (first.result(10), second.result(10)) == (2, 2)
    assert table.groups == [{"a"}, {"a"}]


def test_an_outage_is_told_to_all_of_its_group_and_to_nobody_else(
    pool: ThreadPoolExecutor,
) -> None:
    table = Table(a=1, b=2)
    table.fails = True
    lookup = GroupedLookUp(table.read)
    first = pool.submit(lookup.find, "a")
    assert table.began.wait(10)
    table.fails = False
    (second,) = ask_meanwhile(pool, lookup, "b")
    table.may_end.set()
    with pytest.raises(AwayError):
        first.result(10)
    assert second.result(10) == 2
    assert lookup.find("a") == 1


def test_who_waits_for_too_long_is_told_so_and_asked_for_no_more(
    pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = Table(a=1, b=2)
    lookup = GroupedLookUp(table.read)
    first = pool.submit(lookup.find, "a")
    assert table.began.wait(10)
    monkeypatch.setattr(grouped_lookups, "WAIT_SECONDS", 0.01)
    with pytest.raises(AwayError, match="within"):
        lookup.find("b")
    table.may_end.set()
    assert first.result(10) == 1
    assert table.groups == [{"a"}]


def test_many_at_once_all_get_their_own(pool: ThreadPoolExecutor) -> None:
    table = Table(**{f"key{number}": number for number in range(100)})
    table.may_end.set()
    lookup = GroupedLookUp(table.read)
    found = pool.map(lambda number: lookup.find(f"key{number % 100}"), range(2_000))
    assert list(found) == [number % 100 for number in range(2_000)]
    assert not lookup._waiting
    assert not lookup._is_led
