"""Public identifiers."""

import re

from app.identifiers import new_id


def test_ids_are_cuids_and_never_the_same() -> None:
    ids = [new_id() for _ in range(20_000)]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"c[0-9a-z]{23}", each) for each in ids)


def test_ids_of_the_same_time_lie_side_by_side() -> None:
    assert new_id()[:4] == new_id()[:4]
