"""The figures and the last lines of a benchmark, as text: for a terminal and for pages."""

from __future__ import annotations

from collections.abc import Iterable

from keptalive.bench.gate import reuse_of
from keptalive.bench.summary import reference_strategy, rounds_in_words
from keptalive.records.counts import HostCounts
from keptalive.records.run import Interval, Run, StrategySummary, Trial

NOTHING = "–"

_ENDED = {
    "narrow": "stopped: every interval is narrower than 5 % of its value",
    "budget": "stopped: time limit reached",
    "rounds": "stopped: all rounds done",
    "interrupted": "interrupted: incomplete, and marked so",
    "stopped": "stopped by the server: incomplete, and marked so",
    "disagreement": "stopped: the counts disagree",
}


def percent_reused(counts: HostCounts) -> str:
    """The share of the tries that went over a kept connection."""
    reuse = reuse_of(counts)
    return NOTHING if reuse is None or not counts.attempts else f"{100 * reuse:.0f} %"


def threads_of(run: Run) -> int:
    """On how many threads the requests of a trial were sent."""
    threads = run.plan.get("threads")
    return threads if isinstance(threads, int) else 1


def threads_in_words(run: Run) -> str:
    """How they sent the requests; empty of a single one."""
    threads = threads_of(run)
    if threads == 1:
        return ""
    return f"{threads} threads, in bursts" if run.plan.get("bursts") else f"{threads} threads"


def a_second(requests: float) -> str:
    """How many requests there were in a second, with three digits at least."""
    return f"{requests:,.0f}" if requests >= 100 else f"{requests:.1f}"


_LARGE = 1 / 5  # of a request's time


def is_large(rows: Iterable[StrategySummary], phase: str) -> bool:
    """Whether this phase takes so much of a request's time that it is shown by itself."""
    return any(
        (row.phases.get(phase) or 0.0) > _LARGE * sum(filter(None, row.phases.values()))
        for row in rows
    )


def milliseconds(seconds: float | None) -> str:
    """A time in ms, with three digits at most."""
    if seconds is None:
        return NOTHING
    ms = 1000 * seconds
    return f"{ms:.0f} ms" if ms >= 100 else f"{ms:.1f} ms"


def speed(run: Run, row: StrategySummary) -> str:
    """How fast it is against the reference, with its interval."""
    if row.speedup is None:
        return "1" if row.strategy == reference_strategy(run.strategies) else NOTHING
    return times(row.speedup)


def times(interval: Interval) -> str:
    """A ratio with its interval: "3.9× [3.8, 4.0]"; "~" before one that is not shown."""
    digits = 2 if interval.median < 10 else 1
    median = f"{interval.median:.{digits}f}×"
    if interval.low is None or interval.high is None:
        return f"~ {median}"
    shown = "~ " if interval.low <= 1 <= interval.high else ""
    return f"{shown}{median} [{interval.low:.{digits}f}, {interval.high:.{digits}f}]"


def witnesses_line(run: Run) -> str:
    """Whether all counts agree, with the sum over all trials, warm-up included."""
    if not run.valid:
        return "INVALID: " + " ".join(run.disagreements)
    witnesses = [trial.witnesses for trial in run.trials]
    counted_by = {
        "pool log": any(one.pool_log is not None for one in witnesses),
        "client sockets": any(one.sockets is not None for one in witnesses),
        "server": any(one.server is not None for one in witnesses),
    }
    names = [name for name, counted in counted_by.items() if counted]
    alone = "" if counted_by["server"] else "; no server-side count for your own server"
    opened = sum(map(_made, run.trials))
    return f"All counts agree (warm-up included): {opened} by {' = '.join(names)}{alone}."


def _made(trial: Trial) -> int:
    """The connections of a trial; for those without a response the log is no witness."""
    one = trial.witnesses
    return next((n for n in (one.sockets, one.server, one.pool_log) if n is not None), 0)


def ended_line(run: Run) -> str:
    """How many rounds there were, and why no more."""
    rounds = max((row.rounds for row in run.summary), default=0)
    why = _ENDED.get(run.ended, run.ended)
    return f"{rounds_in_words(rounds)} and a warm-up in {run.seconds:.0f} s; {why}."
