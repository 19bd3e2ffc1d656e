"""Medians and their distribution-free intervals; percentiles; how narrow an interval is.

Times on a shared machine have long tails and no distribution worth naming, so nothing here
assumes one. The interval for a median is bounded by two order statistics whose ranks follow from
the binomial distribution (Conover, Practical Nonparametric Statistics, 3rd ed., section 3.2; the
same that ``scipy.stats.quantile_test`` gives).
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from functools import lru_cache

from keptalive.records.run import Interval

CONFIDENCE = 0.95


def median_interval(samples: Sequence[float], confidence: float = CONFIDENCE) -> Interval:
    """The samples' median and the interval that holds the true one with this confidence.

    The bounds are None where so few samples cannot give that confidence: below 6 for 95 %.

    Raises:
        ValueError: no samples.
    """
    if not samples:
        raise ValueError("a median needs at least one sample")
    ordered = sorted(samples)
    rank = _lower_rank(len(ordered), confidence)
    if rank is None:
        return Interval(median=statistics.median(ordered))
    return Interval(median=statistics.median(ordered), low=ordered[rank - 1], high=ordered[-rank])


@lru_cache(maxsize=256)
def _lower_rank(size: int, confidence: float) -> int | None:
    """The largest rank r with P(Binomial(size, 1/2) < r) <= (1 - confidence) / 2, if there is one.

    The lower bound is the r-th smallest sample, the upper bound the r-th largest.
    """
    tail = (1 - confidence) / 2
    below = 0.0
    log_half = size * math.log(0.5)
    for rank in range(size // 2 + 1):
        # P(X = rank) through logarithms, so that 100,000 samples neither overflow nor crawl
        log_orders = math.lgamma(size + 1) - math.lgamma(rank + 1) - math.lgamma(size - rank + 1)
        below += math.exp(log_orders + log_half)
        if below > tail:
            return rank or None
    return None


def percentile(samples: Sequence[float], fraction: float) -> float:
    """The value below which this fraction of the samples lies, interpolated between two of them.

    Raises:
        ValueError: no samples.
    """
    if not samples:
        raise ValueError("a percentile needs at least one sample")
    ordered = sorted(samples)
    position = fraction * (len(ordered) - 1)
    below = math.floor(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (position - below) * (ordered[above] - ordered[below])


def is_narrow(interval: Interval, width: float) -> bool:
    """Whether the interval is narrower than this share of its value; never without bounds."""
    if interval.low is None or interval.high is None:
        return False
    return interval.high - interval.low < width * interval.median
