"""Whole runs on the look-alike, over real TLS sockets: what is counted, compared and kept."""

from __future__ import annotations

import json
import logging
import socket
import subprocess
import sys
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import certifi
import pytest
import requests
from tests.small_bundle import trim

from keptalive import results
from keptalive.bench import tracing
from keptalive.bench.own_strategies import strategies_named
from keptalive.bench.plan import Plan
from keptalive.bench.runner import Bench, Progress
from keptalive.bench.strategies import STRATEGIES, Fresh, OneSession
from keptalive.bench.strategy import Answer, Request, Strategy
from keptalive.bench.targets import PAUSE_FACTOR, LookalikeTarget
from keptalive.errors import UsageError
from keptalive.lookalike.behaviour import SCENARIOS
from keptalive.lookalike.process import Lookalike
from keptalive.records.connection import CloseReason
from keptalive.records.plain import as_plain
from keptalive.records.report import Report
from keptalive.records.run import Run, StrategySummary, Trace

# Often enough for a limit to show as one in ten requests
NUMBERED = {name: f"{name}=3" for name in ("request-limit", "request-limit-announced")}
# Without nat-timeout, which needs a true link and makes everybody wait
ALL = tuple(NUMBERED.get(name, name) for name in SCENARIOS if name != "nat-timeout")
PLAN = Plan(requests=("/user",), repeats=10, rounds=1, rtt_ms=0, scenarios=ALL)


@pytest.fixture(scope="module")
def lookalike() -> Iterator[Lookalike]:
    with Lookalike.start(ALL) as started:
        yield trim(started)


ONE = replace(PLAN, scenarios=("keep-alive",))


def run_on(lookalike: Lookalike, plan: Plan, **strategies: type[Strategy]) -> Run:
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


# scenario -> what fresh, session and tuned open for 10 requests
OPENED = {
    "keep-alive": (10, 1, 1),
    "close-announced": (10, 10, 10),
    "http-1.0": (10, 10, 10),
    "request-limit=3": (10, 4, 4),
    "request-limit-announced=3": (10, 4, 4),
    "idle-timeout": (10, 10, 10),
    "idle-reset": (10, 10, 10),
    "timeout-408": (10, 10, 10),
    "stray-bytes": (10, 10, 10),
    "stale": (10, 5, 10),
    "truncated-body": (10, 2, 2),
}


@pytest.mark.parametrize(("scenario", "opened"), OPENED.items())
def test_each_scenario_makes_each_strategy_open_as_many_as_it_must(
    whole_run: Run, scenario: str, opened: tuple[int, int, int]
) -> None:
    assert opened == tuple(row_of(whole_run, scenario, s).counts.opened for s in STRATEGIES)


def test_a_stale_connection_fails_in_a_plain_session_and_is_retried_in_a_tuned_one(
    whole_run: Run,
) -> None:
    assert row_of(whole_run, "stale", "session").failed == 5
    assert row_of(whole_run, "stale", "tuned").failed == 0
    assert row_of(whole_run, "stale", "tuned").counts.attempts == 19


def test_reopened_connections_are_told_from_new_ones(whole_run: Run) -> None:
    counts = row_of(whole_run, "idle-timeout", "session").counts
    assert (counts.opened, counts.reopened, counts.reused) == (10, 9, 0)


def test_no_response_outlives_its_call_and_so_keeps_a_connection_open(
    lookalike: Lookalike, monkeypatch: pytest.MonkeyPatch
) -> None:
    responses: list[weakref.ref[requests.Response]] = []
    outlived: list[bool] = []
    ask = requests.request

    def request(*args: object, **settings: object) -> requests.Response:
        outlived.extend(response() is not None for response in responses)
        response = ask(*args, **settings)
        responses[:] = [weakref.ref(response)]
        return response

    monkeypatch.setattr(requests, "request", request)
    assert run_on(lookalike, ONE, fresh=Fresh).valid
    assert len(outlived) >= 20
    assert not any(outlived)


def test_answers_that_differ_make_the_run_invalid(lookalike: Lookalike) -> None:
    class Impostor(OneSession):
        label = "an impostor"

        def send(self, request: Request) -> Answer:
            return super().send(replace(request, url=f"{request.url}/repos"))

    run = run_on(lookalike, ONE, fresh=Fresh, impostor=Impostor)
    assert not run.valid
    assert "The answers to GET /user differ: requests.get got 200" in run.disagreements[0]


def test_connections_that_the_log_does_not_name_make_the_run_invalid(
    lookalike: Lookalike,
) -> None:
    class Secretive(OneSession):
        label = "a secretive one"

        def send(self, request: Request) -> Answer:
            logging.disable(logging.DEBUG)
            try:
                return super().send(request)
            finally:
                logging.disable(logging.NOTSET)

    run = run_on(lookalike, ONE, secretive=Secretive)
    assert run.ended == "disagreement"
    assert "pool log 0, sockets 1, server 1" in run.disagreements[0]


# -- Strategies of one's own ---------------------------------------------------------------------

HTTPX = "bench.httpx_strategy:Httpx"


@pytest.fixture(scope="module")
def with_httpx(lookalike: Lookalike) -> Run:
    plan = replace(
        PLAN,
        scenarios=("keep-alive", "close-announced", "stale", "idle-timeout=5"),
        strategies=(*STRATEGIES, HTTPX),
        repeats=6,
    )
    return Bench(plan=plan, target=LookalikeTarget(lookalike, plan)).run()


@pytest.mark.parametrize(
    ("scenario", "opened"), [("keep-alive", 1), ("close-announced", 6), ("idle-timeout=5", 6)]
)
def test_httpx_runs_beside_requests_with_sockets_and_server_as_witnesses(
    with_httpx: Run, scenario: str, opened: int
) -> None:
    assert with_httpx.valid
    row = row_of(with_httpx, scenario, HTTPX)
    assert (row.counts.opened, row.counts.attempts, row.counts.reused) == (opened, None, None)
    assert (row.requests, row.failed, row.speedup is None) == (6, 0, False)
    said = [
        (t.witnesses.pool_log, t.witnesses.sockets, t.witnesses.server)
        for t in with_httpx.trials
        if (t.scenario, t.strategy) == (scenario, HTTPX)
    ]
    assert said == [(None, opened, opened)] * 2


def test_the_errors_that_a_strategy_names_are_failed_requests(with_httpx: Run) -> None:
    assert row_of(with_httpx, "stale", HTTPX).counts.errors == {"RemoteProtocolError": 3}


def test_of_a_strategy_without_urllib3_there_are_neither_causes_nor_phases(
    with_httpx: Run,
) -> None:
    assert {trace.strategy for trace in with_httpx.traces} == set(STRATEGIES)
    assert set(row_of(with_httpx, "keep-alive", HTTPX).phases.values()) == {None}
    assert with_httpx.strategies[HTTPX].label == "httpx.Client"
    assert "httpx" in with_httpx.strategies[HTTPX].settings


def test_connections_that_a_strategy_hides_from_its_sockets_make_the_run_invalid(
    lookalike: Lookalike,
) -> None:
    class Hidden(strategies_named([HTTPX])[HTTPX]):  # type: ignore[misc]
        label = "a hidden one"

        def send(self, request: Request) -> Answer:
            self.connect, socket.socket.connect = socket.socket.connect, plain_connect
            try:
                return super().send(request)
            finally:
                socket.socket.connect = self.connect

    run = run_on(lookalike, ONE, hidden=Hidden)
    assert run.disagreements == (
        "The counts disagree (a hidden one, keep-alive, round 0): sockets 0, server 1.",
    )


plain_connect = socket.socket.connect


def test_a_client_that_python_does_not_connect_is_counted_by_the_server_alone(
    lookalike: Lookalike,
) -> None:
    class Foreign(strategies_named([HTTPX])[HTTPX]):  # type: ignore[misc]
        connects_in_python = False

    (row,) = run_on(lookalike, ONE, foreign=Foreign).summary
    assert row.counts.opened == 1


@pytest.mark.parametrize("where", ["__init__", "send", "close"])
def test_a_mistake_of_a_strategy_ends_the_run_and_says_where(
    lookalike: Lookalike, where: str
) -> None:
    def wrong(self: object, *_: object) -> None:
        raise KeyError("no such\nthing")

    wrong_one = type("WrongOne", (OneSession,), {where: wrong})
    said = {"__init__": "making it", "send": "send()", "close": "close()"}[where]
    with pytest.raises(UsageError) as caught:
        run_on(lookalike, ONE, wrong=wrong_one)
    assert str(caught.value).startswith(f"The strategy wrong failed in {said}: KeyError: ")
    assert len(str(caught.value).splitlines()) == 2


# -- What is kept --------------------------------------------------------------------------------


def test_what_was_measured_before_ctrl_c_is_kept_and_marked(lookalike: Lookalike) -> None:
    plan = replace(ONE, rounds=3)

    def interrupt(progress: Progress) -> None:
        if (progress.round, progress.trial) == (2, 2):
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
    public = Path(certifi.where()).read_text().count("-----BEGIN CERTIFICATE-----")
    # the test server's own is one more; the bundle was cut down since
    assert contents["keptalive"]["environment"]["ca_certificates"] == public + 1
    assert lookalike.token not in json.dumps(contents)


def test_a_second_result_of_the_same_second_does_not_overwrite_the_first(
    whole_run: Run, tmp_path: Path
) -> None:
    contents = results.document(whole_run)
    first, second = results.save(contents, tmp_path), results.save(contents, tmp_path)
    assert f"{first.stem}-2.json" == second.name
    assert first.read_text() == second.read_text()
    assert len(list(tmp_path.iterdir())) == 2


# -- Causes --------------------------------------------------------------------------------------


def causes_in(trace: Trace) -> dict[str, int]:
    (host,) = trace.report.hosts
    return {cause.cause: cause.count for cause in host.causes}


def trace_of(run: Run, scenario: str, strategy: str) -> Trace:
    (found,) = (t for t in run.traces if (t.scenario, t.strategy) == (scenario, strategy))
    return found


# scenario -> why a Session opens connections for 10 requests
CAUSES = {
    "keep-alive": {"first-use": 1},
    "close-announced": {"first-use": 1, "close-announced": 9},
    "http-1.0": {"first-use": 1, "http-1.0": 9},
    "request-limit=3": {"first-use": 1, "request-limit": 3},
    "request-limit-announced=3": {"first-use": 1, "close-announced": 3},
    "idle-timeout": {"first-use": 1, "idle-timeout": 9},
    "idle-reset": {"first-use": 1, "server-reset": 9},
    "timeout-408": {"first-use": 1, "timeout-408": 9},
    "stray-bytes": {"first-use": 1, "stray-bytes": 9},
}


@pytest.mark.parametrize(("scenario", "causes"), CAUSES.items())
def test_a_traced_round_says_why_a_session_opened_connections(
    whole_run: Run, scenario: str, causes: dict[str, int]
) -> None:
    assert causes_in(trace_of(whole_run, scenario, "session")) == causes


def test_of_requests_get_each_session_is_new(whole_run: Run) -> None:
    found = causes_in(trace_of(whole_run, "keep-alive", "fresh"))
    assert found == {"first-use": 1, "new-session": 9}


@pytest.mark.parametrize("scenario", ALL)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_trace_accounts_for_as_many_connections_as_a_counted_trial(
    whole_run: Run, scenario: str, strategy: str
) -> None:
    opened = row_of(whole_run, scenario, strategy).counts.opened
    assert sum(causes_in(trace_of(whole_run, scenario, strategy)).values()) == opened


def test_the_traced_round_is_in_no_count_and_no_time(whole_run: Run) -> None:
    assert {trial.round for trial in whole_run.trials} == {0, 1}
    assert len(whole_run.traces) == len(ALL) * len(STRATEGIES)


def test_a_trace_has_every_request_and_no_places_in_keptalive(whole_run: Run) -> None:
    report = trace_of(whole_run, "keep-alive", "session").report
    assert report.exchanges is not None
    assert report.exchanges.path == ("/user",) * 10
    assert report.exchanges.connection == (report.connections[0].id,) * 10
    assert report.places == ()
    assert ".py:" not in json.dumps(as_plain(report))


def test_of_pauses_that_nobody_waited_for_connections_were_idle(whole_run: Run) -> None:
    connections = trace_of(whole_run, "idle-timeout", "session").report.connections
    ends = [one.end for one in connections if one.end is not None]
    idle = [end.idle_s for end in ends if end.how == CloseReason.TLS_CLOSE]
    assert len(idle) == 9
    assert min(idle) >= 5 * PAUSE_FACTOR


def test_a_run_that_is_stopped_before_its_trace_has_none(lookalike: Lookalike) -> None:
    def interrupt(progress: Progress) -> None:
        if progress.traced:
            raise KeyboardInterrupt

    plan = replace(ONE, repeats=2)
    run = Bench(plan=plan, target=LookalikeTarget(lookalike, plan), progress=interrupt).run()
    assert (run.ended, len(run.summary), len(run.traces)) == ("interrupted", 3, 1)


def test_a_watch_that_counts_other_connections_makes_the_run_invalid(
    lookalike: Lookalike, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def blind(_clock: object) -> Iterator[object]:
        yield lambda: Report(source="bench")

    monkeypatch.setattr(tracing, "watched", blind)
    run = run_on(lookalike, replace(ONE, repeats=2), session=OneSession)
    assert run.disagreements == (
        "The counts disagree (Session, keep-alive, traced): pool log 1, watch 0.",
    )
