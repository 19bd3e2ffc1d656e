"""One host of a log: what its lines have shown of its connections, and its report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from keptalive.causes.log_sets import (
    BUSY,
    DROPPED,
    DROPPED_AT_ONCE,
    FIRST,
    FIRSTS,
    FULL,
    RETRIED,
    SETS,
    cure,
    perfect,
)
from keptalive.counting import Tally, count_error
from keptalive.records.counts import HostCounts
from keptalive.records.report import Cause, HostReport

# Used again sooner, no idle timeout has closed it: what the judge takes for the shortest one, less
# what a log's times are rounded by
AT_ONCE_S = 0.4
_PROCESSES_KEPT = 64


@dataclass(slots=True)
class _Span:
    """The least and the most of what was measured."""

    least: float = float("inf")
    most: float = float("-inf")

    def add(self, value: float) -> None:
        self.least, self.most = min(self.least, value), max(self.most, value)

    def __bool__(self) -> bool:
        return self.least <= self.most

    def facts(self) -> dict[str, float]:
        return {"least": round(self.least, 3), "most": round(self.most, 3)}

    def text(self, form: str) -> str:
        least, most = format(self.least, form), format(self.most, form)
        return least if least == most else f"{least} to {most}"


@dataclass(slots=True)
class LogHost(Tally):
    """The counts of one host, and what its connections have shown.

    Attributes:
        name: ``scheme://host:port``; the bare name, of a host that only warnings name.
        bare: the host alone, as some lines name it.
        alone: there is only one connection, as far as the log shows.
        is_known: a connection of it has been begun or used before.
        replaced: the cause of the first connection that was opened, if it was not the first that
            was begun: that one takes it over.
        last_s: when the last response came.
        reused_before: responses on kept connections, when the last one was opened.
        idle, idle_is_least: how long dropped ones had been unused, or at least that.
        served: responses on dropped ones, while there was only one at a time.
        survived_s: the longest time between two responses on a kept connection.
        discarded, pool_size: what warnings of a full pool say.
        warned: threads with such a warning.
        causes: how many connections were opened for each cause.
        processes: those that have used it, as far as the log names any.
    """

    name: str = ""
    bare: str = ""
    alone: bool = True
    is_known: bool = False
    replaced: str | None = None
    last_s: float | None = None
    reused_before: int = 0
    survived_s: float = 0.0
    idle_is_least: bool = False
    idle: _Span = field(default_factory=_Span)
    served: _Span = field(default_factory=_Span)
    discarded: int = 0
    pool_size: int | None = None
    warned: set[int] = field(default_factory=set)
    causes: Counter[str] = field(default_factory=Counter)
    processes: set[int] = field(default_factory=set)

    def used_by(self, process: int) -> None:
        """A process has used this host; only some are remembered."""
        if len(self.processes) < _PROCESSES_KEPT:
            self.processes.add(process)

    def absorb(self, other: LogHost) -> None:
        """The same host, of lines that had no more than its name."""
        self.requests += other.requests
        self.connects += other.connects
        self.unanswered += other.unanswered
        self.discarded += other.discarded
        self.pool_size = other.pool_size if self.pool_size is None else self.pool_size
        for error, times in other.errors.items():
            count_error(self.errors, error, times)

    def on_reused(self, at_s: float | None) -> None:
        """A response came, at this time, on a connection that was there."""
        if not self.reused and not self.opened:
            self.alone = False  # the log begins later than its connections
            self.is_known = True
        self.reused += 1
        if at_s is not None:
            if self.alone and self.last_s is not None and at_s - self.last_s > self.survived_s:
                self.survived_s = at_s - self.last_s
            self.last_s = at_s

    def on_opened(
        self, cause: str, *, reconnects: bool, begun_s: float | None, at_s: float | None
    ) -> None:
        """A response came, at this time, on a connection that was begun to be opened then."""
        if cause == DROPPED:
            cause = self._measured(begun_s)
        if not self.opened:
            if not reconnects and not self.reused and cause not in FIRSTS:
                self.replaced, cause = cause, FIRST
            self.alone = self.alone and not reconnects
        elif cause in FIRSTS and self.replaced is not None:
            cause, self.replaced = self.replaced, None
        if self.opened and cause not in (DROPPED, DROPPED_AT_ONCE, RETRIED):
            self.alone = False
        self.opened += 1
        self.reopened += reconnects
        self.reused_before = self.reused
        self.causes[cause] += 1
        if at_s is not None:
            self.last_s = at_s

    def _measured(self, begun_s: float | None) -> str:
        """How long the dropped connection had been unused, and whether that excludes anything.

        Where there are several, it may be another than the one that had the last response: then it
        had been unused for at least so long.
        """
        if self.alone and self.opened:
            self.served.add(1 + self.reused - self.reused_before)
        if begun_s is None or self.last_s is None or begun_s < self.last_s:
            return DROPPED
        idle_s = begun_s - self.last_s
        if self.alone and idle_s < AT_ONCE_S:
            return DROPPED_AT_ONCE
        self.idle.add(idle_s)
        self.idle_is_least = self.idle_is_least or not self.alone
        return DROPPED


def report_of(host: LogHost, *, has_responses: bool) -> HostReport:
    """The host as a report has it.

    Args:
        host: the host.
        has_responses: the log has a response of some host. If not, it is not known whether any
            came, and all that can be said is what was begun.
    """
    counts = host.counts(host=host.name)
    counts.discarded, counts.pool_size = host.discarded or None, host.pool_size
    if not has_responses:
        counts.begun = host.connects or None
        counts.requests = counts.connects = counts.opened = counts.reopened = None
        counts.reused = counts.unanswered = counts.in_flight = None
    return HostReport(
        **_shared(counts),
        attempts=counts.attempts,
        perfect=perfect(host.causes, host.opened) if has_responses else None,
        seconds_saved=None,
        causes=tuple(
            _cause(cause, count, host)
            for cause, count in sorted(host.causes.items(), key=_first_uses_last)
        ),
    )


def _shared(counts: HostCounts) -> dict[str, Any]:
    """The counts that a report has under the same names."""
    both = {one.name for one in fields(HostCounts)} & {one.name for one in fields(HostReport)}
    both.remove("origins")  # which no log names
    return {name: getattr(counts, name) for name in both}


def _first_uses_last(cause: tuple[str, int]) -> tuple[bool, int, str]:
    name, count = cause
    return name in FIRSTS, -count, name


def _cause(name: str, count: int, host: LogHost) -> Cause:
    if name == BUSY and host.discarded:
        name = FULL
    facts = _FACTS[name](host) if name in _FACTS else {}
    return Cause(
        cause=name,
        members=SETS[name].members if name in SETS else None,
        count=count,
        facts=facts,
        evidence=_EVIDENCE[name](host) if facts else "",
        cure=cure(name, max_idle=_max_idle(host)),
    )


def _idle_facts(host: LogHost) -> Mapping[str, Any]:
    if not host.idle:
        return {}
    survived = {"survived_s": round(host.survived_s, 3)} if host.survived_s >= 1 else {}
    return {"idle_s": host.idle.facts(), "idle_is_least": host.idle_is_least, **survived}


def _idle(host: LogHost) -> str:
    least = "at least " if host.idle_is_least else ""
    said = f"Idle for {least}{host.idle.text('.1f')} s"
    if host.survived_s >= 1:
        said += f"; a kept connection still worked after {host.survived_s:.1f} s"
    return f"{said}."


def _served_facts(host: LogHost) -> Mapping[str, Any]:
    return {"served": host.served.facts()} if host.served else {}


def _served(host: LogHost) -> str:
    return f"Responses on each: {host.served.text('.0f')}."


def _full_facts(host: LogHost) -> Mapping[str, Any]:
    size = {} if host.pool_size is None else {"pool_size": host.pool_size}
    return {"discarded": host.discarded, **size}


def _full(host: LogHost) -> str:
    return f'"Connection pool is full": {host.discarded} times.'


def _max_idle(host: LogHost) -> str:
    """A Session that replaces them in time, as far as the times that were seen say which."""
    if host.idle and not host.idle_is_least and 1 <= host.survived_s < host.idle.least:
        return f"tuned_session(max_idle={host.survived_s:.3g})"
    return "tuned_session(max_idle=T), T below its idle timeout"


_Facts = Callable[[LogHost], Mapping[str, Any]]
_FACTS: dict[str, _Facts] = {
    DROPPED: _idle_facts,
    DROPPED_AT_ONCE: _served_facts,
    FULL: _full_facts,
}
_EVIDENCE: dict[str, Callable[[LogHost], str]] = {
    DROPPED: _idle,
    DROPPED_AT_ONCE: _served,
    FULL: _full,
}
