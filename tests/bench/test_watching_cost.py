"""The table of `make watch-costs` is of what it says: warm requests, each recorded by each tool."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from bench.watching_cost import Generation, Measured
from tests.small_bundle import started

from bench import watching_cost
from keptalive.lookalike.process import Lookalike

TOOLS = (
    *("opentelemetry-requests", "opentelemetry-urllib3"),
    *("sentry-errors", "sentry-traces", "httpdbg"),
)


@pytest.fixture(autouse=True)
def _short_warm_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching_cost, "WARM_UP", 3)


@pytest.fixture(scope="module")
def lookalike() -> Iterator[Lookalike]:
    with started(Lookalike.start, ["keep-alive", "request-limit=1"]) as running:
        yield running


def measure(lookalike: Lookalike, *names: str, rounds: int = 2) -> Measured:
    return watching_cost.measure(lookalike, names, generations=range(1), rounds=rounds, block=3)


def test_a_generation_has_a_cost_of_each_tool_in_each_round(lookalike: Lookalike) -> None:
    measured = measure(lookalike, "nothing", "keptalive")
    (generation,) = measured.generations
    assert set(measured.versions) == {"nothing", "keptalive"}
    assert {name: len(costs) for name, costs in generation.cpu_seconds.items()} == {
        "nothing": 2,
        "keptalive": 2,
    }
    assert all(0 < cost < 1 for costs in generation.cpu_seconds.values() for cost in costs)


def test_requests_that_open_connections_are_refused(
    lookalike: Lookalike, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching_cost, "WARM", "request-limit=1")
    with pytest.raises(RuntimeError, match="these are not warm requests"):
        measure(lookalike, "nothing", rounds=1)


@pytest.mark.complete
@pytest.mark.parametrize("name", TOOLS)
def test_every_tool_records_each_request(lookalike: Lookalike, name: str) -> None:
    measured = measure(lookalike, "nothing", name)
    if name not in measured.versions:
        pytest.skip("it is not installed: make .venv/installed-peers")
    assert len(measured.generations[0].cpu_seconds[name]) == 2


def test_a_tool_that_misses_a_request_ends_the_measuring() -> None:
    class Blind:
        def ask(self, requests: int) -> Mapping[str, Any]:
            return {"cpu_seconds": 0.001, "seen": requests - 1}

    with pytest.raises(RuntimeError, match="blind recorded 4 of 5 requests"):
        watching_cost._asked("blind", Blind(), 5)


ROWS = {"nothing": ("nothing", ""), "dear": ("Dear", "all"), "cheap": ("Cheap", "some")}


def test_the_table_has_the_least_cost_first_and_marks_what_is_not_certain() -> None:
    generations = [
        Generation(
            {
                "nothing": [0.001, 0.002],
                "dear": [0.0015, 0.003],
                "cheap": [0.001 + noise, 0.002 + noise],
            }
        )
        for noise in (-3e-5, -2e-5, -1e-5, 1e-5, 2e-5, 3e-5)
    ]
    measured = Measured(dict.fromkeys(ROWS, "1.0"), generations)
    assert watching_cost.table(measured, ROWS).splitlines()[2:] == [
        "| nothing | 1.0 |  | 1500 µs |  | 1 |",
        "| Cheap | 1.0 | some | 1500 µs | ~ 0 µs [-30, 30] | ~ 1.000 [0.978, 1.022] |",
        "| Dear | 1.0 | all | 2250 µs | 750 µs [750, 750] | 1.500 [1.500, 1.500] |",
    ]
