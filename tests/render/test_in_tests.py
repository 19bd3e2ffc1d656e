from __future__ import annotations

import pytest
from tests.reports import FIRST_USE, cause, host

from keptalive.compare.limits import Limit
from keptalive.records.report import Cause, Report
from keptalive.render.in_tests import OfTest, busiest, refusal, totals


@pytest.fixture(autouse=True)
def _meanings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Words for causes that do not change with the catalogue's."""
    words = {
        "idle-timeout": "the server closes idle connections",
        "unread-body": "a response was never read, so its connection never came back",
    }
    monkeypatch.setattr("keptalive.render.in_tests.meaning_of", lambda name, _facts: words[name])


def report(*opened: int, warnings: tuple[str, ...] = ()) -> Report:
    """Hosts a, b, c..., to each of which this many connections were opened, all for one reason."""
    routes = [
        host(f"http://{name}:80", *([cause("idle-timeout", number)] if number else []))
        for name, number in zip("abcdef", opened, strict=False)
    ]
    return Report(source="watch", hosts=tuple(routes), warnings=warnings)


@pytest.mark.parametrize(
    ("limit", "opened", "headline"),
    [
        (Limit(at_most=1), (2,), "opened 2 connections to http://a, at most 1 allowed"),
        (Limit(at_most=1), (1, 2), "opened 3 connections to 2 hosts, at most 1 allowed"),
        (Limit(exactly=1), (0,), "opened no connection, exactly 1 expected"),
        (
            Limit(at_most=1, per_host=True),
            (1, 3, 2),
            (
                "opened 3 connections to http://b, 2 connections to http://c, "
                "at most 1 per host allowed"
            ),
        ),
        (
            Limit(exactly=0, per_host=True),
            (1, 1, 1, 1, 1),
            (
                "opened 1 connection to http://a, 1 connection to http://b, "
                "1 connection to http://c, and to 2 more hosts, exactly 0 per host expected"
            ),
        ),
    ],
)
def test_the_first_line_says_how_many_went_where_and_how_many_are_allowed(limit, opened, headline):
    assert headline == refusal(limit, report(*opened)).splitlines()[0]


def test_a_limit_that_is_kept_is_not_refused():
    assert refusal(Limit(at_most=3), report(1, 2)) is None


def test_several_hosts_are_shown_one_by_one_and_warnings_come_last():
    shown = refusal(Limit(at_most=1), report(1, 2, warnings=("Something was " + "patched " * 14,)))
    assert shown.splitlines() == [
        "opened 3 connections to 2 hosts, at most 1 allowed",
        "http://a: 1 connection",
        "1 × idle-timeout: the server closes idle connections",
        "  Seen.",
        "  → Change this.",
        "http://b: 2 connections",
        "2 × idle-timeout: the server closes idle connections",
        "  Seen.",
        "  → Change this.",
        "! Something was patched patched patched patched patched patched patched",
        "  patched patched patched patched patched patched patched",
    ]


def test_a_tunnel_is_shown_with_its_proxy_and_unavoidable_causes_in_a_line():
    tunnel = host(
        "https://a:443",
        cause("unread-body", 2, cure="Read it. " * 12),
        Cause(cause="retry", count=0, unanswered=1, evidence="Not counted."),
        FIRST_USE,
        via="http://proxy:3128",
    )
    shown = refusal(Limit(at_most=1), Report(source="watch", hosts=(tunnel,)))
    assert shown.splitlines() == [
        "opened 3 connections to https://a via http://proxy:3128, at most 1 allowed",
        "2 × unread-body:",
        "  a response was never read, so its connection never came back",
        "  Seen.",
        "  → Read it. Read it. Read it. Read it. Read it. Read it. Read it. Read",
        "    it. Read it. Read it. Read it. Read it.",
        "1 × first-use (necessary)",
    ]


def test_the_tests_that_opened_most_come_first_with_what_would_be_enough():
    tests = {
        "test_b": OfTest(2, 1, 0, "new-session"),
        "test_a": OfTest(2, 2, 9, "first-use"),
        "test_c": OfTest(12, 1, 0, "tls-settings-differ"),
        "test_d": OfTest(0, 0, 5, ""),
    }
    assert busiest(tests, shown=0, width=80) == [
        "opened  enough  cause                test",
        "    12       1  tls-settings-differ  test_c",
        "     2       2  first-use            test_a",
        "     2       1  new-session          test_b",
    ]
    assert busiest(tests, shown=1, width=80)[1:] == ["    12       1  tls-settings-differ  test_c"]
    assert totals(tests) == (
        "4 tests: 16 connections opened, 4 would be enough; 14 responses on a kept one."
    )


def test_where_no_connection_could_be_saved_the_totals_do_not_speak_of_it():
    assert totals({"test_a": OfTest(1, 1, 9, "first-use")}) == (
        "1 test: 1 connection opened; 9 responses on a kept one."
    )
    assert totals({}) == "No test got a response through requests or urllib3."


def test_where_nothing_was_opened_there_is_no_table():
    assert busiest({"test_d": OfTest(0, 0, 5, "")}, shown=0, width=80) == []


def test_long_names_lose_their_beginning():
    tests = {"tests/" + "x" * 90 + "::test_it": OfTest(1, 1, 0, "first-use")}
    line = busiest(tests, shown=0, width=60)[1]
    assert (len(line), line[-10:]) == (60, "x::test_it")
