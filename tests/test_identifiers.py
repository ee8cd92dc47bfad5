"""Public identifiers."""

import re
import time

import pytest

from app.identifiers import is_new, new_id


def test_ids_are_cuids_and_never_the_same() -> None:
    ids = [new_id() for _ in range(20_000)]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"c[0-9a-z]{23}", each) for each in ids)


def test_ids_of_the_same_time_lie_side_by_side() -> None:
    assert new_id()[:4] == new_id()[:4]


def test_an_id_tells_whether_it_was_made_just_now(monkeypatch: pytest.MonkeyPatch) -> None:
    made, at = new_id(), time.time()
    assert is_new(made, 5) and not is_new("a" * 24, 5)
    monkeypatch.setattr("app.identifiers.time.time", lambda: at + 9)
    assert not is_new(made, 5)
