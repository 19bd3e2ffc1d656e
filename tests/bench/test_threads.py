"""Several threads send the requests of a trial: pool log, sockets and server count the same."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from dataclasses import replace

import pytest
from tests.marks import complete
from tests.small_bundle import started, trim

from keptalive.bench.runner import Bench
from keptalive.bench.strategies import STRATEGIES
from keptalive.bench.targets import LookalikeTarget
from keptalive.lookalike.behaviour import SCENARIOS as ALL_SCENARIOS
from keptalive.lookalike.process import Lookalike

from .threaded import PLAN, bench_on, trial_of

SCENARIOS = ("keep-alive", "idle-timeout=60", "request-limit-announced=3")


@pytest.fixture(scope="module")
def lookalike() -> Iterator[Lookalike]:
    with started(Lookalike.start, SCENARIOS) as running:
        yield running


ALWAYS = [*((one, "keep-alive") for one in PLAN.strategies), ("session", "idle-timeout=60")]


@pytest.mark.parametrize(
    ("strategy", "scenario"),
    [
        pair if pair in ALWAYS else complete(*pair)
        for pair in itertools.product(PLAN.strategies, SCENARIOS)
    ],
)
def test_with_threads_pool_log_sockets_and_server_count_the_same(
    lookalike: Lookalike, strategy: str, scenario: str
) -> None:
    plan = replace(PLAN, strategies=(strategy,), scenarios=(scenario,))
    trial = trial_of(bench_on(lookalike, plan), scenario)
    said = trial.witnesses
    assert said.pool_log == said.sockets == said.server == trial.counts.opened
    assert (trial.requests, trial.counts.requests, trial.failed, trial.threads) == (12, 12, 0, 4)
    assert trial.counts.attempts == 12
    least = {"keep-alive": 1, "idle-timeout=60": 3, "request-limit-announced=3": 4}[scenario]
    assert least <= trial.counts.opened <= 12
    assert trial.counts.opened == 12 or strategy != "fresh"


@pytest.mark.complete
@pytest.mark.parametrize("bursts", [False, True])
def test_with_16_threads_all_counts_agree_however_connections_end(bursts: bool) -> None:
    numbered = {name: f"{name}=3" for name in ("request-limit", "request-limit-announced")}
    names = [name for name in ALL_SCENARIOS if name != "nat-timeout"]  # it needs a true link
    scenarios = tuple(numbered.get(name, name) for name in names)
    plan = replace(PLAN, threads=16, bursts=bursts, scenarios=scenarios)
    with Lookalike.start(plan.scenarios) as started:
        run = Bench(plan=plan, target=LookalikeTarget(trim(started), plan)).run()
    assert (run.ended, run.disagreements) == ("rounds", ())
    assert len(run.summary) == len(plan.scenarios) * len(plan.strategies)
    assert all(row.perfect <= row.counts.opened for row in run.summary)
    assert all(row.perfect <= 2 for row in run.summary if row.strategy == "session-pool-block=2")


SOAK_REQUESTS = int(os.environ.get("KEPTALIVE_SOAK", "3200"))


@pytest.mark.complete
@pytest.mark.parametrize("strategy", [*STRATEGIES, "session-pool=8", "session-pool-block=8"])
def test_with_64_threads_all_counts_are_exact(lookalike: Lookalike, strategy: str) -> None:
    repeats = -(-SOAK_REQUESTS // 64)
    plan = replace(PLAN, threads=64, repeats=repeats, strategies=(strategy,))
    trial = trial_of(bench_on(lookalike, plan))
    said = trial.witnesses
    print(strategy, trial.requests, said, trial.counts.most_at_once)  # noqa: T201 - for `make soak`
    assert said.pool_log == said.sockets == said.server == trial.counts.opened
    assert trial.counts.requests == trial.counts.attempts == 64 * repeats
    assert trial.failed == 0
    limit = {"fresh": 64 * repeats, "tuned": 64, "session-pool-block=8": 8}.get(strategy)
    if limit is not None:
        assert trial.counts.opened == limit if strategy == "fresh" else trial.counts.opened <= limit
    assert trial.counts.most_at_once <= (8 if strategy == "session-pool-block=8" else 64)
