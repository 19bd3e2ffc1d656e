"""A run of the benchmark: counts, trials, their summary. Frozen records; standard library only.

Nothing here does anything: no arithmetic beyond the sum of two fields, no I/O, no rendering.
Units stand in the names; what does not apply is None.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# -- What the events amount to -------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Connections and requests, counted from the pool log.

    ``attempts`` are the tries on the wire, urllib3's retries included; ``unanswered`` are the
    connection attempts after which no response came: whether TCP was up, a log cannot tell.
    """

    requests: int = 0
    attempts: int = 0
    opened: int = 0
    reopened: int = 0
    reused: int = 0
    unanswered: int = 0
    errors: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Witnesses:
    """Independent counts of the same connections; ``server`` is None where it is not ours."""

    pool_log: int
    sockets: int
    server: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A median with the bounds of its interval; None where there are too few samples for one."""

    median: float
    low: float | None = None
    high: float | None = None


# -- Trials and runs -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One strategy, one fresh client, the whole list of requests once.

    ``seconds`` is the wall time from making the client to having closed it, pauses left out;
    ``request_seconds`` the wall time of each call, in order; ``cpu_seconds`` the client
    process's CPU time over the same span as ``seconds``; ``phases`` the wall time of all calls
    together by what it was spent on, a phase that did not occur left out.
    """

    scenario: str
    strategy: str
    round: int
    warm_up: bool
    counts: Counts
    witnesses: Witnesses
    seconds: float
    cpu_seconds: float
    request_seconds: tuple[float, ...]
    phases: Mapping[str, float] = field(default_factory=dict)
    first_error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategySummary:
    """One strategy in one scenario over all counted rounds: a row of the table."""

    scenario: str
    strategy: str
    rounds: int
    counts: Counts
    perfect: int
    seconds_per_request: Interval
    p95_s: float
    first_request_s: Interval
    later_request_s: Interval | None
    cpu_seconds_per_request: float
    speedup_vs_fresh: Interval | None
    phases: Mapping[str, float | None] = field(default_factory=dict)  # medians, seconds a request
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Everything that one run of the benchmark gave: what is saved, and what is shown.

    ``ended`` says why it stopped: "narrow" (every interval is narrow enough), "budget", "rounds"
    (as many as were asked for), "interrupted" by a signal, "stopped" by the target, or
    "disagreement". ``stopped_by`` is the target's sentence; ``disagreements`` are those that make
    it invalid: witnesses or answers that differ.
    """

    plan: Mapping[str, Any]
    environment: Mapping[str, Any]
    labels: Mapping[str, str]
    settings: Mapping[str, str]
    trials: tuple[Trial, ...]
    summary: tuple[StrategySummary, ...]
    ended: str
    seconds: float
    stopped_by: str | None = None
    disagreements: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether the run came to its own end."""
        return self.ended in ("narrow", "budget", "rounds")

    @property
    def valid(self) -> bool:
        """Whether every witness and every answer agreed."""
        return not self.disagreements
