"""A run of the benchmark: trials, traces, their summary. Frozen records; standard library only.

Nothing here does anything: no arithmetic beyond a sum, no I/O, no rendering. Units stand in the
names; what does not apply, or is not known, is None. Field names are the result file's keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from keptalive.records.counts import HostCounts
from keptalive.records.report import Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Witnesses:
    """Independent counts of the same connections.

    Attributes:
        pool_log: connections on which a response came, by the strategy's log; None without one.
        sockets: connections that the client's sockets opened; None where Python opens none.
        server: connections that the server accepted; None where it is not ours.
    """

    pool_log: int | None
    sockets: int | None
    server: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A median with the bounds of its interval; None where there are too few samples for one."""

    median: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One strategy, one fresh client, the whole list of requests once.

    Attributes:
        seconds: wall time from making the client to having closed it, pauses left out.
        cpu_seconds: the client process's CPU time over the same span.
        threads: how many of them made the calls at once, each the whole list.
        request_seconds: the wall time of each call, in order; of several threads, the first calls
            of all, then the second ones, ...
        counts: its ``errors`` are calls that failed, by the names of their exceptions.
        phases: the wall time of all calls together by what it was spent on; a phase that did not
            occur is left out, and so are all of a strategy that is not built on urllib3.
    """

    scenario: str
    strategy: str
    round: int
    warm_up: bool
    counts: HostCounts
    witnesses: Witnesses
    seconds: float
    cpu_seconds: float
    request_seconds: tuple[float, ...]
    threads: int = 1
    phases: Mapping[str, float] = field(default_factory=dict)

    @property
    def requests(self) -> int:
        """The calls that the trial made."""
        return len(self.request_seconds)

    @property
    def failed(self) -> int:
        """How many of its calls failed."""
        return sum(self.counts.errors.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """One more run of the request list, watched and not timed: why connections were opened."""

    scenario: str
    strategy: str
    report: Report


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategySummary:
    """One strategy in one scenario over all counted rounds: a row of the table."""

    scenario: str
    strategy: str
    rounds: int
    requests: int
    counts: HostCounts
    perfect: int
    seconds_per_request: Interval
    requests_per_second: Interval  # of all threads together; of programs, runs
    p95_s: float
    first_request_s: Interval
    later_request_s: Interval | None
    cpu_seconds_per_request: float
    speedup: Interval | None  # against the reference strategy
    phases: Mapping[str, float | None] = field(default_factory=dict)  # medians, seconds a request
    warnings: tuple[str, ...] = ()

    @property
    def failed(self) -> int:
        """How many of its calls failed."""
        return sum(self.counts.errors.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """A strategy: its name for people, its settings in words, whether threads may share it."""

    label: str
    settings: str
    thread_safe: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Everything that one run of the benchmark gave: what is saved, and what is shown.

    Attributes:
        strategies: by the names that the plan gives them.
        ended: why it stopped: "narrow" (every interval is narrow enough), "budget", "rounds" (as
            many as were asked for), "interrupted" by a signal, "stopped" by the target, or
            "disagreement".
        stopped_by: the target's sentence.
        disagreements: what makes it invalid: witnesses or answers that differ, in sentences.
        notes: what else is to be said of it, in sentences.
        traces: none where the run ended before them, or where nothing can be watched.
    """

    plan: Mapping[str, Any]
    environment: Mapping[str, Any]
    strategies: Mapping[str, About]
    trials: tuple[Trial, ...]
    summary: tuple[StrategySummary, ...]
    ended: str
    seconds: float
    stopped_by: str | None = None
    disagreements: tuple[str, ...] = ()
    traces: tuple[Trace, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def labels(self) -> dict[str, str]:
        """The strategies' names for people."""
        return {name: about.label for name, about in self.strategies.items()}

    @property
    def complete(self) -> bool:
        """Whether the run came to its own end."""
        return self.ended in ("narrow", "budget", "rounds")

    @property
    def valid(self) -> bool:
        """Whether every witness and every answer agreed."""
        return not self.disagreements
