"""What reopening a TLS connection costs a client, with a whole CA bundle to verify it by.

All clients are measured in one run, interleaved (`side_by_side.py`), before the first test. A
benchmark here replays what its client has cost, round by round; the other tests judge the ratios
within the rounds. httpx opens a connection with the same work in the same TLS library, and some
runs find it a little cheaper, some dearer: a peer only fails here if it is shown to be cheaper.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from bench.peers import PEERS
from bench.side_by_side import CLOCK, REOPENING, WARM, Measured, compare, how_to_install, replay

from keptalive.lookalike.process import Lookalike
from keptalive.records.run import Interval

# What is judged: a "reopened" request as a whole, or "reopening", which is that less a warm one
AGAINST_A_SESSION = "reopened"
AGAINST_PEERS = "reopening"
KIND = "seconds"  # or "cpu_seconds"

A_SESSION_PAYS_AT_LEAST = 8.0
MOST_OF_PYCURL = 1.5


@pytest.fixture(scope="module")
def lookalike() -> Iterator[Lookalike]:
    with Lookalike.start([REOPENING, WARM]) as running:
        yield running


@pytest.fixture(scope="module")
def measured(lookalike: Lookalike) -> dict[str, Measured]:
    return compare(lookalike)


def installed(measured: dict[str, Measured], name: str) -> Measured:
    if name not in measured:
        pytest.skip(f"{name} is not installed: {how_to_install(name)}")
    return measured[name]


def share(measured: dict[str, Measured], peer: str, part: str) -> Interval:
    """What the tuned Session pays, as a share of what this client does."""
    return measured["tuned"].times(installed(measured, peer), part, KIND)


@pytest.mark.benchmark(timer=CLOCK, group="a request that reopens its connection")
@pytest.mark.parametrize("name", PEERS)
def test_a_request_that_reopens(benchmark, lookalike, measured, name):
    client = installed(measured, name)
    replay(benchmark, [cost.seconds for cost in client.costs("reopened")])
    benchmark.extra_info |= {
        "client": PEERS[name].label,
        "version": client.version,
        "tls": client.tls,
        "certificates": lookalike.certificates,
    }
    for part in ("reopened", "warm", "reopening"):
        for kind in ("seconds", "cpu_seconds"):
            times = client.times(measured["tuned"], part, kind)
            benchmark.extra_info |= {
                f"{part}_{kind}": client.median(part, kind),
                f"{part}_{kind}_times_the_tuned": [times.median, times.low, times.high],
            }
    assert {cost.opened for cost in client.costs("reopened")} == {1}
    assert {cost.opened for cost in client.costs("warm")} == {0}


def test_a_session_pays_eight_times_what_the_tuned_one_does(measured):
    assert 1 / share(measured, "session", AGAINST_A_SESSION).median >= A_SESSION_PAYS_AT_LEAST


def test_the_tuned_session_is_cheaper_than_urllib3(measured):
    assert share(measured, "urllib3", AGAINST_PEERS).median < 1


@pytest.mark.parametrize("peer", ["httpx", "httpx2", "niquests", "aiohttp"])
def test_the_tuned_session_is_not_shown_to_be_dearer_than(measured, peer):
    low = share(measured, peer, AGAINST_PEERS).low
    assert low is not None
    assert low < 1


def test_the_tuned_session_is_not_far_from_libcurl(measured):
    assert share(measured, "pycurl", AGAINST_PEERS).median <= MOST_OF_PYCURL
