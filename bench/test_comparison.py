"""Does `compare` raise false alarms, and does it miss a regression? And how long does it take?

700 short runs on the look-alike, 2 ms away. In 500 a Session keeps its connection; in 100 it loses
it once in each trial; in 100 each of its requests takes a fifth longer. Every comparison is of two
runs that no other of its kind has. Which run is made when is drawn by lot, so that what the machine
does to one kind it does to all. A fifth needs more rounds than a count to stand out from the noise.
It takes some 13 minutes; KEPTALIVE_COMPARISONS=10 makes a tenth.
"""

from __future__ import annotations

import gc
import os
import random
import socket
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import requests

from keptalive import results
from keptalive.bench.access import Access
from keptalive.bench.plan import Plan
from keptalive.bench.runner import Bench
from keptalive.bench.strategies import Fresh, OneSession
from keptalive.bench.strategy import Answer, Request
from keptalive.bench.summary import summarise
from keptalive.bench.targets import LookalikeTarget
from keptalive.compare.verdicts import COUNTS, TIME, WORSE, Row, compare
from keptalive.lookalike.process import Lookalike
from keptalive.records.run import Run

COMPARISONS = int(os.environ.get("KEPTALIVE_COMPARISONS", "100"))  # twice as many A/A
CALLED_WORSE_AT_MOST = 0.01
SLOWER_CAUGHT_AT_LEAST = 0.95
SEED = 20
PLAN = Plan(requests=("/user",), repeats=4, rounds=10, rtt_ms=2.0, scenarios=("keep-alive",))
LONGER = replace(PLAN, rounds=30)  # where a fifth more time is to be seen

MOST_SECONDS = 2.0
SAMPLES = 100_000  # timed requests of each strategy, in each file
REQUESTS = 20


class Reopening(OneSession):
    """A Session that loses its connection once in each trial."""

    def __init__(self, access: Access) -> None:
        super().__init__(access)
        self._requests = 0

    def send(self, request: Request) -> Answer:
        self._requests += 1
        if self._requests == PLAN.repeats // 2 + 1:
            pools = self.session.get_adapter(request.url).poolmanager.pools
            (only,) = pools.keys()
            idle = pools[only].pool
            connection = idle.get()
            connection.sock.shutdown(socket.SHUT_RDWR)
            idle.put(connection)
        return super().send(request)


class Slower(OneSession):
    """A Session whose every request takes a fifth longer: it computes, it does not sleep."""

    def send(self, request: Request) -> Answer:
        began = time.perf_counter()
        answer = super().send(request)
        until = began + 1.2 * (time.perf_counter() - began)
        while time.perf_counter() < until:
            pass
        return answer


def small_bundle(lookalike: Lookalike, folder: Path) -> Path:
    """The look-alike's own certificate alone: loading all would take most of the time."""
    begin = "-----BEGIN CERTIFICATE-----"
    certificates = lookalike.ca_bundle.read_text().split(begin)[1:]
    for certificate in certificates:
        file = folder / "ca.pem"
        file.write_text(begin + certificate)
        try:
            requests.get(lookalike.url("keep-alive") + "/user", verify=str(file), timeout=10)
        except requests.exceptions.SSLError:
            continue
        return file
    raise AssertionError("no certificate of the bundle is the look-alike's")


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LookalikeTarget]:
    with Lookalike.start(PLAN.scenarios, rtt_ms=PLAN.rtt_ms) as lookalike:
        target = LookalikeTarget(lookalike, PLAN)
        bundle = small_bundle(lookalike, tmp_path_factory.mktemp("bundle"))
        target.access = replace(target.access, verify=str(bundle))
        yield target


Kind = tuple[type[OneSession], Plan]
KINDS: dict[Kind, int] = {
    (OneSession, PLAN): 4 * COMPARISONS,
    (Reopening, PLAN): COMPARISONS,
    (OneSession, LONGER): COMPARISONS,
    (Slower, LONGER): COMPARISONS,
}


def run_once(target: LookalikeTarget, session: type[OneSession], plan: Plan) -> Run:
    run = Bench(plan=plan, target=target, strategies={"fresh": Fresh, "session": session}).run()
    assert run.valid
    return run


def all_runs(target: LookalikeTarget) -> dict[Kind, list[Run]]:
    kinds = [kind for kind, times in KINDS.items() for _ in range(times)]
    random.Random(SEED).shuffle(kinds)
    runs: dict[Kind, list[Run]] = {kind: [] for kind in KINDS}
    gc.freeze()  # each trial collects garbage: that of all earlier runs need not be looked at
    for kind in kinds:
        runs[kind].append(run_once(target, *kind))
    gc.unfreeze()
    return runs


def worse(baseline: Run, candidate: Run) -> dict[str, Row]:
    """What of the Session is called worse, by measure."""
    rows = compare(baseline, candidate).rows
    assert all(row.reason is None for row in rows)
    return {row.measure: row for row in rows if row.verdict == WORSE}


def test_compare_neither_raises_false_alarms_nor_misses_a_regression(benchmark, target):
    runs = benchmark.pedantic(all_runs, args=(target,), rounds=1)
    same = runs[OneSession, PLAN]
    pairs_of_slower = list(zip(runs[OneSession, LONGER], runs[Slower, LONGER], strict=True))
    alike = [worse(*pair) for pair in zip(same[::2], same[1::2], strict=True)]
    reopening = [worse(*pair) for pair in zip(same, runs[Reopening, PLAN], strict=False)]
    slower = [worse(*pair) for pair in pairs_of_slower]
    changes = [
        next(row.change for row in compare(*pair).rows if row.measure == TIME)
        for pair in pairs_of_slower
    ]
    called = Counter(measure for found in alike for measure in found)
    benchmark.extra_info |= {
        "alike": len(alike),
        "alike_called_worse_in_time": called[TIME],
        "alike_called_worse_in_counts": sum(called[count] for count in COUNTS),
        "reopening": len(reopening),
        "reopening_caught": sum("opened" in found for found in reopening),
        "slower": len(slower),
        "slower_caught": sum(TIME in found for found in slower),
        "median_change_of_slower": statistics.median(change.median for change in changes),
        "median_width": statistics.median(change.high - change.low for change in changes),
    }
    assert sum(called[count] for count in COUNTS) == 0
    assert called[TIME] <= CALLED_WORSE_AT_MOST * len(alike)
    assert all("opened" in found and "reopened" in found for found in reopening)
    assert sum(TIME in found for found in slower) >= SLOWER_CAUGHT_AT_LEAST * len(slower)


# -- How long it takes ---------------------------------------------------------------------------


def many_times(run: Run, seed: int) -> Run:
    """The run with so many rounds that each strategy has made `SAMPLES` requests."""
    rng = random.Random(seed)
    first = {trial.strategy: trial for trial in run.trials if trial.round == 1}
    trials = [
        replace(
            trial,
            round=number,
            warm_up=number == 0,
            seconds=trial.seconds * rng.lognormvariate(0, 0.1),
            counts=replace(trial.counts, requests=REQUESTS),
            request_seconds=tuple(rng.lognormvariate(-5, 0.2) for _ in range(REQUESTS)),
        )
        for number in range(SAMPLES // REQUESTS + 1)
        for trial in first.values()
    ]
    return replace(run, trials=tuple(trials), summary=summarise(trials))


def test_two_files_with_100_000_samples_each_are_compared_in_two_seconds(
    benchmark, target, tmp_path
):
    short = run_once(target, OneSession, PLAN)
    files = [results.save(results.document(many_times(short, n)), tmp_path) for n in (1, 2)]
    command = [sys.executable, "-m", "keptalive", "compare", *map(str, files)]
    benchmark.pedantic(subprocess.run, args=(command,), kwargs={"check": True}, rounds=5)
    benchmark.extra_info["mebibytes_a_file"] = round(files[0].stat().st_size / 2**20, 1)
    assert benchmark.stats.stats.min < MOST_SECONDS
