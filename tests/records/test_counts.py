"""Counts of several processes become one: sums, and unknown where a part is."""

from __future__ import annotations

from keptalive.records.counts import FailedAddress, HostCounts, total


def test_the_counts_of_two_processes_add_up():
    one = HostCounts(host="h", requests=3, opened=1, reused=2, errors={"A": 1}, phases={"tls": 1.0})
    two = HostCounts(host="h", requests=4, opened=2, unanswered=2, errors={"A": 1, "B": 1})
    both = total([one, two])
    assert (both.requests, both.opened, both.reused, both.unanswered) == (7, 3, 2, 2)
    assert (both.attempts, both.errors, both.phases) == (7, {"A": 2, "B": 1}, {"tls": 1.0})


def test_the_most_at_once_is_a_sum_since_processes_cannot_share_and_the_longest_is_the_longest():
    both = total([HostCounts(most_at_once=2, longest_survived_s=5.0), HostCounts(most_at_once=3)])
    assert (both.most_at_once, both.longest_survived_s) == (5, 5.0)


def test_what_one_source_does_not_know_is_unknown_of_all():
    both = total([HostCounts(opened=None, discarded=4), HostCounts(opened=2)])
    assert (both.opened, both.attempts, both.discarded, both.begun) == (None, None, 4, None)


def test_failed_addresses_are_summed_by_address():
    seen = {"::1": FailedAddress(count=1, seconds=0.5, error="OSError")}
    both = total([HostCounts(failed_addresses=seen), HostCounts(failed_addresses=seen)])
    assert both.failed_addresses == {"::1": FailedAddress(count=2, seconds=1.0, error="OSError")}
    assert seen["::1"].count == 1


def test_no_count_is_lost_where_there_is_only_one():
    one = HostCounts(
        host="h", via="p", origins=["o"], opened=2, pool_size=10, leaked_headers={"x": 1}
    )
    assert total([one]) == one
