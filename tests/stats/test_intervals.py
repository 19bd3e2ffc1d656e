"""Intervals and percentiles, against scipy's and numpy's."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import quantile_test

from keptalive.records.run import Interval
from keptalive.stats.intervals import is_narrow, median_interval, percentile

TIMES = st.lists(st.floats(1e-6, 1e3), min_size=1, max_size=200)


def test_the_interval_is_scipys_for_a_thousand_random_samples():
    random = np.random.default_rng(20)
    for _ in range(1_000):
        samples = random.lognormal(size=random.integers(1, 201)).tolist()
        low, high = quantile_test(samples).confidence_interval(0.95)
        expected = Interval(
            median=float(np.median(samples)),
            low=None if math.isnan(low) else low,
            high=None if math.isnan(high) else high,
        )
        assert expected == median_interval(samples)


@pytest.mark.parametrize("confidence", [0.8, 0.9, 0.99, 0.999])
def test_the_interval_is_scipys_at_other_confidences_and_every_size(confidence):
    for size in range(1, 201):
        samples = list(range(size))
        ours = median_interval(samples, confidence)
        theirs = quantile_test(samples).confidence_interval(confidence)
        expected = tuple(None if math.isnan(bound) else bound for bound in theirs)
        assert expected == (ours.low, ours.high), size


@pytest.mark.parametrize("size", range(1, 6))
def test_fewer_than_six_samples_have_no_bounds(size):
    assert Interval(median=1.0) == median_interval([1.0] * size)


def test_six_samples_are_bounded_by_the_least_and_the_greatest():
    assert Interval(median=3.5, low=1, high=6) == median_interval([6, 1, 5, 2, 4, 3])


def test_a_hundred_thousand_samples_neither_overflow_nor_lose_the_median():
    interval = median_interval(range(100_000))
    assert interval.median == 49_999.5
    assert interval.low < interval.median < interval.high


@given(TIMES)
def test_the_bounds_hold_the_median_and_the_order_of_samples_is_all_the_same(samples):
    interval = median_interval(samples)
    assert interval == median_interval(samples[::-1])
    if interval.low is not None:
        assert interval.low <= interval.median <= interval.high


@given(TIMES, st.floats(0, 1))
def test_the_percentile_is_numpys(samples, fraction):
    expected = pytest.approx(float(np.percentile(samples, fraction * 100)), rel=1e-9)
    assert expected == percentile(samples, fraction)


@pytest.mark.parametrize("of", [median_interval, lambda samples: percentile(samples, 0.95)])
def test_no_samples_are_an_error(of):
    with pytest.raises(ValueError, match="at least one sample"):
        of([])


@pytest.mark.parametrize(
    ("interval", "expected"),
    [
        (Interval(median=10, low=9.8, high=10.2), True),
        (Interval(median=10, low=9.5, high=10.0), False),  # exactly the width
        (Interval(median=10, low=9.0, high=11.0), False),
        (Interval(median=10, low=10, high=10), True),
        (Interval(median=10), False),
        (Interval(median=10, low=10), False),
        (Interval(median=10, high=10), False),
    ],
)
def test_an_interval_is_narrow_only_with_bounds_closer_than_the_width(interval, expected):
    assert expected == is_narrow(interval, 0.05)
