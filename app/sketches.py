"""Sketches of durations: how many lie in each of fixed buckets, for percentiles of any sum of them.

The upper limit of a bucket is a fixed multiple of its lower one, so that a percentile is off by at
most ACCURACY. All counts of a sketch are one whole number with 32 bits a bucket: to merge sketches
is to add numbers, and to take a run back is to subtract its own.
"""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from math import ceil, log
from struct import unpack_from

ACCURACY = 0.04
LEAST_MS = 0.001
"""What is shorter counts as nothing."""
_GROWTH = (1 + ACCURACY) / (1 - ACCURACY)
_LOG_GROWTH = log(_GROWTH)
_BYTES = 4
_BITS = 8 * _BYTES
_OFFSET_BYTES = 2


def sketch_of(duration_ms: float | None) -> int:
    """The sketch of one run; nothing for a run without a duration."""
    return 0 if duration_ms is None else 1 << (_BITS * _bucket_of(duration_ms))


def _bucket_of(duration_ms: float) -> int:
    if duration_ms <= LEAST_MS:
        return 0
    return max(1, ceil(log(duration_ms / LEAST_MS) / _LOG_GROWTH))


def _value_of(bucket: int) -> float:
    """What is nearest to all values of the bucket, in ms."""
    return LEAST_MS * _GROWTH**bucket * (1 - ACCURACY) if bucket else 0.0


def pack(sketch: int) -> bytes:
    """The counts from the lowest bucket in use to the highest, behind the number of the lowest."""
    if sketch <= 0:
        return b""
    lowest = ((sketch & -sketch).bit_length() - 1) // _BITS
    counts = sketch >> (_BITS * lowest)
    size = -(-counts.bit_length() // _BITS) * _BYTES
    return lowest.to_bytes(_OFFSET_BYTES, "little") + counts.to_bytes(size, "little")


def unpack(packed: bytes | None) -> int:
    if not packed:
        return 0
    lowest = int.from_bytes(packed[:_OFFSET_BYTES], "little")
    return int.from_bytes(packed[_OFFSET_BYTES:], "little") << (_BITS * lowest)


def percentiles(sketch: int, shares: Sequence[float]) -> list[float | None]:
    """For each share the least duration, in ms, that so many runs don't exceed; None for none.

    As `percentile_disc` of SQL, within ACCURACY.
    """
    packed = pack(sketch)
    if not packed:
        return [None] * len(shares)
    lowest = int.from_bytes(packed[:_OFFSET_BYTES], "little")
    reached = list(accumulate(unpack_from(f"<{len(packed) // _BYTES}I", packed, _OFFSET_BYTES)))
    ranks = [max(1, ceil(share * reached[-1])) for share in shares]
    return [_value_of(lowest + bisect_left(reached, rank)) for rank in ranks]
