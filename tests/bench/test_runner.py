"""Whole runs on the look-alike, over real TLS sockets: what is counted, compared and kept."""

from __future__ import annotations

import json
import subprocess
import sys
import weakref
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import requests

from keptalive import results
from keptalive.bench.plan import Plan
from keptalive.bench.runner import Bench
from keptalive.bench.strategies import STRATEGIES, OneSession
from keptalive.bench.targets import LookalikeTarget
from keptalive.lookalike.behaviour import SCENARIOS
from keptalive.lookalike.process import Lookalike
from keptalive.records.run import Run, StrategySummary

ALL = tuple(SCENARIOS)
PLAN = Plan(requests=("/user",), repeats=20, rounds=1, rtt_ms=0, scenarios=ALL)


@pytest.fixture(scope="module")
def lookalike() -> Iterator[Lookalike]:
    with Lookalike.start(ALL) as started:
        yield started


def run_on(lookalike: Lookalike, plan: Plan, strategies: tuple = ()) -> Run:
    target = LookalikeTarget(lookalike, plan)
    return Bench(plan=plan, target=target, strategies=strategies).run()


@pytest.fixture(scope="module")
def whole_run(lookalike: Lookalike) -> Run:
    return run_on(lookalike, PLAN)


def row_of(run: Run, scenario: str, strategy: str) -> StrategySummary:
    (row,) = (r for r in run.summary if (r.scenario, r.strategy) == (scenario, strategy))
    return row


@pytest.mark.parametrize("scenario", ALL)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_pool_log_sockets_and_server_count_the_same(
    whole_run: Run, scenario: str, strategy: str
) -> None:
    said = [
        (t.witnesses.pool_log, t.witnesses.sockets, t.witnesses.server)
        for t in whole_run.trials
        if (t.scenario, t.strategy) == (scenario, strategy)
    ]
    assert len(said) == 2
    assert all(log == sockets == server > 0 for log, sockets, server in said)
    assert whole_run.valid


# scenario -> what fresh, session and tuned open for 20 requests
OPENED = {
    "keep-alive": (20, 1, 1),
    "close-announced": (20, 20, 20),
    "http-1.0": (20, 20, 20),
    "request-limit": (20, 4, 4),
    "request-limit-announced": (20, 4, 4),
    "idle-timeout": (20, 20, 20),
    "idle-reset": (20, 20, 20),
    "timeout-408": (20, 20, 20),
    "stray-bytes": (20, 20, 20),
    "stale": (20, 10, 20),
    "truncated-body": (20, 4, 4),
}


@pytest.mark.parametrize(("scenario", "opened"), OPENED.items())
def test_each_scenario_makes_each_strategy_open_as_many_as_it_must(
    whole_run: Run, scenario: str, opened: tuple[int, int, int]
) -> None:
    assert opened == tuple(row_of(whole_run, scenario, s).counts.opened for s in STRATEGIES)


def test_a_stale_connection_fails_in_a_plain_session_and_is_retried_in_a_tuned_one(
    whole_run: Run,
) -> None:
    assert row_of(whole_run, "stale", "session").counts.errors == 10
    assert row_of(whole_run, "stale", "tuned").counts.errors == 0
    assert row_of(whole_run, "stale", "tuned").counts.attempts == 39


def test_reopened_connections_are_told_from_new_ones(whole_run: Run) -> None:
    counts = row_of(whole_run, "idle-timeout", "session").counts
    assert (counts.opened, counts.reopened, counts.reused) == (20, 19, 0)


def test_no_response_outlives_its_turn_and_so_keeps_a_connection_open(
    lookalike: Lookalike,
) -> None:
    outlived: list[bool] = []

    class Mindful(STRATEGIES["fresh"]):  # type: ignore[misc]
        name = "mindful"
        label = "a mindful one"
        last: weakref.ref[requests.Response] | None = None

        def get(self, url: str) -> requests.Response:
            if self.last is not None:
                outlived.append(self.last() is not None)
            response = super().get(url)
            self.last = weakref.ref(response)
            return response

    run_on(lookalike, replace(PLAN, scenarios=("keep-alive",)), (Mindful,))
    assert outlived == [False] * (19 + 19)


def test_answers_that_differ_make_the_run_invalid(lookalike: Lookalike) -> None:
    class Impostor(OneSession):
        name = "impostor"
        label = "an impostor"

        def get(self, url: str) -> requests.Response:
            return super().get(url + "/repos")

    plan = replace(PLAN, scenarios=("keep-alive",))
    run = run_on(lookalike, plan, (STRATEGIES["fresh"], Impostor))
    assert not run.valid
    assert "The answers to /user differ: requests.get got 200" in run.disagreements[0]


def test_connections_that_the_log_does_not_tell_of_make_the_run_invalid(
    lookalike: Lookalike,
) -> None:
    class Secretive(OneSession):
        name = "secretive"
        label = "a secretive one"

        def get(self, url: str) -> requests.Response:
            import logging

            logging.disable(logging.DEBUG)
            try:
                return super().get(url)
            finally:
                logging.disable(logging.NOTSET)

    run = run_on(lookalike, replace(PLAN, scenarios=("keep-alive",)), (Secretive,))
    assert run.ended == "disagreement"
    assert "pool log 0, sockets 1, server 1" in run.disagreements[0]


def test_what_was_measured_before_ctrl_c_is_kept_and_marked(lookalike: Lookalike) -> None:
    plan = replace(PLAN, scenarios=("keep-alive",), rounds=3)

    def interrupt(progress: object) -> None:
        if (progress.round, progress.trial) == (2, 2):  # type: ignore[attr-defined]
            raise KeyboardInterrupt

    run = Bench(plan=plan, target=LookalikeTarget(lookalike, plan), progress=interrupt).run()
    assert run.ended == "interrupted"
    assert not run.complete
    assert len(run.trials) == 3 + 3 + 2
    assert results.document(run)["keptalive"]["complete"] is False


def test_pytest_benchmarks_own_compare_reads_the_result_file(
    whole_run: Run, tmp_path: Path
) -> None:
    path = results.save(results.document(whole_run), tmp_path)
    command = [Path(sys.executable).with_name("pytest-benchmark"), "compare", path]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert "session[keep-alive]" in shown.stdout


def test_the_file_says_how_many_certificates_the_bundle_held_and_holds_no_token(
    lookalike: Lookalike, whole_run: Run
) -> None:
    contents = results.document(whole_run)
    bundle = lookalike.ca_bundle.read_text()
    held = contents["keptalive"]["environment"]["ca_certificates"]
    assert bundle.count("-----BEGIN CERTIFICATE-----") == held > 100
    assert lookalike.token not in json.dumps(contents)


def test_a_second_result_of_the_same_second_does_not_overwrite_the_first(
    whole_run: Run, tmp_path: Path
) -> None:
    contents = results.document(whole_run)
    first, second = results.save(contents, tmp_path), results.save(contents, tmp_path)
    assert f"{first.stem}-2.json" == second.name
    assert first.read_text() == second.read_text()
    assert len(list(tmp_path.iterdir())) == 2
