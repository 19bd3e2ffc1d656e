"""Processes that were killed: what is known of them is a lower bound, and said to be one."""

from __future__ import annotations

from dataclasses import replace

from tests.causes.records import HOST, opened, process, reported

from keptalive.records.connection import CloseReason, Connection
from keptalive.records.process import ProcessRecord
from keptalive.records.report import Range
from keptalive.render import report_sentences


def killed(*connections: Connection, number: int = 1) -> ProcessRecord:
    return replace(process(*connections, number=number), is_whole=False)


CLOSED = [opened(n, how=CloseReason.POOL_CLOSED, ended_s=n + 0.5) for n in (1, 2)]


def test_a_killed_process_makes_the_numbers_of_its_route_lower_bounds():
    (host,) = reported(killed(*CLOSED, opened(3)), process(opened(1), number=2)).hosts
    assert (host.is_lower_bound, host.opened, host.perfect) == (True, 4, Range(least=2, most=2))
    assert report_sentences.numbers(host) == (
        "at least 4 requests, at least 4 connections, at least 2 would be enough"
    )


def test_a_route_that_no_killed_process_used_has_numbers_that_are_certain():
    other = replace(opened(1), host="https://other.test:443")
    record = process(other, number=2, host="https://other.test:443")
    certain = {h.host: h.is_lower_bound for h in reported(killed(opened(1)), record).hosts}
    assert certain == {HOST: True, "https://other.test:443": False}


def test_what_was_open_when_it_was_killed_may_have_been_used_at_once():
    (host,) = reported(killed(*CLOSED, *(opened(n) for n in (3, 4, 5)))).hosts
    assert (host.opened, host.perfect) == (5, Range(least=1, most=3))
    assert report_sentences.numbers(host) == (
        "at least 5 requests, at least 5 connections, 1 to 3 would be enough"
    )
    # of what could be saved, only that is said which is certain: 2 of 4 avoidable ones
    assert host.seconds_saved == 0.2


def test_a_process_that_reported_its_end_has_no_range():
    (host,) = reported(process(*CLOSED, *(opened(n) for n in (3, 4, 5)))).hosts
    assert (host.is_lower_bound, host.perfect) == (False, Range(least=1, most=1))
