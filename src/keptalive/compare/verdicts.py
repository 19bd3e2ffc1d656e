"""Two results -> a verdict for each measure of each strategy in each scenario. Pure.

Counts are compared exactly, per trial. Times are compared as each strategy's ratio to the reference
strategy of its own result, paired within a round, so that what a machine does to both does not
show. The change from one result's ratios to the other's comes with an interval. It does not assume
normal data, but that both sides' ratios are spread alike; what differs from one result to another,
rather than from round to round, is not in it.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from keptalive.bench.summary import (
    MINIMUM_ROUNDS,
    requests_per_second,
    seconds_per_request,
    sorted_like,
)
from keptalive.compare.sides import NEW, Key, Side, why_no_time, why_not
from keptalive.records.run import Interval, Run
from keptalive.stats.two_sample import lies_above, shift_interval

COUNTS = ("opened", "reopened", "attempts")
TIME = "time"
MEASURES = (*COUNTS, TIME)
THROUGHPUT = "throughput"  # requests a second: of several threads, beside the time
CPU = "cpu"
OF_THREADS = (THROUGHPUT, CPU)
TIMED = (TIME, *OF_THREADS)

WORSE = "worse"
BETTER = "better"
SAME = "same"
NOT_SHOWN = "~"
NOT_COMPARABLE = "not comparable"

THRESHOLD = 0.1
BY_CHANCE = 0.025  # as probable may it be that one side of a 95 % interval errs


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One measure of one strategy in one scenario, on both sides.

    Counts are per trial (the mean, where trials differ) and ``change`` is their difference. Times
    are ratios to the reference strategy, or seconds per request, and ``change`` is relative: 0.1 is
    10 % more; likewise throughput and CPU time. ``varies`` says that a count is not the same in all
    trials of a side. ``reason`` says why a row is not comparable.
    """

    scenario: str
    strategy: str
    measure: str
    baseline: float | None = None
    candidate: float | None = None
    change: Interval | None = None
    verdict: str = NOT_COMPARABLE
    varies: bool = False
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """What counts as a regression: these measures, a time only beyond its threshold."""

    measures: frozenset[str] = frozenset(MEASURES)
    threshold: float = THRESHOLD

    @property
    def reports_only(self) -> bool:
        """Whether nothing is guarded: whatever is found is reported, and fails nothing."""
        return not self.measures


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All rows, in the order in which the results name scenarios and strategies."""

    rows: tuple[Row, ...]
    guard: Guard
    absolute: bool
    reference: str

    @property
    def regressions(self) -> tuple[Row, ...]:
        """The rows that are worse and guarded."""
        return tuple(
            row for row in self.rows if row.verdict == WORSE and row.measure in self.guard.measures
        )

    @property
    def unjudged(self) -> tuple[Row, ...]:
        """The guarded rows of the baseline that could not be compared."""
        return tuple(
            row
            for row in self.rows
            if row.verdict == NOT_COMPARABLE
            and row.measure in self.guard.measures
            and row.reason != NEW
        )


def compare(
    baseline: Run, candidate: Run, *, guard: Guard | None = None, absolute: bool = False
) -> Comparison:
    """The verdicts. ``absolute`` compares seconds per request, of the reference strategy too."""
    guard = guard or Guard()
    sides = Side(baseline, absolute), Side(candidate, absolute)
    keys = dict.fromkeys([*sides[0].trials, *sides[1].trials])
    keys_in_order = sorted_like([*baseline.trials, *candidate.trials], keys)
    rows: list[Row] = []
    for scenario in dict.fromkeys(scenario for scenario, _ in keys_in_order):
        for key in keys_in_order:
            if key[0] == scenario:
                rows += _rows(key, *sides, guard)
    return Comparison(
        rows=tuple(rows), guard=guard, absolute=absolute, reference=sides[1].reference
    )


def _rows(key: Key, before: Side, after: Side, guard: Guard) -> Iterable[Row]:
    reason = why_not(key, before, after)
    for count in COUNTS:
        known = {value is not None for side in (before, after) for value in side.counts(key, count)}
        if known != {False}:  # without a log there is no such count
            yield _count_row(key, count, before, after, reason)
    if before.absolute or key[1] not in (before.reference, after.reference):
        measures = TIMED if before.threads > 1 and after.threads > 1 else (TIME,)
        for measure in measures:
            yield _timed_row(key, measure, before, after, guard, reason)


# -- Counts --------------------------------------------------------------------------------------


def _count_row(key: Key, count: str, before: Side, after: Side, reason: str | None) -> Row:
    sides = [side.counts(key, count) for side in (before, after)]
    known = [[value for value in counts if value is not None] for counts in sides]
    means = [statistics.fmean(counts) if counts else None for counts in known]
    unknown = None if known == sides else f"{count} is not counted on both sides"
    row = Row(
        scenario=key[0],
        strategy=key[1],
        measure=count,
        baseline=means[0],
        candidate=means[1],
        reason=reason or unknown,
    )
    if row.reason is not None:
        return row
    change, verdict, varies = judge_counts(*known)
    if verdict == NOT_COMPARABLE:
        rounds = " and ".join(str(len(counts)) for counts in known)
        reason = f"too few rounds ({rounds}) where trials differ; {MINIMUM_ROUNDS} are enough"
    return replace(
        row, change=Interval(median=change), verdict=verdict, varies=varies, reason=reason
    )


def judge_counts(before: Sequence[int], after: Sequence[int]) -> tuple[float, str, bool]:
    """The change per trial, its verdict, and whether the trials of a side differ.

    Where they do not, any change is one. Where they do, it is one if every trial of a side lies
    above every trial of the other, however few they are. Else a change is shown if both hold: the
    median of the differences between the sides is at least one, and so clear an order of their
    trials would come by chance in at most 2.5 % of cases. The first keeps a rare straggler from
    being called a shift, the second a few trials. So few that not even the clearest order would be
    as rare are not comparable.
    """
    varies = len({*before}) > 1 or len({*after}) > 1
    change = shift_interval(before, after).median
    if min(after) > max(before):
        return change, WORSE, varies
    if max(after) < min(before):
        return change, BETTER, varies
    if not varies:
        return change, SAME, False
    if change >= 1 and lies_above(before, after) <= BY_CHANCE:
        return change, WORSE, True
    if change <= -1 and lies_above(after, before) <= BY_CHANCE:
        return change, BETTER, True
    clearest = 1 / math.comb(len(before) + len(after), len(before))
    return change, NOT_SHOWN if clearest <= BY_CHANCE else NOT_COMPARABLE, True


# -- Times ---------------------------------------------------------------------------------------


def _timed_row(
    key: Key, measure: str, before: Side, after: Side, guard: Guard, reason: str | None
) -> Row:
    sides = [
        side.timed(key, VALUES[measure]) if key in side.trials else [] for side in (before, after)
    ]
    medians = [statistics.median(values) if values else None for values in sides]
    row = Row(
        scenario=key[0],
        strategy=key[1],
        measure=measure,
        baseline=medians[0],
        candidate=medians[1],
        reason=reason or why_no_time(key, before, after, [len(values) for values in sides]),
    )
    if row.reason is not None:
        return row
    change = relative_change(*sides)
    verdict = judge_time(change, guard.threshold)
    if measure == THROUGHPUT:
        verdict = _OTHER_WAY.get(verdict, verdict)
    return replace(row, change=change, verdict=verdict)


VALUES = {
    TIME: seconds_per_request,
    THROUGHPUT: requests_per_second,
    CPU: lambda trial: trial.cpu_seconds / trial.requests,
}
_OTHER_WAY = {WORSE: BETTER, BETTER: WORSE}


def relative_change(before: Sequence[float], after: Sequence[float]) -> Interval:
    """How much more ``after`` is than ``before``, 0.1 being 10 %: the shift of their logarithms."""
    shift = shift_interval([math.log(v) for v in before], [math.log(v) for v in after])
    low, high = (None if b is None else math.expm1(b) for b in (shift.low, shift.high))
    return Interval(median=math.expm1(shift.median), low=low, high=high)


def judge_time(change: Interval, threshold: float) -> str:
    """Worse or better only if the whole interval lies beyond the threshold; same if within."""
    if change.low is None or change.high is None:
        return NOT_SHOWN
    least = 1 / (1 + threshold) - 1  # as far the other way
    if change.low > threshold:
        return WORSE
    if change.high < least:
        return BETTER
    return SAME if least <= change.low and change.high <= threshold else NOT_SHOWN
