"""A Session that learns finds a real server's idle timeout, and no POST fails on the way."""

from __future__ import annotations

import time

import pytest
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
    with running(setup) as server, tuned_session() as posts, tuned_session() as both:
        for session in (posts, both):
            session.verify = True if server.bundle is None else str(server.bundle)
            session.post(f"{server.url}?post", data="1").raise_for_status()
        for share, more_s in WAITS:
            varies_s = policy.varies_s if share > 1 else 0.0  # so that it has surely closed once
            time.sleep(share * policy.closes_s + more_s + varies_s)
            posts.post(f"{server.url}?post", data="1").raise_for_status()
            both.get(server.url).raise_for_status()
            both.post(f"{server.url}?post", data="1").raise_for_status()
        for session in (posts, both):
            check(policy, only(session), only_posts=session is posts)
    sent = 1 + len(WAITS) + 1 + 2 * len(WAITS)
    again = [line for line in caplog.messages if line.startswith("Retrying")]
    # A GET may meet the close: some servers count it although its response is lost
    assert sent <= sum(server.responses()) <= sent + len(again)
    assert not [line for line in again if "?post" in line]


def check(policy: Policy, learned: Learned, *, only_posts: bool) -> None:
    """What is learned is what the server was set to."""
    margin_s = tolerance(policy.closes_s)
    if policy.announces is not None:
        assert learned.announced_s == policy.idle_s
        assert learned.max_idle_s == pytest.approx(policy.idle_s - 1)
    else:
        least_s = (0.7 if policy.varies_s == 0 else 0.4) * policy.closes_s
        assert learned.max_idle_s >= least_s - margin_s
    assert learned.max_idle_s < policy.closes_s
    if policy.announces is None or not only_posts:
        assert learned.closed_s is not None
        latest_s = policy.closes_s + policy.varies_s
        assert policy.closes_s - margin_s <= learned.closed_s <= latest_s + margin_s
