"""Sketches: merged, taken back and packed without loss, and exact to their accuracy."""

from math import ceil

from hypothesis import given
from hypothesis import strategies as st

from app.sketches import ACCURACY, LEAST_MS, pack, percentiles, sketch_of, unpack

DURATIONS = st.one_of(
    st.floats(0, 2**53),
    st.floats(0, 100),
    st.sampled_from([0.0, LEAST_MS, 0.5, 1.0, 250.0, 3_600_000.0, float(2**53)]),
)


def exact(values: list[float], share: float) -> float:
    """As `percentile_disc` defines it."""
    return sorted(values)[max(1, ceil(share * len(values))) - 1]


@given(st.lists(DURATIONS, min_size=1, max_size=60))
def test_percentiles_are_within_the_accuracy(values: list[float]) -> None:
    shares = (0, 0.5, 0.95, 1)
    found = percentiles(sum(map(sketch_of, values)), shares)
    for share, estimate in zip(shares, found, strict=True):
        true = exact(values, share)
        assert estimate is not None
        assert abs(estimate - true) <= true * (ACCURACY + 1e-9) + LEAST_MS


@given(st.lists(DURATIONS, max_size=20), st.lists(DURATIONS, max_size=20))
def test_what_is_added_can_be_taken_back(kept: list[float], taken: list[float]) -> None:
    before, more = (sum(map(sketch_of, each)) for each in (kept, taken))
    both = unpack(pack(before + more))
    assert unpack(pack(both - more)) == before
    assert unpack(pack(before)) == before


def test_nothing_has_no_percentiles() -> None:
    assert sketch_of(None) == 0
    assert pack(0) == b""
    assert unpack(None) == unpack(b"") == 0
    assert percentiles(0, (0.5, 0.95)) == [None, None]


def test_one_run_takes_six_bytes() -> None:
    assert len(pack(sketch_of(1_200.0))) == 6
