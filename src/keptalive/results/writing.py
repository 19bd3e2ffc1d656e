"""What a result file holds: a valid pytest-benchmark file, with ours under one more key.

There is a benchmark for each scenario and strategy, its ``data`` in seconds per request, one for
each round, so pytest-benchmark's own ``compare`` and the CI actions built on it read it as it is.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timezone
from typing import Any

from pytest_benchmark import __version__ as pytest_benchmark_version
from pytest_benchmark.plugin import pytest_benchmark_generate_machine_info
from pytest_benchmark.stats import Stats
from pytest_benchmark.utils import get_commit_info

from keptalive.bench.summary import seconds_per_request
from keptalive.records.run import Run, StrategySummary, Trial
from keptalive.redaction import for_a_file

SCHEMA = 2  # what changed from one to the next stands in docs/results.md


def document(run: Run) -> dict[str, Any]:
    """The whole file as plain data, with no secret in it."""
    machine = pytest_benchmark_generate_machine_info()
    machine.pop("node")  # whose machine it was concerns nobody
    whole: dict[str, Any] = for_a_file(
        {
            "machine_info": machine,
            "commit_info": get_commit_info(),
            "benchmarks": [_benchmark(run, row) for row in run.summary],
            "datetime": datetime.now(timezone.utc).isoformat(),
            "version": pytest_benchmark_version,
            "keptalive": ours(run),
        }
    )
    return whole


def ours(run: Run) -> dict[str, Any]:
    """What stands under the key "keptalive"."""
    return {
        "schema": SCHEMA,
        "complete": run.complete,
        "valid": run.valid,
        "ended": run.ended,
        "stopped_by": run.stopped_by,
        "disagreements": list(run.disagreements),
        "seconds": run.seconds,
        "plan": dict(run.plan),
        "environment": dict(run.environment),
        "strategies": {
            name: {"label": label, "settings": run.settings[name]}
            for name, label in run.labels.items()
        },
        "trials": [_trial(trial) for trial in run.trials],
        "summary": [_summary(row) for row in run.summary],
    }


def _trial(trial: Trial) -> dict[str, Any]:
    return {
        "scenario": trial.scenario,
        "strategy": trial.strategy,
        "round": trial.round,
        "warm_up": trial.warm_up,
        **asdict(trial.counts),
        "witnesses": asdict(trial.witnesses),
        "seconds": trial.seconds,
        "cpu_seconds": trial.cpu_seconds,
        "request_seconds": list(trial.request_seconds),
        "phases": dict(trial.phases),
        "first_error": trial.first_error,
    }


def _summary(row: StrategySummary) -> dict[str, Any]:
    flat = asdict(row)
    counts = flat.pop("counts")
    return {**flat, **counts, "warnings": list(row.warnings)}


def _benchmark(run: Run, row: StrategySummary) -> dict[str, Any]:
    stats = Stats()
    for trial in run.trials:
        if (trial.scenario, trial.strategy, trial.warm_up) == (row.scenario, row.strategy, False):
            stats.update(seconds_per_request(trial))
    return {
        "group": row.scenario,
        "name": f"{row.strategy}[{row.scenario}]",
        "fullname": f"keptalive::{row.strategy}[{row.scenario}]",
        "params": {"strategy": row.strategy, "scenario": row.scenario},
        "param": f"{row.strategy}-{row.scenario}",
        "extra_info": {
            "label": run.labels[row.strategy],
            "opened": row.counts.opened,
            "perfect": row.perfect,
            "reopened": row.counts.reopened,
            "reused": row.counts.reused,
        },
        "options": {
            "disable_gc": False,
            "timer": "perf_counter",
            "min_rounds": row.rounds,
            "max_time": run.plan["budget_s"],
            "min_time": 0.0,
            "warmup": True,
        },
        "stats": {**stats.as_dict(), "data": stats.data, "iterations": 1},
    }
