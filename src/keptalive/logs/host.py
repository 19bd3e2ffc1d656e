"""One host of a log: what its lines have shown of its connections, while they are read."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field

from keptalive.causes.log_sets import DROPPED, DROPPED_AT_ONCE, FIRST, FIRSTS, RETRIED
from keptalive.counting import Tally
from keptalive.logs.failures import FailedTries

# Used again sooner, no idle timeout has closed it: what the judge takes for the shortest one, less
# what a log's times are rounded by
AT_ONCE_S = 0.4
SLOW_OPENING_S = 1.0  # until the response: less is no matter
_PROCESSES_KEPT = 64
THREADS_KEPT = 4096
_ENDS_KEPT = 256


@dataclass(slots=True)
class Span:
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
class Ordinals:
    """The numbers of the connections that a pool has begun, as "Starting" lines have them.

    They are in turn if each is one more than the last: then they may be of one pool.
    """

    first: int | None = None
    last: int | None = None
    in_turn: bool = True

    def add(self, ordinal: int | None) -> None:
        """One more connection has been begun."""
        if self.last is not None or not self.in_turn:
            self.in_turn = self.in_turn and ordinal == (self.last or 0) + 1
        else:
            self.first, self.in_turn = ordinal, ordinal is not None
        self.last = ordinal


@dataclass(slots=True)
class AtOnce:
    """The most connections of which is known that they were being opened at once.

    As many as were under way, and were answered in the end, just before one of them was: attempts
    of which nothing came do not count. Only for threads that are told apart.

    Attributes:
        ends: answered attempts so far; what this was when an attempt began is to be kept with it.
        most: the result.
    """

    ends: int = 0
    most: int = 0
    _before: deque[int] = field(default_factory=lambda: deque(maxlen=_ENDS_KEPT))  # each end

    def end(self, began: int) -> None:
        """An attempt was answered that began after so many ends."""
        self.ends += 1
        self._before.append(0)
        for back in range(1, min(self.ends - began, len(self._before)) + 1):
            self._before[-back] += 1
            self.most = max(self.most, self._before[-back])


@dataclass(slots=True)
class SlowOpenings:
    """Connections with much time from the line that announced them to their first response.

    Attributes:
        count, span: how many, and how long.
        seconds: the sum.
        kept_s: the shortest time that a later response took on one of the connections, slow or
            not, pauses of the program included: the mean of all that came on it.
    """

    count: int = 0
    seconds: float = 0.0
    span: Span = field(default_factory=Span)
    kept_s: float | None = None

    def __bool__(self) -> bool:
        return self.count > 0

    def add(self, begun_s: float, at_s: float) -> None:
        """This was begun then, and answered then."""
        took_s = at_s - begun_s
        rounded = begun_s == int(begun_s) and at_s == int(at_s)  # whole seconds: one too many
        if took_s >= SLOW_OPENING_S + rounded:
            self.count += 1
            self.seconds += took_s
            self.span.add(took_s)


@dataclass(slots=True)
class LogHost(Tally):
    """The counts of one host, and what its connections have shown.

    Attributes:
        name: ``scheme://host:port``; the bare name, of a host that only warnings name.
        has_port: its responses name a port.
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
        begun: for each cause, how many attempts to connect have no response in this log.
        begun_s, shortest_s: when the last of them began; the shortest time between two.
        ordinals: of all attempts to connect.
        loggers: of those without a response.
        threads: those that have used it, and the process of each, as far as it is named.
        at_once: how many were being opened at once.
        slow: openings that took long; ``opened_s`` is when the last opening was answered.
        failures: tries that failed.
        discarded, pool_size: what warnings of a full pool say.
        causes: how many connections were opened for each cause.
        processes: those that have used it, as far as the log names any.
    """

    name: str = ""
    bare: str = ""
    has_port: bool = True
    alone: bool = True
    is_known: bool = False
    replaced: str | None = None
    last_s: float | None = None
    reused_before: int = 0
    survived_s: float = 0.0
    idle_is_least: bool = False
    idle: Span = field(default_factory=Span)
    served: Span = field(default_factory=Span)
    begun: Counter[str] = field(default_factory=Counter)
    begun_s: float | None = None
    shortest_s: float | None = None
    ordinals: Ordinals = field(default_factory=Ordinals)
    loggers: set[str] = field(default_factory=set)
    threads: dict[int, int | None] = field(default_factory=dict)
    at_once: AtOnce = field(default_factory=AtOnce)
    slow: SlowOpenings = field(default_factory=SlowOpenings)
    opened_s: float | None = None
    failures: FailedTries = field(default_factory=FailedTries)
    discarded: int = 0
    pool_size: int | None = None
    causes: Counter[str] = field(default_factory=Counter)
    processes: set[int] = field(default_factory=set)

    def used_by(self, process: int) -> None:
        """A process has used this host; only some are remembered."""
        if len(self.processes) < _PROCESSES_KEPT:
            self.processes.add(process)

    def on_thread(self, thread: int, process: int | None) -> None:
        """A thread has used this host; only some are remembered."""
        if thread not in self.threads and len(self.threads) < THREADS_KEPT:
            self.threads[thread] = process

    @property
    def most_threads(self) -> int:
        """Of one process, as far as processes are named."""
        return max(Counter(self.threads.values()).values(), default=0)

    def absorb(self, other: LogHost) -> None:
        """The same host, of lines that had no more than its name."""
        self.requests += other.requests
        self.connects += other.connects
        self.unanswered += other.unanswered
        self.discarded += other.discarded
        self.pool_size = other.pool_size if self.pool_size is None else self.pool_size
        self.begun += other.begun
        self.loggers |= other.loggers
        self.failures.absorb(other.failures)
        for thread, process in other.threads.items():
            self.on_thread(thread, process)

    def on_started(self, ordinal: int | None) -> None:
        """A new connection was begun, so numbered by its pool."""
        self.ordinals.add(ordinal)

    def on_begun(self, cause: str, begun_s: float | None, logger: str) -> None:
        """A connection was begun then, of which nothing has come."""
        self.connects += 1
        self.begun[cause] += 1
        self.loggers.add(logger)
        if begun_s is not None:
            if self.begun_s is not None:
                gap_s = begun_s - self.begun_s
                self.shortest_s = gap_s if self.shortest_s is None else min(gap_s, self.shortest_s)
            self.begun_s = begun_s

    def on_discarded(self, pool_size: int | None) -> None:
        """A full pool has discarded a connection."""
        self.discarded += 1
        self.pool_size = pool_size if self.pool_size is None else self.pool_size

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
        self,
        cause: str,
        *,
        reconnects: bool,
        begun_s: float | None,
        at_s: float | None,
        is_only: bool = True,
    ) -> None:
        """A response came, at this time, on a connection that was begun to be opened then.

        Args:
            cause: of the connection.
            reconnects: it was there before.
            begun_s: when, if known.
            at_s: when the response came, if known.
            is_only: nothing else was being opened on this thread.
        """
        self.connects += 1
        self.measure_kept()
        if is_only and begun_s is not None and at_s is not None:
            self.slow.add(begun_s, at_s)
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
        self.opened_s = at_s
        if at_s is not None:
            self.last_s = at_s

    def measure_kept(self) -> None:
        """Since the last connection was opened, others came on a kept one: in what time?"""
        kept = self.reused - self.reused_before
        if kept and self.opened_s is not None and self.last_s is not None:
            took_s = max(self.last_s - self.opened_s, 0.0) / kept
            before_s = self.slow.kept_s
            self.slow.kept_s = took_s if before_s is None else min(took_s, before_s)
        self.opened_s = None

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
