"""Four who count connections, each in its own way, never disagree, whatever was asked of whom.

``KEPTALIVE_SOAK=100000 pytest -s tests/watching/test_agreement.py`` asks that many requests;
``make soak`` does, on either line of urllib3.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
import urllib3
from requests.adapters import HTTPAdapter
from rich.progress import track

from keptalive import tuned_session
from keptalive.bench import pool_log, sockets
from keptalive.counting import count
from keptalive.lookalike.process import Lookalike
from keptalive.watching.api import watch

REQUESTS = int(os.environ.get("KEPTALIVE_SOAK", "2000"))
ROUND = 100
RETRIES = urllib3.Retry(20, backoff_factor=0, redirect=False)
PATIENCE_S = 30.0
IDLE = ("idle-timeout=60", "idle-reset=60", "timeout-408=60")
SCENARIOS = (
    "keep-alive",
    "close-announced",
    "http-1.0",
    "request-limit=7",
    "request-limit-announced=5",
    "stray-bytes=3",
    "stale=4",
    "truncated-body=9",
    *IDLE,
)

Get = Callable[..., Any]


def session(chance: random.Random, bundle: str) -> tuple[Any, Get]:
    made = requests.Session()
    sizes = {"pool_maxsize": chance.choice([1, 3, 10]), "pool_connections": chance.choice([4, 20])}
    made.mount("https://", HTTPAdapter(max_retries=RETRIES, **sizes))
    return made, requests_get(made, bundle)


def tuned(chance: random.Random, bundle: str) -> tuple[Any, Get]:
    made = tuned_session(
        threads=chance.choice([None, 2]),
        max_idle=chance.choice([None, 1e-3, 50.0]),
        hosts=chance.choice([10, 20]),
        max_retries=RETRIES,
    )
    return made, requests_get(made, bundle)


def fresh(_chance: random.Random, bundle: str) -> tuple[Any, Get]:
    def get(url: str, headers: dict[str, str]) -> bytes:
        return requests.get(url, headers=headers, verify=bundle, timeout=PATIENCE_S).content

    return requests.Session(), get


def requests_get(made: requests.Session, bundle: str) -> Get:
    def get(url: str, headers: dict[str, str]) -> bytes:
        response = made.get(url, headers=headers, verify=bundle, timeout=PATIENCE_S, stream=True)
        with response:
            return response.content

    return get


def pools(chance: random.Random, bundle: str) -> tuple[Any, Get]:
    made = urllib3.PoolManager(
        ca_certs=bundle, maxsize=chance.choice([1, 4]), num_pools=chance.choice([4, 20])
    )

    def get(url: str, headers: dict[str, str]) -> bytes:
        response = made.request(
            "GET", url, headers=headers, retries=RETRIES, timeout=PATIENCE_S, preload_content=False
        )
        try:
            return response.read()
        finally:
            response.release_conn()

    return made, get


CLIENTS = (session, session, tuned, tuned, tuned, pools, fresh)


@pytest.fixture(scope="module")
def lookalike() -> Iterator[Lookalike]:
    with Lookalike.start(SCENARIOS) as running:
        yield running


def one_round(lookalike: Lookalike, bundle: str, seed: int) -> None:
    chance = random.Random(seed)
    threads = chance.choice([1, 1, 2, 8])
    headers = {"Authorization": f"token {lookalike.token}"}
    made, get = chance.choice(CLIENTS)(chance, bundle)

    def work(seed: int) -> None:
        mine = random.Random(seed)
        for _ in range(ROUND // threads):
            scenario = mine.choice(SCENARIOS) if mine.random() < 0.5 else "keep-alive"
            if scenario in IDLE and mine.random() < 0.5:
                lookalike.skip(scenario, seconds=mine.choice([50, 61]))
            try:
                get(f"{lookalike.url(scenario)}/user", headers)
            except (requests.RequestException, urllib3.exceptions.HTTPError):
                assert scenario.startswith("truncated-body")

    events: list[Any] = []
    before = {name: lookalike.accepted(name) for name in SCENARIOS}
    with watch() as watched, sockets.watching() as witness, pool_log.listening(events.append):
        with made, ThreadPoolExecutor(threads) as workers:
            list(workers.map(work, [chance.getrandbits(32) for _ in range(threads)]))
    logged, report = count(events), watched.report()
    accepted = {name: lookalike.accepted(name) - before[name] for name in SCENARIOS}
    assert logged.connects == logged.opened, seed
    four = (watched.opened, witness.connected, sum(accepted.values()), logged.opened)
    assert len(set(four)) == 1, (seed, four)
    assert watched.reused == logged.reused, seed
    hosts = {host["host"]: host for host in report["hosts"]}
    assert {url: host["opened"] for url, host in hosts.items()} == {
        lookalike.url(name): accepted[name]
        for name in SCENARIOS
        if lookalike.url(name) in hosts or accepted[name]
    }, seed
    for host in hosts.values():
        assert sum(cause["count"] for cause in host["causes"]) == host["opened"], seed
        assert "unknown" not in {cause["cause"] for cause in host["causes"]}, seed
    assert report["warnings"] == [], seed


def test_watch_sockets_server_and_pool_log_count_alike(lookalike, bundle):
    rounds = range(-(-REQUESTS // ROUND))
    for seed in track(rounds, f"urllib3 {urllib3.__version__}", auto_refresh=False):
        one_round(lookalike, bundle, seed)
