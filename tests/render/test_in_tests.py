from __future__ import annotations

import pytest
from tests.reports import FIRST_USE, cause, host

from keptalive.compare.limits import Limit
from keptalive.compare.rules import Rule
from keptalive.records.report import Cause, Finding, Report
from keptalive.render.in_tests import nothing_seen, refusal


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
    assert headline == refusal(Rule(limit=limit), report(*opened)).splitlines()[0]


def test_a_limit_that_is_kept_is_not_refused():
    assert refusal(Rule(limit=Limit(at_most=3)), report(1, 2)) is None


def test_several_hosts_are_shown_one_by_one_and_warnings_come_last():
    shown = refusal(
        Rule(limit=Limit(at_most=1)), report(1, 2, warnings=("Something was " + "patched " * 14,))
    )
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
    shown = refusal(Rule(limit=Limit(at_most=1)), Report(source="watch", hosts=(tunnel,)))
    assert shown.splitlines() == [
        "opened 3 connections to https://a via http://proxy:3128, at most 1 allowed",
        "2 × unread-body:",
        "  a response was never read, so its connection never came back",
        "  Seen.",
        "  → Read it. Read it. Read it. Read it. Read it. Read it. Read it. Read",
        "    it. Read it. Read it. Read it. Read it.",
        "1 × first-use (necessary)",
    ]


def test_forbidden_causes_are_said_first_with_their_places_and_the_unanswered_ones_count():
    forgotten = cause("unread-body", 2, facts={"unread_at": {"a.py:3": 1, "b.py:4": 2}})
    failed = Cause(cause="idle-timeout", count=0, unanswered=1, evidence="Failed.")
    api = host("http://a:80", forgotten, failed, FIRST_USE)
    forbidden = frozenset({"unread-body", "idle-timeout"})
    shown = refusal(Rule(forbidden=forbidden), Report(source="watch", hosts=(api,)))
    assert shown.splitlines() == [
        "opened 2 connections for unread-body, which is forbidden: b.py:4 and a.py:3",
        "opened 1 connection for idle-timeout, which is forbidden",
        "http://a: 3 connections",
        "2 × unread-body:",
        "  a response was never read, so its connection never came back",
        "  Seen.",
        "  → Change this.",
        "1 × idle-timeout: the server closes idle connections",
        "  Failed.",
        "1 × first-use (necessary)",
    ]


def test_a_limit_and_a_forbidden_cause_are_refused_together():
    rule = Rule(limit=Limit(at_most=1), forbidden=frozenset({"idle-timeout"}))
    assert refusal(rule, report(2)).splitlines()[:2] == [
        "opened 2 connections to http://a, at most 1 allowed",
        "opened 2 connections for idle-timeout, which is forbidden",
    ]


def test_a_marker_with_nothing_to_check_is_told_why():
    mocked = Finding(finding="mocked-answers", host=None, evidence="2 answers of a mock.")
    other = Finding(finding="delayed-ack", host=None, evidence="Slow.")
    silent = Report(source="watch", findings=(mocked, other))
    assert nothing_seen(silent, "connections(at_most=1)").splitlines() == [
        "connections(at_most=1) checked nothing: no connection was seen.",
        "2 answers of a mock.",
        "→ Use a real server, such as the fixture keepalive_server, or remove the",
        "  marker.",
    ]
    unknown = nothing_seen(Report(source="watch"), "connections(at_most=1)")
    assert "\nThe test sent no request through requests or urllib3.\n" in unknown


def test_any_try_of_a_request_is_something_to_check():
    unanswered = Report(source="watch", hosts=(host("http://a:80", attempts=1, opened=0),))
    assert nothing_seen(unanswered, "connections(at_most=1)") is None
