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
    RETRIED_OPENING,
)
from keptalive.counting import Attempt, Ended
from keptalive.logs.events import Discarding, Seen
from keptalive.logs.failures import FailedTries
from keptalive.logs.flows import Begun, LogThread
from keptalive.logs.host import LogHost
from keptalive.logs.hosts import Hosts
from keptalive.logs.prefix import Origin
from keptalive.records.pool_events import Answered, PoolEvent, Resetting, Retrying, Starting

_THREADS_KEPT = 4096  # that were seen last; twice as many at most
_OF_NEW_POOLS = (*FIRSTS, NEW_POOL, NEW_POOL_OR_PROCESS)


class LogLedger:
    """Reads the events of a log, in its order, and counts for each host."""

    def __init__(self) -> None:
        self.mixed = 0  # responses that may have been to several attempts
        self.failures = FailedTries()  # of requests whose host no line names
        self.loggers: dict[str, None] = {}  # whose lines these are, the first first
        self.answering: set[str] = set()  # those of them that have logged a response
        self.first_s: float | None = None  # the times of the first event and the last
        self.last_s: float | None = None
        self._hosts = Hosts()
        self._threads: dict[int, LogThread] = {}
        self._older: dict[int, LogThread] = {}

    @property
    def hosts(self) -> tuple[LogHost, ...]:
        """All that are kept."""
        return self._hosts.kept

    @property
    def beyond(self) -> LogHost:
        """The others, together."""
        return self._hosts.beyond

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
                self._discarded(event, origin)
            else:
                self._record(thread, event, at_s, origin, knows_threads)

    def _thread(self, number: int) -> LogThread:
        thread = self._threads.get(number)
        if thread is None:
            thread = self._older.pop(number, None) or LogThread()
            if len(self._threads) >= _THREADS_KEPT:
                for left in self._older.values():
                    self._forget(left)
                self._threads, self._older = {}, self._threads
            self._threads[number] = thread
        return thread

    def _record(
        self,
        thread: LogThread,
        event: PoolEvent,
        at_s: float | None,
        origin: Origin,
        knows_threads: bool,
    ) -> None:
        self.loggers[origin.source] = None
        if isinstance(event, Answered):
            self._answered(thread, event, at_s, origin, knows_threads)
            return
        if isinstance(event, Retrying):
            self._failed(thread, event, at_s)
        for outcome in thread.take(event, is_one=knows_threads):
            if isinstance(outcome, Attempt):
                outcome.note = self._begun(thread, outcome.began, at_s, origin)
            else:
                self._without_response(thread, outcome)

    def _failed(self, thread: LogThread, event: Retrying, at_s: float | None) -> None:
        attempt = thread.failed = thread.attempts[-1] if thread.attempts else None
        if attempt is None:
            named = None if event.host is None else self._host_in_error(event)
            (named or thread).failures.add(event)
            return
        host = self._host_of(attempt)
        self._on_begun(host, attempt)
        note, seconds = attempt.note, 0.0
        if len(thread.attempts) == 1 and isinstance(note, Begun) and note.at_s is not None:
            seconds = 0.0 if at_s is None else at_s - note.at_s
        host.failures.add(event, is_new=True, seconds=seconds)

    def _host_in_error(self, event: Retrying) -> LogHost:
        if event.scheme and event.port is not None:
            return self._hosts.of(event.scheme, str(event.host), event.port, in_error=True)
        return self._hosts.named(str(event.host))

    # Attempts to connect

    def _begun(
        self,
        thread: LogThread,
        began: Starting | Resetting,
        at_s: float | None,
        origin: Origin,
    ) -> Begun:
        if isinstance(began, Resetting):
            return Begun(None, DROPPED, DROPPED, at_s, origin.source, origin.process)
        host = self._hosts.of(began.scheme, began.host, began.port)
        host.on_started(began.ordinal)
        host.on_thread(began.thread, origin.process)
        cause, alone = self._cause(thread, host, began.ordinal, origin.process)
        ends = host.at_once.ends
        return Begun(host, cause, alone, at_s, origin.source, origin.process, ends)

    def _on_begun(self, host: LogHost, attempt: Attempt) -> None:
        """Nothing came of this attempt, as far as this log shows."""
        note = attempt.note
        if isinstance(note, Begun):
            host.on_begun(note.cause_alone, note.at_s, note.source)
            host.on_thread(attempt.began.thread, note.process)

    def _host_of(self, attempt: Attempt) -> LogHost:
        note = attempt.note
        known = note.host if isinstance(note, Begun) else None
        return known or self._hosts.named(attempt.began.host)

    def _cause(
        self, thread: LogThread, host: LogHost, ordinal: int | None, process: int | None
    ) -> tuple[str, str]:
        """The cause of what is begun, and that of this attempt alone: see `Begun`."""
        failed, thread.failed = thread.failed, None
        begins = ordinal is None or ordinal == 1
        is_new_to = process is not None and process not in host.processes
        if begins and process is not None:
            host.used_by(process)
        # two threads that begin at once may log in the other order: then (2) comes before (1)
        if begins and (not host.is_known or (is_new_to and process in host.processes)):
            host.is_known = True
            first = FIRST_OR_REDIRECT if thread.redirected else FIRST
            return first, first
        if thread.failed_tries:
            alone = RETRIED if failed is None else RETRIED_OPENING
        elif ordinal is None:
            alone = NEW
        elif ordinal > 1:
            alone = BUSY
        else:
            alone = NEW_POOL if process in host.processes else NEW_POOL_OR_PROCESS
        cause = None if failed is None else self._of_failed(failed, host, ordinal)
        return cause or (RETRIED if thread.failed_tries else alone), alone

    def _of_failed(self, failed: Attempt, host: LogHost, ordinal: int | None) -> str | None:
        """The cause of an attempt that failed, if this one is in its place."""
        note, began = failed.note, failed.began
        if not isinstance(note, Begun) or not isinstance(began, Starting):
            return None
        if note.host is not host or note.cause not in (*_OF_NEW_POOLS, BUSY):
            return None
        # of another pool, it has a cause of its own
        return note.cause if ordinal in (1, (began.ordinal or 0) + 1) else None

    # Requests that end

    def _without_response(self, thread: LogThread, ended: Ended) -> None:
        attempt = thread.failed = ended.attempt
        if attempt is not None:
            host = self._host_of(attempt)
            self._on_begun(host, attempt)
            self._add(thread, host, ended)

    def _answered(
        self,
        thread: LogThread,
        event: Answered,
        at_s: float | None,
        origin: Origin,
        knows_threads: bool,
    ) -> None:
        host = self._hosts.of(event.scheme, event.host, event.port)
        host.has_port = event.has_port
        host.on_thread(event.thread, origin.process)
        self.answering.add(origin.source)
        is_only = len(thread.attempts) == 1
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
        if isinstance(note, Begun) and ended.attempt is not None:
            host.on_opened(
                note.cause,
                reconnects=ended.attempt.reconnects,
                begun_s=note.at_s,
                at_s=at_s,
                is_only=is_only,
            )
            if knows_threads and note.ends is not None:
                host.at_once.end(note.ends)
        else:
            if origin.process is not None:
                host.used_by(origin.process)
            host.on_reused(at_s)
        self._add(thread, host, ended)

    def _add(self, thread: LogThread, host: LogHost, ended: Ended) -> None:
        host.requests += ended.is_new
        host.unanswered += ended.failed_tries + (not ended.answered)
        if thread.failures.errors:
            host.failures.absorb(thread.failures)

    def _discarded(self, event: Discarding, origin: Origin) -> None:
        self.loggers[origin.source] = None
        thread = self._thread(event.thread)
        last = thread.host if thread.last and thread.host.bare == event.host else None
        host = last or self._hosts.named(event.host)
        host.on_discarded(event.pool_size)
        host.on_thread(event.thread, origin.process)

    # The end

    def finish(self) -> None:
        """The log is over: nothing more will come of what was begun."""
        for thread in (*self._older.values(), *self._threads.values()):
            self._forget(thread)
        for host in self.hosts:
            host.measure_kept()
        self._older, self._threads = {}, {}
        self._hosts.finish()

    def _forget(self, thread: LogThread) -> None:
        for ended in thread.give_up():
            self._without_response(thread, ended)
        self.failures.absorb(thread.failures)
