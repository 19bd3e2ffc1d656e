"""What the first responses of a connection took, and whose connection it was."""

from __future__ import annotations

import sys

import pytest
import requests
from requests.adapters import HTTPAdapter
from tests.servers.peer import answers
from tests.servers.scripted import PATIENCE_S

from keptalive import TunedAdapter, tuned_session, watch
from keptalive.records.counts import HostCounts, ResponseTime, total
from keptalive.watching.api import Watch
from keptalive.watching.response_times import KEPT_TIMED, TIMES_KEPT, packets


def counts(watched: Watch) -> HostCounts:
    (one,) = watched.record().hosts
    return one


@pytest.fixture
def session():
    with requests.Session() as made:
        made.trust_env = False
        yield made


def test_only_the_first_responses_of_a_connection_are_timed(serve, session):
    server = serve(answers())
    with watch() as watched:
        for _ in range(KEPT_TIMED + 5):
            session.get(server.url, timeout=PATIENCE_S)
    found = counts(watched)
    assert (len(found.first_responses), len(found.kept_responses)) == (1, KEPT_TIMED)
    assert all(0 < one.head_s < PATIENCE_S for one in found.kept_responses)
    assert all(one.rest_s is not None for one in found.kept_responses)


def test_the_times_of_a_route_are_bounded(serve, session):
    server = serve(answers(closes=True))
    with watch() as watched:
        for _ in range(TIMES_KEPT + 3):
            session.get(server.url, timeout=PATIENCE_S)
    assert len(counts(watched).first_responses) == TIMES_KEPT


def test_the_times_of_several_processes_are_put_together():
    one = HostCounts(first_responses=[ResponseTime(head_s=1.0, rest_s=0.0)])
    assert len(total([one, one]).first_responses) == 2


def test_a_connection_that_was_open_before_the_watch_has_no_first_response(serve, session):
    server = serve(answers())
    session.get(server.url, timeout=PATIENCE_S)
    with watch() as watched:
        for _ in range(2):
            session.get(server.url, timeout=PATIENCE_S)
    assert counts(watched).first_responses == []


def test_where_packets_cannot_be_counted_nothing_is_known():
    assert packets(None) is None


@pytest.mark.skipif(sys.platform != "linux", reason="Linux tells")
def test_packets_with_data_and_acknowledgements_are_counted_apart(serve, session):
    server = serve(answers())
    response = session.get(server.url, timeout=PATIENCE_S, stream=True)
    found = packets(response.raw._connection.sock)
    assert found is not None
    assert (found.sent, found.received) == (1, 1)
    assert found.acks_sent >= 1  # of the handshake
    assert found.received_bytes >= len(response.content)


class OfSomebody(TunedAdapter):
    pass


@pytest.mark.parametrize(
    ("adapter", "is_tuned", "max_idle_s"),
    [
        (HTTPAdapter, False, None),
        (lambda: TunedAdapter(max_idle=7), True, 7.0),
        (lambda: OfSomebody(max_idle=None), True, None),
    ],
    ids=["plain", "tuned", "subclass"],
)
def test_that_a_tuned_session_has_opened_it_is_a_fact(
    serve, session, adapter, is_tuned, max_idle_s
):
    session.mount("http://", adapter())
    with watch() as watched:
        session.get(serve(answers()).url, timeout=PATIENCE_S)
    (connection,) = watched.record().connections
    assert (connection.facts.is_tuned, connection.facts.max_idle_s) == (is_tuned, max_idle_s)


def test_a_max_idle_that_is_changed_is_a_fact_from_then_on(serve):
    server = serve(answers(closes=True))
    with tuned_session(max_idle=50) as session, watch() as watched:
        session.get(server.url, timeout=PATIENCE_S)
        session.get_adapter(server.url).max_idle = 5.0
        session.get(server.url, timeout=PATIENCE_S)
    assert [one.facts.max_idle_s for one in watched.record().connections] == [50.0, 5.0]
