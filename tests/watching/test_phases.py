"""A call's time is shared out among its phases, all of it and none twice."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator

import pytest
import requests
from tests.servers.fixtures import listening_later
from urllib3.connection import HTTPConnection, HTTPSConnection

from keptalive.lookalike.process import Lookalike
from keptalive.watching import phases

SCENARIOS = ("keep-alive", "request-limit=1")
ATTEMPTS = 3
PLACES = [(owner, name) for owner, name, _ in phases.PLACES]


@pytest.fixture(scope="module")
def lookalike() -> Iterator[Lookalike]:
    with Lookalike.start(SCENARIOS, rtt_ms=5) as started:
        yield started


def timed(lookalike: Lookalike, scenario: str, calls: int) -> tuple[list[dict], list[float]]:
    with requests.Session() as session, phases.timing():
        session.verify = str(lookalike.ca_bundle)
        spent, whole = [], []
        for _ in range(calls):
            began = time.perf_counter()
            with phases.timed_call() as seconds:
                session.get(lookalike.url(scenario) + "/user", timeout=5)
            whole.append(time.perf_counter() - began)
            spent.append(seconds)
    return spent, whole


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_phases_add_up_to_the_call(lookalike, scenario):
    missing = []
    for _ in range(ATTEMPTS):  # now and then a busy machine interrupts just between two clocks
        spent, whole = timed(lookalike, scenario, 5)
        sums = [sum(seconds.values()) for seconds in spent]
        shares = [1 - one / all_s for one, all_s in zip(sums, whole, strict=True)]
        assert min(shares) >= 0, "some time was counted twice"
        missing.append(max(shares))
    assert min(missing) < 0.02


def test_a_kept_connection_has_no_phase_of_opening(lookalike):
    first, second = timed(lookalike, "keep-alive", 2)[0]
    opening = {"dns", "connect", "tls", "ca_bundle"}
    assert opening <= first.keys()
    assert opening & second.keys() == set()
    assert {"blocked", "send", "wait", "receive", "rest"} == second.keys()


def test_the_wait_is_a_round_trip_and_tls_another(lookalike):
    # where the client comes late to a phase, the link's delay has begun without it: the longest
    spent = timed(lookalike, "request-limit=1", 5)[0]
    assert max(seconds["wait"] for seconds in spent) >= 0.004
    assert max(seconds["tls"] for seconds in spent) >= 0.004
    assert spent[-1]["ca_bundle"] > 0


def test_nothing_is_timed_outside_of_a_call(lookalike):
    with phases.timing(), requests.Session() as session:
        session.verify = str(lookalike.ca_bundle)
        session.get(lookalike.url("keep-alive") + "/user", timeout=5)
        with phases.timed_call() as seconds:
            pass
    assert seconds.keys() == {"rest"}


def test_everything_is_as_before_afterwards():
    before = [vars(owner).get(name) for owner, name in PLACES]
    with phases.timing():
        assert HTTPSConnection.connect is not before
    assert [vars(owner).get(name) for owner, name in PLACES] == before
    assert "load_default_certs" in vars(ssl.SSLContext)
    assert "load_verify_locations" not in vars(ssl.SSLContext)


def test_an_exception_passes_and_its_time_is_counted():
    with listening_later() as taken, phases.timing():
        connection = HTTPConnection(*taken.getsockname(), timeout=5)
        with phases.timed_call() as seconds:
            with pytest.raises(Exception, match="refused"):
                connection.connect()
    assert seconds["connect"] > 0
