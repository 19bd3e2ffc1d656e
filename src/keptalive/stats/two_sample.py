"""By how much does one sample lie above another, independent one? Pure.

The shift is Hodges and Lehmann's: the median of all differences between a value of the one and a
value of the other. Its interval is bounded by two of these differences, whose ranks follow from the
Mann-Whitney statistic (Hollander, Wolfe and Chicken, Nonparametric Statistical Methods, 3rd ed.,
sections 4.1 to 4.3): no distribution is named, but both samples are taken to have the same one,
shifted. The ranks are exact for small samples and the normal approximation's for large
ones. 100,000 values a side have 10,000,000,000 differences: these are counted, never listed.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import accumulate, repeat
from statistics import NormalDist

from keptalive.records.run import Interval
from keptalive.stats.intervals import CONFIDENCE

EXACT_WORK = 200_000  # polynomial coefficients to add up: some 20 ms
LISTED = 100_000  # so few differences are listed and sorted


def shift_interval(
    before: Sequence[float], after: Sequence[float], confidence: float = CONFIDENCE
) -> Interval:
    """By how much ``after`` lies above ``before``, with the bounds at this confidence.

    The bounds are None where so few values cannot give that confidence: below 4 and 4 for 95 %.

    Raises:
        ValueError: a side without values.
    """
    if not before or not after:
        raise ValueError("a shift needs at least one value on each side")
    pairs = len(before) * len(after)
    middle = [(pairs + 1) // 2, pairs // 2 + 1] if pairs <= LISTED else [pairs // 2] * 2
    rank = lower_rank(min(len(before), len(after)), max(len(before), len(after)), confidence)
    wanted = [*middle, *([] if rank is None else [rank, pairs + 1 - rank])]
    distinct = sorted(set(wanted))
    found = dict(
        zip(distinct, differences_at(sorted(before), sorted(after), distinct), strict=True)
    )
    lower, upper, *bounds = (found[one] for one in wanted)
    return Interval(median=(lower + upper) / 2, **dict(zip(("low", "high"), bounds, strict=False)))


# -- Which ranks bound the interval --------------------------------------------------------------


@lru_cache(maxsize=256)
def lower_rank(fewer: int, more: int, confidence: float) -> int | None:
    """The largest rank k with P(U < k) <= (1 - confidence) / 2, if there is one.

    The lower bound is the k-th smallest difference, the upper bound the k-th largest.
    """
    tail = (1 - confidence) / 2
    if fewer * fewer * more > EXACT_WORK:
        mean = fewer * more / 2
        spread = math.sqrt(fewer * more * (fewer + more + 1) / 12)
        return math.floor(mean + 0.5 - NormalDist().inv_cdf(1 - tail) * spread)
    below, allowed = 0, tail * math.comb(fewer + more, fewer)
    for rank, orders in enumerate(_orders(fewer, more)):
        below += orders
        if below > allowed:
            return rank or None
    return None  # pragma: no cover - half of all orders exceed any tail


def _orders(fewer: int, more: int) -> list[int]:
    """In how many orders of the values the statistic is 0, 1, 2 ... up to its middle.

    The coefficients of the Gaussian binomial (more + fewer over fewer), as Mann and Whitney's
    recursion gives them.
    """
    length = fewer * more // 2 + 1
    orders = [1] + [0] * (length - 1)
    for factor in range(1, fewer + 1):
        for place in range(length - 1, more + factor - 1, -1):
            orders[place] -= orders[place - more - factor]
        for place in range(factor, length):
            orders[place] += orders[place - factor]
    return orders


# -- The differences of these ranks --------------------------------------------------------------


def differences_at(
    before: Sequence[float], after: Sequence[float], ranks: Sequence[int]
) -> list[float]:
    """The differences after - before of these ranks, 1 being the smallest; both sides sorted."""
    weights = Counter(before), Counter(after)  # equal values are one, with a weight
    if len(weights[0]) * len(weights[1]) <= LISTED:
        return _listed(*weights, ranks)
    few = sorted(high - low for high in _thinned(after) for low in _thinned(before))
    whole = _whole_bracket(before, after)
    return [_difference_at(_first_bracket(whole, few, rank), rank) for rank in ranks]


def _listed(
    before: Mapping[float, int], after: Mapping[float, int], ranks: Sequence[int]
) -> list[float]:
    weighed = sorted(
        (high - low, often * also) for high, often in after.items() for low, also in before.items()
    )
    up_to = list(accumulate(weight for _, weight in weighed))
    return [weighed[bisect_left(up_to, rank)][0] for rank in ranks]


def _difference_at(bracket: _Bracket, rank: int) -> float:
    """Narrow a bracket around it until the differences within can be listed."""
    while bracket.within > LISTED:
        pairs_before = bracket.within
        for aim in (rank - LISTED // 4, rank + LISTED // 4):
            bracket = bracket.narrowed(bracket.guess(aim), rank)
        if bracket.within > pairs_before / 4:  # heaps of equal differences defeat guessing
            bracket = bracket.narrowed((bracket.low + bracket.high) / 2, rank)
        if math.nextafter(bracket.low, bracket.high) >= bracket.high:
            return bracket.high  # neighbouring floats: all that are within are the same
    return bracket.listed()[rank - bracket.up_to_low - 1]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bracket:
    """The wanted difference is above ``low`` and at most ``high``; how many are up to each."""

    before: Sequence[float]
    after: Sequence[float]
    low: float
    high: float
    up_to_low: int
    up_to_high: int

    @property
    def within(self) -> int:
        return self.up_to_high - self.up_to_low

    def listed(self) -> list[float]:
        """All that are within, sorted."""
        starts = _places(self.before, self.after, self.high)
        ends = _places(self.before, self.after, self.low)
        return sorted(
            value - other
            for value, start, end in zip(self.after, starts, ends, strict=True)
            if start < end
            for other in self.before[start:end]
        )

    def guess(self, aim: int) -> float:
        """About where the difference of this rank is, were they spread evenly."""
        share = min(max((aim - self.up_to_low) / max(self.within, 1), 0.0), 1.0)
        return self.low + (self.high - self.low) * share

    def narrowed(self, probe: float, rank: int) -> _Bracket:
        """The part of it, below or above the probe, that has this rank."""
        if not self.low < probe < self.high:
            return self
        counted = _count(self.before, self.after, probe)
        if counted >= rank:
            return replace(self, high=probe, up_to_high=counted)
        return replace(self, low=probe, up_to_low=counted)


def _count(before: Sequence[float], after: Sequence[float], bound: float) -> int:
    """How many differences are up to this bound."""
    return len(before) * len(after) - sum(_places(before, after, bound))


def _places(before: Sequence[float], after: Sequence[float], bound: float) -> Iterator[int]:
    """For each value after: from which place on the differences from it are up to this bound."""
    return map(bisect_left, repeat(before), [value - bound for value in after])


_THINNED = 300
_MARGIN = 0.005  # of all differences: what thinning may be wrong by


def _whole_bracket(before: Sequence[float], after: Sequence[float]) -> _Bracket:
    least, most = after[0] - before[-1], after[-1] - before[0]
    greatest = max(map(abs, (before[0], before[-1], after[0], after[-1])))
    room = (most - least) * 1e-9 + math.ulp(greatest) * 4  # rounding must not leave one out
    return _Bracket(
        before=before,
        after=after,
        low=least - room,
        high=most + room,
        up_to_low=0,
        up_to_high=len(before) * len(after),
    )


def _first_bracket(whole: _Bracket, few: Sequence[float], rank: int) -> _Bracket:
    """Narrowed to where it is among the differences of a few hundred of each side's values."""
    share_up_to = rank / whole.within
    for share in (share_up_to - _MARGIN, share_up_to + _MARGIN):
        place = math.floor(share * len(few))
        if 0 <= place < len(few):
            whole = whole.narrowed(few[place], rank)
    return whole


def _thinned(values: Sequence[float]) -> list[float]:
    if len(values) <= _THINNED:
        return list(values)
    return [values[(2 * i + 1) * len(values) // (2 * _THINNED)] for i in range(_THINNED)]


# -- Counts, which tie ---------------------------------------------------------------------------


def lies_above(before: Sequence[int], after: Sequence[int]) -> float:
    """How probable so high an ``after`` would be by chance, if both were the same (one-sided).

    Mann and Whitney's test in the normal approximation, corrected for ties and for continuity.
    """
    fewer, more = len(before), len(after)
    size = fewer + more
    ordered = sorted(before)
    wins = sum(bisect_left(ordered, v) + bisect_right(ordered, v) for v in after) / 2
    ties = sum(t**3 - t for t in Counter([*before, *after]).values())
    spread = math.sqrt(fewer * more / 12 * (size + 1 - ties / (size * (size - 1))))
    if not spread:
        return 1.0
    return 1 - NormalDist().cdf((wins - fewer * more / 2 - 0.5) / spread)
