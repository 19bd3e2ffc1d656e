"""Shifts between two samples and their intervals, against scipy's and numpy's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu
from tests.marks import complete

from keptalive.records.run import Interval
from keptalive.stats import two_sample as shifts
from keptalive.stats.two_sample import differences_at, lies_above, lower_rank, shift_interval

VALUES = st.lists(st.integers(-50, 50).map(float), min_size=1, max_size=12)


def rejected(before: np.ndarray, after: np.ndarray, shift: float) -> bool:
    """Whether scipy's exact test says, at 5 %, that the shift is not this one."""
    return mannwhitneyu(after - shift, before, method="exact").pvalue <= 0.05


@pytest.mark.parametrize("samples", [100, complete(1_000)])
def test_the_interval_ends_where_scipys_exact_test_begins_to_reject(samples):
    random = np.random.default_rng(20)
    for _ in range(samples):
        before = random.lognormal(size=random.integers(4, 31))
        after = random.lognormal(mean=random.normal(), size=random.integers(4, 31))
        interval = shift_interval(before.tolist(), after.tolist())
        differences = np.subtract.outer(after, before).ravel()
        step = np.diff(np.unique(differences)).min() / 4
        assert interval.median == pytest.approx(np.median(differences))
        ends = [
            [rejected(before, after, end + side) for side in (-step, step)]
            for end in (interval.low, interval.high)
        ]
        assert ends == [[True, False], [False, True]]


def test_where_scipys_exact_test_can_never_reject_there_are_no_bounds():
    assert mannwhitneyu([4, 5, 6, 7], [1, 2, 3], method="exact").pvalue > 0.05
    assert shift_interval([1, 2, 3], [4, 5, 6, 7]) == Interval(median=3.5)


def test_the_normal_approximation_takes_over_where_the_exact_rank_is_all_but_its_own(monkeypatch):
    exact = lower_rank(40, 50, 0.95)
    lower_rank.cache_clear()
    monkeypatch.setattr(shifts, "EXACT_WORK", 0)
    approximate = lower_rank(40, 50, 0.95)
    lower_rank.cache_clear()
    assert exact == pytest.approx(approximate, abs=1)


@given(VALUES, VALUES, st.booleans())
def test_the_narrowing_search_finds_what_a_list_of_all_differences_has(before, after, few):
    listed = sorted(b - a for b in after for a in before)
    ranks = range(1, len(listed) + 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shifts, "LISTED", 4 if few else 0)
        found = differences_at(sorted(before), sorted(after), ranks)
    assert found == pytest.approx(listed)


def test_the_narrowing_search_is_exact_on_many_real_numbers():
    random = np.random.default_rng(3)
    before, after = (np.sort(random.lognormal(size=size)) for size in (700, 900))
    listed = np.sort(np.subtract.outer(after, before).ravel())
    ranks = [1, 2, 1_000, 300_000, 629_999, 630_000]
    found = differences_at(before.tolist(), after.tolist(), ranks)
    assert found == pytest.approx([listed[rank - 1] for rank in ranks], rel=1e-12)


@pytest.mark.parametrize(
    ("number", "digits"),
    [(10_000, 2), complete(100_000, 1), complete(100_000, 2), complete(100_000, 12)],
)
def test_many_values_a_side_give_the_shift_that_was_put_in(number, digits):
    random = np.random.default_rng(7)
    before = random.normal(size=number).round(digits)
    after = (random.normal(size=number) + 0.5).round(digits)
    interval = shift_interval(before.tolist(), after.tolist())
    assert interval.low <= interval.median <= interval.high
    assert interval.median == pytest.approx(0.5, abs=0.05)
    # as wide as that of the mean of normal values, 2 * 1.96 * sqrt(2 / n), and 2 % more
    assert interval.high - interval.low < 5.8 / number**0.5 + 10**-digits


@given(VALUES, VALUES)
def test_the_other_way_round_the_shift_is_the_opposite(before, after):
    there, back = shift_interval(before, after), shift_interval(after, before)
    assert there.median == -back.median
    assert (there.low is None) == (back.low is None)
    if there.low is not None:
        assert (there.low, there.high) == (-back.high, -back.low)


@pytest.mark.parametrize(("before", "after"), [([], [1.0]), ([1.0], [])])
def test_a_side_without_values_is_an_error(before, after):
    with pytest.raises(ValueError, match="at least one value on each side"):
        shift_interval(before, after)


COUNTS = st.lists(st.integers(0, 4), min_size=1, max_size=30)


@given(COUNTS, COUNTS)
def test_how_clearly_counts_lie_above_others_is_scipys_with_ties(before, after):
    expected = 1.0
    if len({*before, *after}) > 1:
        expected = mannwhitneyu(after, before, alternative="greater", method="asymptotic").pvalue
    assert lies_above(before, after) == pytest.approx(expected)
