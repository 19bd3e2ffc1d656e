"""What the look-alike costs next to a client: it must not be what a benchmark measures.

Blocks of requests alternate between the paths; each block gives one ratio of the server's CPU time
to the client's, and the median of them is judged.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

import pytest
import requests

from keptalive.lookalike.process import Lookalike

PATHS = ("/user", "/user/repos?per_page=30")
BLOCKS = 9
REQUESTS = 100
MOST_OF_THE_CLIENT = 0.5


@pytest.fixture(scope="module")
def lookalike() -> Iterator[Lookalike]:
    with Lookalike.start(["keep-alive"]) as running:
        yield running


@pytest.fixture(scope="module")
def session(lookalike: Lookalike) -> Iterator[requests.Session]:
    with requests.Session() as made:
        made.trust_env = False
        made.verify = str(lookalike.ca_bundle)
        made.headers["Authorization"] = f"Bearer {lookalike.token}"
        yield made


@pytest.fixture(scope="module")
def costs(lookalike: Lookalike, session: requests.Session) -> dict[str, list[tuple[float, float]]]:
    """Seconds of CPU per request, (server, client), block by block, the paths interleaved."""
    blocks: dict[str, list[tuple[float, float]]] = {path: [] for path in PATHS}
    for path in PATHS:
        block(lookalike, session, path)  # warm-up: the connection, the caches
    for _ in range(BLOCKS):
        for path in PATHS:
            blocks[path].append(block(lookalike, session, path))
    return blocks


def block(lookalike: Lookalike, session: requests.Session, path: str) -> tuple[float, float]:
    url = lookalike.url("keep-alive") + path
    server, client = lookalike.cpu_seconds(), time.process_time()
    for _ in range(REQUESTS):
        session.get(url).raise_for_status()
    client = time.process_time() - client
    server = lookalike.cpu_seconds() - server
    return server / REQUESTS, client / REQUESTS


@pytest.mark.parametrize("path", PATHS)
def test_the_server_costs_less_than_half_of_what_the_client_does(
    benchmark, lookalike, session, costs, path
):
    benchmark(session.get, lookalike.url("keep-alive") + path)
    ratio = statistics.median(server / client for server, client in costs[path])
    benchmark.extra_info |= {
        "server_cpu_us": statistics.median(server for server, _ in costs[path]) * 1e6,
        "client_cpu_us": statistics.median(client for _, client in costs[path]) * 1e6,
        "server_to_client_cpu": ratio,
    }
    assert ratio < MOST_OF_THE_CLIENT
