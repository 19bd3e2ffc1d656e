"""What a debug log alone shows: counts of each host, and sets of causes where several remain.

The counting rule is that of `keptalive.counting`, here for each host, and tolerant: a log may begin
and end anywhere, and may not tell its threads apart. A call that failed without another try has no
line of its own: where it had to open a connection first, that is a request without a response;
where it had a kept one, no log shows it.

Memory is bounded: only the threads that were seen last are remembered, and of a great many hosts
only the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from keptalive.causes.log_sets import (
    BUSY,
    DROPPED,
    FIRST,
    FIRST_OR_REDIRECT,
    FIRSTS,
    NEW,
    NEW_POOL,
    NEW_POOL_OR_PROCESS,
    RETRIED,
)
from keptalive.counting import Attempt, Ended, Thread, count_error
from keptalive.logs.events import Discarding, Seen
from keptalive.logs.host import LogHost
from keptalive.records.pool_events import Answered, PoolEvent, Resetting, Retrying, Starting

HOSTS_KEPT = 10_000
_THREADS_KEPT = 4096  # that were seen last; twice as many at most
_WARNED_KEPT = 4096  # threads with a warning, of a host
_OF_NEW_POOLS = (*FIRSTS, NEW_POOL, NEW_POOL_OR_PROCESS)


@dataclass(slots=True)
class _Begun:
    """The note of an `Attempt`: its host, which a "Resetting" line leaves open, cause and time."""

    host: LogHost | None
    cause: str
    at_s: float | None


@dataclass(slots=True)
class _LogThread(Thread):
    """What one thread is at, or several that the log does not tell apart.

    Attributes:
        failed: the last attempt to connect, if nothing came of it.
        errors: of its present request, those that are not yet counted for a host.
        last, host: the last response, and its host.
    """

    failed: Attempt | None = None
    errors: dict[str, int] = field(default_factory=dict)
    last: Answered | None = None
    host: LogHost = field(default_factory=LogHost)


class LogLedger:
    """Reads the events of a log, in its order, and counts for each host."""

    def __init__(self) -> None:
        self.mixed = 0  # responses that may have been to several attempts
        self.beyond = LogHost()  # the hosts that are not kept, together
        self.errors: dict[str, int] = {}  # of requests whose host no line names
        self.first_s: float | None = None  # the times of the first event and the last
        self.last_s: float | None = None
        self._hosts: dict[tuple[str, str, int], LogHost] = {}
        self._bare: dict[str, LogHost] = {}  # the last host of this name, of whatever port
        self._nameless: dict[str, LogHost] = {}  # hosts of which no line has more than the name
        self._threads: dict[int, _LogThread] = {}
        self._older: dict[int, _LogThread] = {}

    @property
    def hosts(self) -> tuple[LogHost, ...]:
        """All that are kept."""
        return (*self._hosts.values(), *self._nameless.values())

    @property
    def responses(self) -> int:
        """How many responses there were so far."""
        return sum(host.opened + host.reused for host in (*self.hosts, self.beyond))

    def totals(self) -> tuple[int, int]:
        """How many requests there were so far, and how many connections were opened."""
        hosts = (*self.hosts, self.beyond)
        return sum(host.requests for host in hosts), sum(host.opened for host in hosts)

    def record(self, seen: Sequence[Seen], *, knows_threads: bool = True) -> None:
        """Take events into account.

        Args:
            seen: the next ones of the log.
            knows_threads: each number of a thread is known to be one thread's.
        """
        times = (at_s for _, at_s, _ in seen if at_s is not None)
        self.first_s = next(times, None) if self.first_s is None else self.first_s
        times = (at_s for _, at_s, _ in reversed(seen) if at_s is not None)
        self.last_s = next(times, self.last_s)
        for event, at_s, origin in seen:
            thread = self._threads.get(event.thread) or self._thread(event.thread)
            if event is thread.last and not (
                thread.attempts or thread.failed_tries or thread.repeats
            ):  # as most are: one more response like the last, on a kept connection
                thread.host.requests += 1
                thread.host.on_reused(at_s)
            elif isinstance(event, Discarding):
                self._discarded(event)
            else:
                self._record(thread, event, at_s, origin.process, knows_threads)

    def _thread(self, number: int) -> _LogThread:
        thread = self._threads.get(number)
        if thread is None:
            thread = self._older.pop(number, None) or _LogThread()
            if len(self._threads) >= _THREADS_KEPT:
                for left in self._older.values():
                    self._forget(left)
                self._threads, self._older = {}, self._threads
            self._threads[number] = thread
        return thread

    def _host(self, scheme: str, bare: str, port: int) -> LogHost:
        host = self._hosts.get((scheme, bare, port))
        if host is None:
            if len(self._hosts) >= HOSTS_KEPT:
                return self.beyond
            bracketed = f"[{bare}]" if ":" in bare else bare
            host = LogHost(name=f"{scheme}://{bracketed}:{port}", bare=bare)
            self._hosts[scheme, bare, port] = self._bare[bare] = host
        return host

    def _host_named(self, bare: str) -> LogHost:
        """The host of a line that has no more than its name."""
        host = self._bare.get(bare) or self._nameless.get(bare)
        if host is None:
            if len(self._nameless) >= HOSTS_KEPT:
                return self.beyond
            host = self._nameless[bare] = LogHost(name=bare, bare=bare)
        return host

    def _record(
        self,
        thread: _LogThread,
        event: PoolEvent,
        at_s: float | None,
        process: int | None,
        knows_threads: bool,
    ) -> None:
        if isinstance(event, Answered):
            self._answered(thread, event, at_s, process, knows_threads)
            return
        if isinstance(event, Retrying):
            thread.failed = thread.attempts[-1] if thread.attempts else None
            if thread.failed is not None:
                self._host_of(thread.failed).connects += 1
            count_error(thread.errors, event.error)
        for outcome in thread.take(event, is_one=knows_threads):
            if isinstance(outcome, Attempt):
                outcome.note = self._begun(thread, outcome.began, at_s, process)
            else:
                self._without_response(thread, outcome)

    # Attempts to connect

    def _begun(
        self,
        thread: _LogThread,
        began: Starting | Resetting,
        at_s: float | None,
        process: int | None,
    ) -> _Begun:
        if isinstance(began, Resetting):
            return _Begun(None, DROPPED, at_s)
        host = self._host(began.scheme, began.host, began.port)
        return _Begun(host, self._cause(thread, host, began.ordinal, process), at_s)

    def _host_of(self, attempt: Attempt) -> LogHost:
        note = attempt.note
        known = note.host if isinstance(note, _Begun) else None
        return known or self._host_named(attempt.began.host)

    def _cause(
        self, thread: _LogThread, host: LogHost, ordinal: int | None, process: int | None
    ) -> str:
        failed, thread.failed = thread.failed, None
        begins = ordinal is None or ordinal == 1
        is_new_to = process is not None and process not in host.processes
        if begins and process is not None:
            host.used_by(process)
        # two threads that begin at once may log in the other order: then (2) comes before (1)
        if begins and (not host.is_known or (is_new_to and process in host.processes)):
            host.is_known = True
            return FIRST_OR_REDIRECT if thread.redirected else FIRST
        if failed is not None and (cause := self._of_failed(failed, host, ordinal)):
            return cause
        if thread.failed_tries:
            return RETRIED
        if ordinal is None:
            return NEW
        if ordinal > 1:
            return BUSY
        return NEW_POOL if process in host.processes else NEW_POOL_OR_PROCESS

    def _of_failed(self, failed: Attempt, host: LogHost, ordinal: int | None) -> str | None:
        """The cause of an attempt that failed, if this one is in its place."""
        note, began = failed.note, failed.began
        if not isinstance(note, _Begun) or not isinstance(began, Starting):
            return None
        if note.host is not host or note.cause not in (*_OF_NEW_POOLS, BUSY):
            return None
        # of another pool, it has a cause of its own
        return note.cause if ordinal in (1, (began.ordinal or 0) + 1) else None

    # Requests that end

    def _without_response(self, thread: _LogThread, ended: Ended) -> None:
        attempt = thread.failed = ended.attempt
        if attempt is not None:
            host = self._host_of(attempt)
            host.connects += 1
            self._add(thread, host, ended)

    def _answered(
        self,
        thread: _LogThread,
        event: Answered,
        at_s: float | None,
        process: int | None,
        knows_threads: bool,
    ) -> None:
        host = self._host(event.scheme, event.host, event.port)
        if len(thread.attempts) > 1:
            self.mixed += sum(attempt.fits(event) for attempt in thread.attempts) > 1
        *given_up, ended = thread.take(event, is_one=knows_threads)
        for outcome in given_up:
            if isinstance(outcome, Ended):
                self._without_response(thread, outcome)
        thread.failed, thread.last, thread.host = None, event, host
        if not isinstance(ended, Ended):
            return
        note = ended.attempt.note if ended.attempt is not None else None
        if isinstance(note, _Begun) and ended.attempt is not None:
            host.connects += 1
            host.on_opened(
                note.cause, reconnects=ended.attempt.reconnects, begun_s=note.at_s, at_s=at_s
            )
        else:
            if process is not None:
                host.used_by(process)
            host.on_reused(at_s)
        self._add(thread, host, ended)

    def _add(self, thread: _LogThread, host: LogHost, ended: Ended) -> None:
        host.requests += ended.is_new
        host.unanswered += ended.failed_tries + (not ended.answered)
        for error, times in thread.errors.items():
            count_error(host.errors, error, times)
        thread.errors.clear()

    def _discarded(self, event: Discarding) -> None:
        thread = self._thread(event.thread)
        last = thread.host if thread.last and thread.host.bare == event.host else None
        host = last or self._host_named(event.host)
        host.discarded += 1
        host.pool_size = event.pool_size if host.pool_size is None else host.pool_size
        if len(host.warned) < _WARNED_KEPT:
            host.warned.add(event.thread)

    # The end

    def finish(self) -> None:
        """The log is over: nothing more will come of what was begun."""
        for thread in (*self._older.values(), *self._threads.values()):
            self._forget(thread)
        self._older, self._threads = {}, {}
        for bare in self._bare.keys() & self._nameless.keys():
            self._bare[bare].absorb(self._nameless.pop(bare))

    def _forget(self, thread: _LogThread) -> None:
        for ended in thread.give_up():
            self._without_response(thread, ended)
        for error, times in thread.errors.items():
            count_error(self.errors, error, times)
        thread.errors.clear()
