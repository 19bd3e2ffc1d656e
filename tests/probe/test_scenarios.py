"""Each scenario of the look-alike is found out, over TLS, from outside."""

from __future__ import annotations

import pytest
from tests.marks import complete
from tests.probe.conftest import names

ALWAYS = {"tls-session", "status"}  # of a client without a token: 401


@pytest.fixture
def look(probe, lookalike, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(lookalike.ca_bundle))

    def run(scenario, **settings):
        before = lookalike.accepted(scenario)
        report = probe(f"{lookalike.url(scenario)}/user", **settings)
        assert lookalike.accepted(scenario) - before == report.connections <= 6
        return report

    return run


def test_a_server_that_keeps_connections_is_watched_until_the_budget_ends(look):
    report = look("keep-alive", watch_s=0.05)
    assert names(report) - ALWAYS == {
        "keep-alive",
        "no-idle-timeout",
        "idle-survived",
        "no-request-limit",
    }
    assert (report.keeps_connections, report.idle_timeout_s, report.ended) == (True, None, "budget")
    assert (report.request_limit, report.requests_tried, report.closes_with) == (
        None,
        8,
        "nothing seen",
    )
    assert 0.05 < report.idle_watched_s <= report.seconds


@pytest.mark.parametrize(
    ("scenario", "closes_with", "more"),
    [
        ("idle-timeout=0.75", "TLS close and FIN", set()),
        complete("idle-reset=0.75", "RST", {"server-reset"}),
        ("timeout-408=0.75", "408", {"timeout-408"}),
    ],
)
def test_an_idle_timeout_is_measured_and_how_the_server_closes(look, scenario, closes_with, more):
    report = look(scenario)
    # whoever of the two is late, by some 300 ms
    assert 0.4 < report.idle_timeout_s.least <= report.idle_timeout_s.most < 1.5
    assert (report.closes_with, report.close_announced) == (closes_with, False)
    assert names(report) >= {"keep-alive", "idle-timeout", "no-request-limit"} | more
    assert report.advice.max_idle_s < report.idle_timeout_s.least
    assert report.ended == "done"


@pytest.mark.parametrize(
    ("scenario", "limit", "announced"),
    [("request-limit=3", 3, False), complete("request-limit-announced=4", 4, True)],
)
def test_a_limit_of_requests_is_found_exactly(look, scenario, limit, announced):
    report = look(scenario, watch_s=0.05)
    assert (report.request_limit, report.close_announced) == (limit, announced)
    (found,) = (one for one in report.findings if one.finding == "request-limit")
    assert found.certainty == "certain"
    assert (report.closes_with, report.keeps_connections) == ("TLS close and FIN", True)


@pytest.mark.parametrize(
    ("scenario", "finding", "announced"),
    [
        ("close-announced", "close-announced", True),
        ("http-1.0", "http-1.0", True),
        ("request-limit=1", "server-closed", False),
    ],
)
def test_a_server_that_keeps_no_connection_is_seen_to(look, scenario, finding, announced):
    report = look(scenario)
    assert finding in names(report)
    assert "keep-alive" not in names(report)
    assert (report.keeps_connections, report.request_limit) == (False, 1)
    assert (report.close_announced, report.closes_with) == (announced, "TLS close and FIN")
    assert report.idle_timeout_s is None


@pytest.mark.parametrize(
    ("scenario", "finding"),
    [
        ("stray-bytes=1", "stray-bytes"),
        complete("stray-bytes=2", "stray-bytes"),
        complete("stale=2", "stale-connection"),
        complete("truncated-body=6", "truncated-body"),
    ],
)
def test_what_breaks_connections_is_found(look, scenario, finding):
    assert finding in names(look(scenario, watch_s=0.05))


def test_the_price_of_a_connection_is_named_by_phase(look):
    cost = look("close-announced").opening_s
    assert 0 < cost.connect < cost.seconds
    assert cost.tls > 0
    assert cost.ca_bundle > 0


def test_a_tls_session_is_resumed_where_the_server_allows_it(look):
    assert look("close-announced").resumes_tls is True
