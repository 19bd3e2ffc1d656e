"""Each of the look-alike's scenarios is named by its cause, by eight threads at once too."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter
from tests.marks import complete
from tests.servers.peer import answers
from tests.servers.scripted import PATIENCE_S

from keptalive import tuned_session
from keptalive.lookalike.process import Lookalike
from keptalive.watching.api import Watch

from .clients import (
    CLIENTS,
    RETRIES,
    Clock,
    Get,
    causes,
    session_gets,
)

LIMIT, IDLE = 3, 60
SCENARIOS = [
    "keep-alive",
    "close-announced",
    "http-1.0",
    f"request-limit={LIMIT}",
    f"request-limit-announced={LIMIT}",
    f"idle-timeout={IDLE}",
    f"idle-reset={IDLE}",
    f"timeout-408={IDLE}",
    "stray-bytes=1",
    "stale=1",
]


@pytest.fixture(scope="module")
def lookalike() -> Iterator[Lookalike]:
    with Lookalike.start(SCENARIOS) as running:
        yield running


@pytest.fixture
def user(lookalike: Lookalike, clock: Clock) -> Callable[..., Any]:
    """Ask a scenario with a client, some seconds after the last time."""

    def ask(get: Get, scenario: str, *, after: float = 0) -> None:
        clock.now += after
        lookalike.skip(scenario, seconds=after)
        get(
            f"{lookalike.url(scenario)}/user", headers={"Authorization": f"token {lookalike.token}"}
        )

    return ask


@pytest.fixture(params=["Session", "tuned_session", "PoolManager"])
def get_there(
    request: pytest.FixtureRequest, lookalike: Lookalike, opened: ExitStack, watched: Watch
) -> Get:
    bundle = str(lookalike.ca_bundle)
    if request.param == "tuned_session":
        return session_gets(opened.enter_context(tuned_session(max_idle=None)), bundle)
    made, gets = CLIENTS[request.param](bundle)
    return gets(opened.enter_context(made), bundle)


@pytest.mark.parametrize(
    ("scenario", "idle", "expected"),
    [
        ("keep-alive", [0] * 6, {}),
        ("close-announced", [0] * 6, {"close-announced": 5}),
        ("http-1.0", [0] * 6, {"http-1.0": 5}),
        (f"request-limit={LIMIT}", [0] * 9, {"request-limit": 2}),
        (f"request-limit={LIMIT}", [7] * 9, {"request-limit": 2}),
        (f"request-limit-announced={LIMIT}", [0] * 9, {"close-announced": 2}),
        (f"idle-timeout={IDLE}", [0, 50, 70, 50, 70, 70], {"idle-timeout": 3}),
        (f"idle-reset={IDLE}", [0, 50, 70, 50, 70, 70], {"server-reset": 3}),
        (f"timeout-408={IDLE}", [0, 50, 70, 50, 70, 70], {"timeout-408": 3}),
        ("stray-bytes=1", [0] * 6, {"stray-bytes": 5}),
    ],
)
def test_a_scenario_is_named_by_its_cause(
    user, get_there, lookalike, watched, scenario, idle, expected
):
    before = lookalike.accepted(scenario)
    for seconds in idle:
        user(get_there, scenario, after=seconds)
    assert causes(watched) == {"first-use": 1, **expected}
    assert watched.opened == lookalike.accepted(scenario) - before


def test_stale_connections_are_sent_again_on_new_ones(user, lookalike, watched):
    before = lookalike.accepted("stale=1")
    with tuned_session() as made:
        for _ in range(4):
            user(session_gets(made, str(lookalike.ca_bundle)), "stale=1")
    assert causes(watched) == {"first-use": 1, "stale-connection": 3}
    assert watched.opened == lookalike.accepted("stale=1") - before


@pytest.mark.parametrize("kind", ["Session", complete("tuned_session"), complete("PoolManager")])
def test_eight_threads_over_all_scenarios_leave_no_connection_unexplained(
    kind, user, lookalike, watched
):
    retrying = {"retries": RETRIES} if kind == "PoolManager" else {}
    before = {name: lookalike.accepted(name) for name in SCENARIOS}
    made, gets = CLIENTS[kind](str(lookalike.ca_bundle))
    if kind == "Session":
        made.mount("https://", HTTPAdapter(max_retries=RETRIES, pool_maxsize=4))
    get = gets(made, str(lookalike.ca_bundle))

    def work(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(25):
            url = f"{lookalike.url(chance.choice(SCENARIOS))}/user"
            get(url, headers={"Authorization": f"token {lookalike.token}"}, **retrying)

    with made, ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(8)))
    found = causes(watched)
    accepted = {name: lookalike.accepted(name) - before[name] for name in SCENARIOS}
    assert sum(found.values()) == watched.opened == sum(accepted.values())
    assert found.get("unknown", 0) == 0
    assert found["first-use"] == len(SCENARIOS)
    hosts = {host["host"]: host["opened"] for host in watched.report()["hosts"]}
    assert hosts == {lookalike.url(name): accepted[name] for name in SCENARIOS}


def test_the_evidence_of_new_sessions_names_the_line_that_made_them(serve, watched):
    server = serve(answers())
    for _ in range(2):
        requests.get(server.url, timeout=PATIENCE_S)
    [host] = watched.report()["hosts"]
    [evidence] = [c["evidence"] for c in host["causes"] if c["cause"] == "new-session"]
    assert Path(__file__).name in evidence
