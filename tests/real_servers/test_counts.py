"""`bench --target` counts what real servers count: connections, and the requests on each."""

from __future__ import annotations

import json
from collections import defaultdict

import pytest
from tests.commands import keptalive
from tests.real_servers.counted import counts_of, of_a_trial, opened
from tests.real_servers.setups.nginx import NGINX
from tests.real_servers.setups.nginx import SETUPS as OF_NGINX
from tests.real_servers.setups.running import Running, running
from tests.real_servers.setups.setup import Policy, Setup
from tests.real_servers.setups.table import SETUPS

from keptalive.bench.strategies import Fresh

pytestmark = pytest.mark.complete

REQUESTS = 12  # of one trial
ROUNDS = 3  # the warm-up, the counted and the traced one
PREFLIGHT = 1  # connection with one request, before anything is measured


@pytest.fixture
def bench(monkeypatch, run_against):
    def run(server: Running, auth: str = "none", repeats: int = REQUESTS, **values: object):
        if server.bundle is not None:
            monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(server.bundle))
        base = server.url.removesuffix("/user")
        return run_against(base, auth=auth, requests=("/user",), repeats=repeats, **values)

    return run


@pytest.mark.parametrize("setup", SETUPS, ids=lambda setup: setup.name)
def test_the_bench_counts_what_the_server_counts(setup: Setup, bench) -> None:
    with running(setup) as server:
        run = bench(server)
    assert run.ended == "rounds"
    assert run.disagreements == ()
    limit = setup.policy.requests
    kept = 1 if limit is None else -(-REQUESTS // limit)
    of_a_session = counts_of(REQUESTS, opened=kept, reopened=kept - 1)
    assert of_a_trial(run) == {
        "fresh": counts_of(REQUESTS, opened=REQUESTS),
        "session": of_a_session,
        "tuned": of_a_session,
    }
    responses = server.responses()
    assert len(responses) == opened(run) + PREFLIGHT
    assert sum(responses) == REQUESTS * ROUNDS * len(run.strategies) + PREFLIGHT


@pytest.mark.parametrize("setup", OF_NGINX, ids=lambda setup: setup.name)
def test_nginx_numbers_the_requests_of_each_connection_without_a_gap(setup: Setup, bench) -> None:
    with running(setup) as server:
        run = bench(server)
    requests_of = defaultdict(list)
    for connection, number in server.numbers():
        requests_of[connection].append(number)
    assert all(found == list(range(1, len(found) + 1)) for found in requests_of.values())
    assert len(requests_of) == opened(run) + PREFLIGHT


def test_where_nginx_closes_idle_connections_a_session_reopens_each_time(bench, patient) -> None:
    soon = Setup(server=NGINX, settings="keepalive_timeout 20ms;", policy=Policy(idle_s=0.02))
    with running(soon) as server:
        strategies = {"fresh": Fresh, **patient(every=1)}
        run = bench(server, auth="bearer", repeats=8, strategies=strategies)
    assert run.ended == "rounds"
    of_a_session = counts_of(8, opened=8, reopened=7)
    assert of_a_trial(run) == {
        "fresh": counts_of(8, opened=8),
        "session": of_a_session,
        "tuned": of_a_session,
    }
    assert len(server.responses()) == opened(run) + PREFLIGHT


def test_the_command_bench_counts_what_nginx_counts(tmp_path) -> None:
    with running(OF_NGINX[1]) as server:
        base = server.url.removesuffix("/user")
        words = ("--target", base, "--rounds", 1, "--results", tmp_path, "--json")
        ended = keptalive("bench", *words)
    assert ended.returncode == 0
    result = json.loads(ended.stdout)["keptalive"]
    counted = [trial["counts"] for trial in result["trials"]]
    counted += [host for trace in result["traces"] for host in trace["report"]["hosts"]]
    assert len(server.responses()) == sum(one["opened"] for one in counted) + PREFLIGHT
    assert sum(server.responses()) == sum(one["attempts"] for one in counted) + PREFLIGHT
