"""What other tools are given is what their own readers take."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from tests.runs import run, usual

from keptalive.render.exports import EXPORTS, bencher, github_action_benchmark

RUN = run(usual(opened=2, reopened=1))


def through_json(value: Any) -> Any:
    return json.loads(json.dumps(value, allow_nan=False))


def test_github_action_benchmark_finds_every_field_of_the_type_it_declares() -> None:
    """Its `BenchmarkResult`: name, unit: string, value: number; range, extra: string, optional."""
    entries = through_json(github_action_benchmark(RUN))
    types = {"name": str, "unit": str, "value": (int, float), "range": str, "extra": str}
    assert isinstance(entries, list)
    for entry in entries:
        assert {"name", "unit", "value"} <= entry.keys() <= types.keys()
        assert all(isinstance(value, types[key]) for key, value in entry.items())
        assert not isinstance(entry["value"], bool)
    names = [entry["name"] for entry in entries]
    assert len(set(names)) == len(names)  # it tells entries apart by their names


def test_counts_are_entries_of_their_own_and_smaller_is_better_in_all() -> None:
    entries = {e["name"]: (e["value"], e["unit"]) for e in github_action_benchmark(RUN)}
    assert entries["Session [keep-alive] opened"] == (2.0, "connections/run")
    assert entries["Session [keep-alive] reopened"] == (1.0, "connections/run")
    assert entries["Session [keep-alive] attempts"] == (4.0, "requests/run")
    ratio, unit = entries["Session [keep-alive] time relative to requests.get"]
    assert (ratio, unit) == (pytest.approx(0.25, rel=0.02), "ratio")
    assert entries["Session [keep-alive] time"] == (pytest.approx(25, rel=0.02), "ms/request")
    assert "requests.get [keep-alive] time relative to requests.get" not in entries


# https://bencher.dev/bmf.json, as published: objects in an object, numbers, "value" required
def fits_bencher_metric_format(whole: Any) -> bool:
    return isinstance(whole, dict) and all(
        re.search(".+", benchmark)
        and isinstance(measures, dict)
        and all(
            re.search(".+", measure)
            and isinstance(metric, dict)
            and "value" in metric
            and set(metric) <= {"value", "lower_value", "upper_value"}
            and all(type(number) in (int, float) for number in metric.values())
            for measure, metric in measures.items()
        )
        for benchmark, measures in whole.items()
    )


def test_bencher_gets_its_metric_format_and_names_that_it_can_keep() -> None:
    whole = through_json(bencher(RUN))
    assert fits_bencher_metric_format(whole)
    assert all(len(benchmark) <= 1024 for benchmark in whole)  # its limits for names
    slug = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
    assert all(slug.fullmatch(m) and len(m) <= 64 for measures in whole.values() for m in measures)


def test_bencher_gets_counts_nanoseconds_and_bounds_around_the_value() -> None:
    measures = bencher(RUN)["session[keep-alive]"]
    assert measures["opened"] == {"value": 2.0}
    assert measures["latency"]["value"] == pytest.approx(25e6, rel=0.02)
    for timed in ("latency", "time-relative-to-fresh"):
        metric = measures[timed]
        assert metric["lower_value"] <= metric["value"] <= metric["upper_value"]


@pytest.mark.parametrize("name", EXPORTS)
def test_too_few_rounds_leave_bounds_out_instead_of_making_them_up(name: str) -> None:
    text = json.dumps(EXPORTS[name](run(usual(3))))
    assert not re.search("null|NaN|range|lower", text)


@pytest.mark.parametrize("name", EXPORTS)
def test_counts_that_are_unknown_are_left_out(name: str) -> None:
    unknown = run(usual(reused=None, unanswered=None, reopened=None))
    text = json.dumps(EXPORTS[name](unknown))
    assert "null" not in text
    assert "opened" in text


def test_bencher_gets_the_throughput_of_threads() -> None:
    measures = bencher(run(plan={"threads": 8}))["session[keep-alive]"]
    assert measures["throughput"]["value"] == pytest.approx(4 / 0.1, rel=0.02)
    assert "throughput" not in bencher(RUN)["session[keep-alive]"]
