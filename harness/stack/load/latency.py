"""How long requests took, in few buckets: as in HdrHistogram, the width of a bucket grows with its value.

The functions are pure. A duration keeps its SIGNIFICANT_BITS highest bits, so a percentile is at most 1.6 % above the
real one, and a day in microseconds needs about 2,000 buckets.
"""

from __future__ import annotations

from collections.abc import Mapping

SIGNIFICANT_BITS = 7
PERCENTILES = {"p50": 0.50, "p90": 0.90, "p99": 0.99, "max": 1.0}


def bucket_us(took_ns: int) -> int:
    """The lower bound of the bucket that a duration belongs to, in us."""
    took_us = max(0, took_ns // 1000)
    shift = max(0, took_us.bit_length() - SIGNIFICANT_BITS)
    return took_us >> shift << shift


def upper_us(bucket: int) -> int:
    """The longest duration, in us, that belongs to the bucket which begins at ``bucket``."""
    return bucket + (1 << max(0, bucket.bit_length() - SIGNIFICANT_BITS)) - 1


def summarise(buckets: Mapping[int, int]) -> dict[str, float]:
    """PERCENTILES in ms from (bucket -> count), each the upper bound of its bucket; {} if there are no counts."""
    total, seen = sum(buckets.values()), 0
    found: dict[str, float] = {}
    for bucket in sorted(buckets):
        seen += buckets[bucket]
        for name, share in PERCENTILES.items():
            if name not in found and seen >= share * total > 0:
                found[name] = upper_us(bucket) / 1000
    return found
