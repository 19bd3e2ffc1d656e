"""One route on both sides -> a verdict for each count of connections and requests. Pure.

With the same number of requests on both sides, counts are compared exactly. Else they are compared
per request, without what perfect reuse would have opened too. One report of a program in which
requests run at once does not show how much its counts vary: then a change is one only if it is
larger than what the order of events can explain. Several such reports show it.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

from keptalive.compare.counted import Counted
from keptalive.compare.verdicts import (
    BETTER,
    BY_CHANCE,
    NOT_SHOWN,
    SAME,
    WORSE,
    judge_counts,
)
from keptalive.records.run import Interval
from keptalive.stats.two_sample import shift_interval

EXACT = "exact"
PER_REQUEST = "per request"
INTERVAL = "interval"

Side = Sequence[Counted]  # of each report of a side, never empty


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What became of one count.

    Attributes:
        change: candidate less baseline: a number, or per request.
        basis: how it was compared: `EXACT`, `PER_REQUEST` or `INTERVAL`.
        varies: it is not the same in all reports of a side.
    """

    change: Interval
    verdict: str
    basis: str
    varies: bool = False


def judge(before: Side, after: Side, measure: str) -> Judged:
    """The verdict on ``opened``, ``reopened`` or ``attempts``, which every report knows."""
    both = (*before, *after)
    if any(one.is_lower_bound for one in both):
        # how many requests there were is not known; each connection was noted when it answered
        judged = _of_few(before, after, measure, exact=True)
        return judged if measure != "attempts" else replace(judged, verdict=NOT_SHOWN)
    alike = len({one.answered for one in both}) == 1
    few = math.comb(len(before) + len(after), len(before)) * BY_CHANCE < 1
    if few:
        return _of_few(before, after, measure, exact=alike)
    return _of_many(before, after, measure, exact=alike)


def value(one: Counted, measure: str) -> int:
    """This count."""
    number: int = getattr(one, measure)
    return number


# -- Several reports of each side ----------------------------------------------------------------


def _of_many(before: Side, after: Side, measure: str, *, exact: bool) -> Judged:
    if exact:
        values = [[value(one, measure) for one in side] for side in (before, after)]
        _, verdict, varies = judge_counts(*values)
        basis = INTERVAL if varies else EXACT
        return Judged(change=_shift(*values), verdict=verdict, basis=basis, varies=varies)
    rates = [[_rate(one, measure) for one in side] for side in (before, after)]
    typical = statistics.median(_base(one, measure) for one in after)
    scaled = [[round(rate * typical) for rate in side] for side in rates]
    _, verdict, varies = judge_counts(*scaled)
    return Judged(change=_shift(*rates), verdict=verdict, basis=PER_REQUEST, varies=varies)


def _shift(before: Sequence[float], after: Sequence[float]) -> Interval:
    shift = shift_interval(before, after)
    return Interval(median=shift.median) if len({*before, *after}) == 1 else shift


# -- So few that they are compared one by one ----------------------------------------------------


def _of_few(before: Side, after: Side, measure: str, *, exact: bool) -> Judged:
    """A change is one if each report of a side differs from each of the other in the same way."""
    pair = _exactly if exact else _per_request
    verdicts = {pair(old, new, measure) for old, new in product(before, after)}
    measured = value if exact else _rate
    values = [[float(measured(one, measure)) for one in side] for side in (before, after)]
    return Judged(
        change=Interval(median=shift_interval(values[0], values[1]).median),
        verdict=verdicts.pop() if len(verdicts) == 1 else NOT_SHOWN,
        basis=EXACT if exact else PER_REQUEST,
        varies=any(len(set(side)) > 1 for side in values),
    )


def _exactly(old: Counted, new: Counted, measure: str) -> str:
    change = value(new, measure) - value(old, measure)
    unsure = uncertainty(old, new, measure)
    if change > unsure:
        return WORSE
    if change < -unsure:
        return BETTER
    return NOT_SHOWN if change else SAME


def _per_request(old: Counted, new: Counted, measure: str) -> str:
    """By what perfect reuse would not have opened, for each other request.

    What happens once in so many requests is counted with an error of up to one on each side: once
    in ten, of 15 requests, is one or two. A cause of the program's that came leaves no doubt.
    """
    unsure = uncertainty(old, new, measure)
    extra, more = _extra(old, measure), _extra(new, measure)
    ratio = _base(new, measure) / _base(old, measure)
    if more >= (extra + 1) * ratio + 1 + unsure or _came(old, new, measure) > unsure:
        return WORSE
    if more <= (extra - 1) * ratio - 1 - unsure or _came(new, old, measure) > unsure:
        return BETTER
    return SAME if abs(more - extra * ratio) < 1 else NOT_SHOWN


def _rate(one: Counted, measure: str) -> float:
    return _extra(one, measure) / _base(one, measure)


def _extra(one: Counted, measure: str) -> int:
    if measure == "opened":
        return one.excess
    if measure == "attempts":
        return max((one.attempts or 0) - (one.requests or 0), 0)
    return value(one, measure)


def _base(one: Counted, measure: str) -> int:
    """The requests that could have used a kept connection; of other counts, all of them."""
    necessary = one.perfect.least if measure == "opened" else 0
    return max((one.answered or 0) - necessary, 1)


def _came(old: Counted, new: Counted, measure: str) -> int:
    """Connections of causes that the program decides, and that the other side has not at all.

    That no request of it was on a kept connection proves nothing.
    """
    if measure != "opened" or not old.reused:
        return 0
    known = {name for one in old.causes for name in (one.members or (one.cause,))}
    return sum(
        one.count
        for one in new.steady_causes
        if one.cause not in known and not known.intersection(one.members or ())
    )


# -- What one report of each side leaves open ----------------------------------------------------


def uncertainty(old: Counted, new: Counted, measure: str) -> int:
    """How large a difference of this count may be by chance, if each side has one report.

    As many as were still in flight. And if requests ran at once: as many as that, as processes
    more took part, and what may vary of the connections whose number depends on the order of
    events: as many as both sides have, and two standard deviations of such a count (Poisson's).
    """
    unsure = max(old.in_flight or 0, new.in_flight or 0)
    if measure == "attempts":
        return unsure
    processes = abs(old.processes - new.processes) if old.processes and new.processes else 0
    at_once = max(old.at_once, new.at_once)
    if at_once > 1:
        unsure += at_once
    if processes or old.may_be_at_once or new.may_be_at_once:
        fewer, most = sorted((old.unsteady, new.unsteady))
        unsure += processes + fewer + 2 * math.isqrt(most)
    return unsure
