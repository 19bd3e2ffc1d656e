"""One route, before and after: when more connections are a regression."""

from __future__ import annotations

from random import Random

import pytest
from tests.reports import cause

from keptalive.compare.counted import Counted
from keptalive.compare.route_verdicts import (
    EXACT,
    INTERVAL,
    PER_REQUEST,
    judge,
)
from keptalive.compare.verdicts import BETTER, NOT_SHOWN, SAME, WORSE
from keptalive.records.report import Range


def route(opened: int, requests: int = 100, *, perfect: int = 1, **more) -> Counted:
    """A route of which this many connections were opened; the cause of the rest, or ``causes``."""
    causes = more.pop("causes", {"new-session": opened - perfect})
    return Counted(
        requests=requests,
        attempts=more.pop("attempts", requests),
        opened=opened,
        reused=more.pop("reused", requests - opened),
        perfect=Range(least=perfect, most=perfect),
        at_once=more.pop("at_once", 1),
        processes=more.pop("processes", 1),
        causes=tuple(cause(name, count) for name, count in causes.items() if count),
        **more,
    )


def verdict(before: Counted, after: Counted, measure: str = "opened") -> tuple[str, str]:
    judged = judge([before], [after], measure)
    return judged.verdict, judged.basis


# -- The same number of requests -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "expected"), [(1, 1, SAME), (1, 2, WORSE), (2, 1, BETTER), (1, 100, WORSE)]
)
def test_with_the_same_requests_one_connection_more_is_a_regression(before, after, expected):
    assert verdict(route(before), route(after)) == (expected, EXACT)


def test_retries_are_compared_exactly_too():
    assert verdict(route(1), route(1, attempts=103), "attempts") == (WORSE, EXACT)
    assert judge([route(1)], [route(1, attempts=103)], "attempts").change.median == 3


def test_several_processes_that_send_one_request_after_another_are_compared_exactly():
    four = {"perfect": 4, "processes": 4, "at_once": 1, "causes": {"first-use": 4}}
    assert verdict(route(4, **four), route(5, **four)) == (WORSE, EXACT)


def test_another_number_of_processes_may_be_chance():
    three = route(3, perfect=3, processes=3, causes={"first-use": 3})
    four = route(4, perfect=4, processes=4, causes={"first-use": 4})
    assert verdict(three, four) == (NOT_SHOWN, EXACT)
    assert verdict(three, route(40, perfect=4, processes=4)) == (WORSE, EXACT)


def test_of_a_process_that_was_killed_connections_are_compared_and_requests_are_not():
    killed = route(1, requests=40, is_lower_bound=True)
    assert verdict(route(1), killed) == (SAME, EXACT)
    assert verdict(route(1), killed, "attempts") == (NOT_SHOWN, EXACT)
    assert verdict(route(1), route(9, requests=40, is_lower_bound=True)) == (WORSE, EXACT)


# -- Requests at once ----------------------------------------------------------------------------

ALL_NECESSARY = {"first-use": 1, "concurrency": 7}


def test_where_requests_run_at_once_as_many_connections_may_be_chance():
    before = route(6, perfect=6, at_once=6, causes={"first-use": 1, "concurrency": 5})
    after = route(8, perfect=8, at_once=8, causes=ALL_NECESSARY)
    assert verdict(before, after) == (NOT_SHOWN, EXACT)
    assert verdict(after, before) == (NOT_SHOWN, EXACT)
    assert verdict(after, after) == (SAME, EXACT)


def test_where_requests_run_at_once_many_more_connections_are_a_regression():
    before = route(8, perfect=8, at_once=8, causes=ALL_NECESSARY)
    after = route(100, perfect=8, at_once=8, causes={**ALL_NECESSARY, "new-session": 92})
    assert verdict(before, after) == (WORSE, EXACT)
    assert verdict(after, before) == (BETTER, EXACT)


def test_a_full_pool_discards_another_number_each_time():
    def full(discarded: int) -> Counted:
        causes = {**ALL_NECESSARY, "pool-too-small": discarded}
        return route(8 + discarded, perfect=8, at_once=8, causes=causes)

    assert verdict(full(20), full(31)) == (NOT_SHOWN, EXACT)
    assert verdict(full(20), full(80)) == (WORSE, EXACT)
    assert verdict(full(2), full(17)) == (NOT_SHOWN, EXACT)
    assert verdict(full(40), full(90)) == (NOT_SHOWN, EXACT)
    assert verdict(full(0), full(25)) == (WORSE, EXACT)


def test_of_a_log_what_may_have_run_at_once_counts_as_doubtful():
    members = ("concurrency", "unread-body")

    def of_log(busy: int) -> Counted:
        causes = (cause("no-free-connection", busy, members=members),)
        counts = {"requests": 100, "attempts": 100, "opened": 1 + busy, "reused": 99 - busy}
        return Counted(**counts, perfect=Range(least=1, most=1 + busy), at_once=1, causes=causes)

    assert verdict(of_log(3), of_log(5)) == (NOT_SHOWN, EXACT)
    assert verdict(of_log(3), of_log(20)) == (WORSE, EXACT)


def test_requests_in_flight_may_open_as_many_connections_more():
    assert verdict(route(2, in_flight=1), route(3)) == (NOT_SHOWN, EXACT)
    assert verdict(route(2, in_flight=1), route(4)) == (WORSE, EXACT)
    assert verdict(route(1, attempts=101, in_flight=1), route(1), "attempts") == (NOT_SHOWN, EXACT)


# -- Other numbers of requests -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ((1, 6), (1, 12), SAME),
        ((1, 12), (1, 6), SAME),
        ((6, 6), (12, 12), SAME),
        ((12, 12), (6, 6), SAME),
        ((1, 6), (12, 12), WORSE),
        ((1, 6), (2, 7), WORSE),
        ((2, 7), (1, 6), BETTER),
        ((12, 12), (1, 6), BETTER),
        ((6, 60), (7, 66), SAME),
        ((6, 60), (60, 66), WORSE),
    ],
)
def test_with_other_requests_what_is_not_necessary_is_compared_per_request(before, after, expected):
    assert verdict(route(*before), route(*after)) == (expected, PER_REQUEST)


def test_what_happens_once_in_so_many_requests_may_begin_with_more_requests():
    """A server that closes after 100 requests, asked 50 times, then 150 times."""
    few = route(1, requests=50, causes={"first-use": 1})
    more = route(2, requests=150, causes={"first-use": 1, "request-limit": 1})
    assert verdict(few, more)[0] in (SAME, NOT_SHOWN)
    assert verdict(more, few)[0] in (SAME, NOT_SHOWN)


@pytest.mark.parametrize("limit", [3, 7, 10, 33, 100])
def test_a_limit_of_the_server_is_never_called_a_change_of_the_program(limit):
    for asked, again in ((10, 100), (95, 100), (100, 95), (5, 1000), (1000, 5), (99, 301)):
        sides = [
            route(1 + (n - 1) // limit, n, causes={"request-limit": (n - 1) // limit})
            for n in (asked, again)
        ]
        assert verdict(*sides)[0] not in (WORSE, BETTER), (asked, again)


def test_more_requests_by_more_threads_are_no_change():
    alone = route(1, requests=6)
    together = route(8, 200, perfect=8, at_once=8, causes=ALL_NECESSARY)
    assert verdict(alone, together) == (SAME, PER_REQUEST)


def test_that_one_request_used_no_kept_connection_proves_nothing():
    assert verdict(route(1, requests=1), route(2, requests=2))[0] == NOT_SHOWN


def test_requests_that_failed_do_not_count_as_requests():
    half = Counted(requests=100, attempts=100, opened=50, reused=0, perfect=Range(least=1, most=1))
    assert half.answered == 50
    assert judge([route(100)], [half], "opened").basis == PER_REQUEST


# -- Several reports -----------------------------------------------------------------------------


def threads(random: Random, count: int, **more) -> list[Counted]:
    """Reports of a program with up to eight requests at once."""
    sides = []
    for _ in range(count):
        most = random.randint(5, 8)
        sides.append(route(most + more.get("plus", 0), perfect=most, at_once=most, causes={}))
    return sides


def test_several_reports_show_a_change_that_one_of_each_side_does_not():
    random = Random(1)
    before, after = threads(random, 10), threads(random, 10, plus=4)
    judged = judge(before, after, "opened")
    assert (judged.verdict, judged.basis, judged.varies) == (WORSE, INTERVAL, True)
    assert judged.change.low is not None
    assert 1 <= judged.change.low <= judged.change.median <= judged.change.high <= 7
    assert judge(before[:1], after[:1], "opened").verdict == NOT_SHOWN


@pytest.mark.parametrize("count", [1, 2, 3, 5, 10])
def test_the_same_program_against_itself_is_never_worse(count):
    random = Random(2)
    verdicts = [
        judge(threads(random, count), threads(random, count), "opened").verdict for _ in range(200)
    ]
    assert verdicts.count(WORSE) <= (0 if count < 4 else 4)


def test_several_reports_that_are_alike_are_compared_exactly():
    judged = judge([route(1)] * 5, [route(2)] * 5, "opened")
    assert (judged.verdict, judged.basis, judged.varies) == (WORSE, EXACT, False)


def test_few_reports_show_a_change_only_if_each_pair_does():
    assert judge([route(1), route(2)], [route(3)], "opened").verdict == WORSE
    assert judge([route(1), route(3)], [route(2)], "opened").verdict == NOT_SHOWN
    assert judge([route(1)], [route(1), route(1)], "opened").verdict == SAME


def test_several_reports_with_other_requests_are_compared_per_request():
    before = [route(1, requests=n) for n in (90, 95, 100, 105)]
    worse = [route(n // 2, requests=n) for n in (180, 190, 200, 210)]
    assert judge(before, worse, "opened").verdict == WORSE
    assert judge(before, worse, "opened").basis == PER_REQUEST
    alike = [route(1, requests=n) for n in (180, 190, 200, 210)]
    assert judge(before, alike, "opened").verdict == SAME
