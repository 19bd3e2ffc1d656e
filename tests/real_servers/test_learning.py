"""A Session that learns finds a real server's idle timeout, and no POST fails on the way."""

from __future__ import annotations

import time
from bisect import bisect_right

import pytest
from tests.real_servers.relay import Relay, relayed
from tests.real_servers.setups.running import running
from tests.real_servers.setups.setup import Policy, Setup
from tests.real_servers.setups.table import SETUPS

from keptalive import tuned_session
from keptalive.tuned.learning import Learned

pytestmark = pytest.mark.complete

QUICKLY = 3  # seconds: of servers that close later, another set-up has a shorter time
IDLE = [
    setup
    for setup in SETUPS
    if setup.policy.idle_s is not None and setup.policy.closes_s <= QUICKLY
]
ALIKE_S = 0.04  # ends that differ by no more are at the same time for a session, which takes 0.08
# Of the server's time, and seconds more: below it, around it, above it, and around it again
WAITS = (
    *((0.5, 0.0), (0.9, 0.0), (1.0, -0.02), (1.0, -0.004), (1.0, -0.001)),
    *((1.0, 0.001), (1.0, 0.004), (1.1, 0.0), (1.0, -0.002), (1.0, 0.0), (0.95, 0.0)),
)


def tolerance(seconds: float) -> float:
    """5 % or 100 ms, the larger."""
    return max(0.05 * seconds, 0.1)


def only(session) -> Learned:
    (learned,) = session.learned().values()
    return learned


@pytest.mark.parametrize("setup", IDLE, ids=lambda setup: setup.name)
def test_a_session_learns_the_timeout_and_no_post_fails(
    setup: Setup, caplog: pytest.LogCaptureFixture
) -> None:
    policy = setup.policy
    answered: list[float] = []
    with (
        running(setup) as server,
        relayed(server.port) as relay,
        tuned_session() as posts,
        tuned_session() as both,
    ):
        url = server.url.replace(str(server.port), str(relay.port))

        def send(session, method: str, url: str) -> None:
            session.request(method, url, data="1" * (method == "POST")).raise_for_status()
            answered.append(time.monotonic())

        for session in (posts, both):
            session.verify = True if server.bundle is None else str(server.bundle)
            send(session, "POST", f"{url}?post")
        for share, more_s in WAITS:
            varies_s = policy.varies_s if share > 1 else 0.0  # so that it has surely closed once
            time.sleep(share * policy.closes_s + more_s + varies_s)
            send(posts, "POST", f"{url}?post")
            send(both, "GET", url)
            send(both, "POST", f"{url}?post")
        for session in (posts, both):
            late_s, spread_s = unpunctuality(relay, answered)
            check(policy, only(session), session is posts, late_s, spread_s)
    sent = 1 + len(WAITS) + 1 + 2 * len(WAITS)
    again = [line for line in caplog.messages if line.startswith("Retrying")]
    # A GET may meet the close: some servers count it although its response is lost
    assert sent <= sum(server.responses()) <= sent + len(again)
    assert not [line for line in again if "?post" in line]


def unpunctuality(relay: Relay, answered: list[float]) -> tuple[float, float]:
    """By how much a response was read late at most, and how much the server's idle times differ.

    On a busy machine they are what a session learns: it sees when a connection ends, and not why.
    """
    came = sorted(at for one in relay.passed for at, _ in one.from_server)
    late_s = max(at - came[bisect_right(came, at) - 1] for at in answered)
    closes = [one.idle_s for one in relay.passed if one.idle_s is not None]
    return late_s, max(closes, default=0.0) - min(closes, default=0.0)


def check(
    policy: Policy, learned: Learned, only_posts: bool, late_s: float, spread_s: float
) -> None:
    """What is learned is what the server was set to."""
    margin_s = tolerance(policy.closes_s) + late_s
    if policy.announces is not None:
        assert learned.announced_s == policy.idle_s
        assert learned.max_idle_s == pytest.approx(policy.idle_s - 1)
    else:
        is_steady = policy.varies_s == 0 and late_s + spread_s <= ALIKE_S
        least_s = (0.7 if is_steady else 0.4) * policy.closes_s
        assert learned.max_idle_s >= least_s - margin_s
    assert learned.max_idle_s < policy.closes_s
    if policy.announces is None or not only_posts:
        assert learned.closed_s is not None
        latest_s = policy.closes_s + policy.varies_s
        assert policy.closes_s - margin_s <= learned.closed_s <= latest_s + margin_s
