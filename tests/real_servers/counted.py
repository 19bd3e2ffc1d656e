"""What a run against a real server has counted, and what it should have."""

from __future__ import annotations

from keptalive.records.run import Run

COUNTED = ("requests", "attempts", "opened", "reopened", "reused")


def opened(run: Run) -> int:
    """By every trial, the warm-up and the traced round included."""
    traced = [host for trace in run.traces for host in trace.report.hosts]
    return sum(counted.opened for counted in (*(trial.counts for trial in run.trials), *traced))


def of_a_trial(run: Run) -> dict[str, dict[str, int]]:
    return {
        row.strategy: {name: getattr(row.counts, name) for name in COUNTED} for row in run.summary
    }


def counts_of(requests: int, *, opened: int, reopened: int = 0) -> dict[str, int]:
    made = (requests, requests, opened, reopened, requests - opened)
    return dict(zip(COUNTED, made, strict=True))
