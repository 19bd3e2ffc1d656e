"""The keep-alive race: a request that is on its way when the server gives up on the connection.

Four sessions ask at once, each in a thread of its own and with the same idle times around the
server's timeout, over a simulated round trip. The tuned ones retry nothing, so that only `max_idle`
avoids errors.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
import requests

from keptalive import tuned_session
from keptalive.lookalike.process import Lookalike

RTT_S = 0.020
TIMEOUT_S = 1.0
LATE_S = 0.050  # by which this machine may be late between looking at the clock and sending
# The server's clock starts half a round trip before our own and stops half a one later
MAX_IDLE_S = TIMEOUT_S - RTT_S - LATE_S
IDLE_TIMES_S = (MAX_IDLE_S - RTT_S, TIMEOUT_S + RTT_S)
REQUESTS = 80
SCENARIO = f"idle-timeout={TIMEOUT_S}"


@dataclass
class Outcome:
    """What a session met with."""

    answers: int = 0
    errors: int = 0
    first_error: str | None = None


@pytest.fixture(scope="module")
def lookalike() -> Iterator[Lookalike]:
    with Lookalike.start([SCENARIO], rtt_ms=RTT_S * 1000) as running:
        yield running


def ask(session: requests.Session, method: str, url: str) -> Outcome:
    outcome = Outcome()
    idle_times = random.Random(1)  # the same for each session
    with session:
        for _ in range(REQUESTS):
            try:
                session.request(method, url).content  # noqa: B018 - reads the body
                outcome.answers += 1
            except requests.ConnectionError as error:
                outcome.errors += 1
                outcome.first_error = outcome.first_error or str(error)
            time.sleep(idle_times.uniform(*IDLE_TIMES_S))
    return outcome


def all_at_once(lookalike: Lookalike) -> dict[str, Outcome]:
    url = lookalike.url(SCENARIO) + "/user"
    running = {}
    with ThreadPoolExecutor(4) as threads:
        for method in ("GET", "POST"):
            for name, session in {
                "session": requests.Session(),
                "tuned": tuned_session(max_idle=MAX_IDLE_S, max_retries=0),
            }.items():
                session.verify = str(lookalike.ca_bundle)
                session.headers["Authorization"] = f"Bearer {lookalike.token}"
                running[f"{name} {method}"] = threads.submit(ask, session, method, url)
    return {name: asked.result() for name, asked in running.items()}


def test_max_idle_below_the_servers_timeout_spares_every_error(benchmark, lookalike):
    outcomes = benchmark.pedantic(all_at_once, args=(lookalike,), rounds=1)
    benchmark.extra_info |= {
        "requests": REQUESTS,
        "opened": lookalike.accepted(SCENARIO),
        "errors": {name: outcome.errors for name, outcome in outcomes.items()},
    }
    assert outcomes["session GET"].errors > 0
    assert outcomes["session POST"].errors > 0
    assert outcomes["tuned GET"] == outcomes["tuned POST"] == Outcome(answers=REQUESTS)
