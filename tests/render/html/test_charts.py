"""The geometry of bars and distributions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.timelines import connection

from keptalive.render.html import charts


def test_parts_of_a_bar_stand_one_after_the_other_and_fill_it():
    parts = charts.stacked({"dns": 1.0, "connect": 0.0, "tls": 3.0})
    assert [(part.name, part.start, part.share) for part in parts] == [
        ("dns", 0.0, 25.0),
        ("tls", 25.0, 75.0),
    ]


def test_a_bar_may_be_a_part_of_a_longer_whole():
    (part,) = charts.stacked({"enough": 1.0}, whole=4.0)
    assert (part.start, part.share) == (0.0, 25.0)


def test_a_bar_of_nothing_has_no_parts():
    assert charts.stacked({"dns": 0.0}) == []


@pytest.mark.parametrize(("value", "shown"), [(0, "0%"), (1, "25%"), (9, "100%"), (-1, "0%")])
def test_a_length_is_a_share_of_the_width_and_never_more(value, shown):
    assert charts.percent(value, 4) == shown


def test_few_whole_numbers_have_a_column_each():
    bins = charts.distribution([1, 1, 3], whole=True)
    assert [(charts.in_numbers(one), one.count) for one in bins] == [("1", 2), ("2", 0), ("3", 1)]


def test_times_that_differ_much_have_columns_that_grow():
    bins = charts.distribution([0.01, 0.02, 10.0], whole=False)
    widths = [one.high - one.low for one in bins[1:]]
    assert widths == sorted(widths)
    assert widths[-1] > 10 * widths[0]


@given(
    st.lists(st.floats(min_value=0, max_value=1e9, allow_nan=False), min_size=1),
    st.booleans(),
)
def test_each_value_is_in_one_column(values, whole):
    values = [float(round(value)) for value in values] if whole else values
    bins = charts.distribution(values, whole=whole)
    assert len(bins) <= charts.MOST_BINS
    assert sum(one.count for one in bins) == len(values)
    assert max(one.share for one in bins) == 100


def test_a_connection_that_is_still_open_lasts_until_the_end():
    seen = [connection(1, 1.0, ended_s=3.0), connection(2, 4.0), connection(3, None)]
    assert charts.lifetimes(seen, 10.0) == [2.0, 6.0]
