"""What a result file holds: a valid pytest-benchmark file, with ours under one more key.

There is a benchmark for each scenario and strategy, its ``data`` in seconds per request, one for
each round, so pytest-benchmark's own ``compare`` and the CI actions built on it read it as it is.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from pytest_benchmark import __version__ as pytest_benchmark_version
from pytest_benchmark.plugin import pytest_benchmark_generate_machine_info
from pytest_benchmark.stats import Stats
from pytest_benchmark.utils import get_commit_info

from keptalive.bench.summary import seconds_per_request
from keptalive.records.counts import HostCounts
from keptalive.records.plain import as_plain
from keptalive.records.run import Run, StrategySummary
from keptalive.redaction import for_a_file

SCHEMA = 1


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
    """What stands under the key "keptalive": the run, field by field, and what follows from it."""
    plain: dict[str, Any] = as_plain(run)
    plain["trials"] = [
        {**trial, "counts": _counts(one.counts)}
        for trial, one in zip(plain["trials"], run.trials, strict=True)
    ]
    plain["summary"] = [
        {**row, "counts": _counts(one.counts)}
        for row, one in zip(plain["summary"], run.summary, strict=True)
    ]
    return {"schema": SCHEMA, "complete": run.complete, "valid": run.valid, **plain}


_ALWAYS = (
    "requests",
    "connects",
    "opened",
    "opened_unanswered",
    "reopened",
    "reused",
    "unanswered",
)
_NOTHING = as_plain(HostCounts())


def _counts(counts: HostCounts) -> dict[str, Any]:
    """The counts of a trial; of what a trial seldom or never has, only what there is."""
    plain = as_plain(counts)
    found = {name: plain[name] for name in _ALWAYS}
    found["attempts"] = counts.attempts
    return found | {name: value for name, value in plain.items() if value != _NOTHING[name]}


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
