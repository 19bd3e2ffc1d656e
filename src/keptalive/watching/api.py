"""`keptalive.watch()`: all requests and urllib3 traffic of this process, while the block lasts."""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import ExitStack
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from keptalive.errors import UsageError
from keptalive.records.plain import as_plain, with_texts
from keptalive.records.process import ProcessRecord
from keptalive.redaction import IN_USE, Secrets, redact
from keptalive.watching.hooks import observed
from keptalive.watching.noted import noted
from keptalive.watching.observer import Observer
from keptalive.watching.one_response import report_of
from keptalive.watching.recorder import Recorder

if TYPE_CHECKING:
    from keptalive.records.report import Report
    from keptalive.records.response import ResponseReport

W = TypeVar("W", bound="Watch")


class Watch:
    """A watch, and what it has seen: its report can be asked for at any time, and afterwards.

    ``with`` starts it and stops it, as `start` and `stop` do where a block is no use. It can be
    started once.

    Args:
        clock: seconds, for every time in the record; the outermost watch's holds.
        timeline: record each request, up to 200,000 of them.
        recorder: what gathers all this, in the place of a plain one.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        timeline: bool = False,
        recorder: Recorder | None = None,
    ) -> None:
        self._clock = clock
        self._recorder = Recorder(timeline=timeline) if recorder is None else recorder
        self._observer: Observer | None = None
        self._began = 0.0
        self._started_ns = 0
        self._ended: float | None = None
        self._left_open: list[str | None] | None = None
        self._were_bypassed: list[str] | None = None
        self._credentials: frozenset[str] = frozenset()

    def start(self: W) -> W:
        """Watch from now on; a watch that runs goes on.

        Raises:
            UsageError: it has been stopped.
        """
        if self._ended is not None:
            raise UsageError("This watch has ended. Next: watch().start() begins another one.")
        if self._observer is None:
            observer = _WATCHING.enter(self, self._recorder, self._clock)
            try:
                self._began = observer.clock()
            except BaseException:
                _WATCHING.leave(self._recorder)  # a clock that fails from the first
                raise
            self._observer, self._started_ns = observer, time.time_ns()
        return self

    def stop(self: W) -> W:
        """Watch no longer; everything is as before, if no other watch runs."""
        if self.is_running:
            try:
                self._end()
            finally:
                _WATCHING.leave(self._recorder)
        return self

    def __enter__(self: W) -> W:
        return self.start()

    def __exit__(self, *_error: object) -> None:
        self.stop()

    @property
    def has_begun(self) -> bool:
        """Whether it has been started."""
        return self._observer is not None

    @property
    def is_running(self) -> bool:
        """Whether it has been started and not been stopped."""
        return self._observer is not None and self._ended is None

    @property
    def started_ns(self) -> int:
        """The wall clock when it was started, in nanoseconds since 1970; 0 before."""
        return self._started_ns

    @property
    def seconds(self) -> float:
        """How long it has watched, until now or until it was stopped."""
        return (self._now() if self._ended is None else self._ended) - self._began

    @property
    def opened(self) -> int:
        """Connections opened so far, to all hosts, on which a response came."""
        return sum(route.counts.opened or 0 for route in list(self._recorder.routes.values()))

    @property
    def reused(self) -> int:
        """Responses that came on a kept connection."""
        return sum(route.counts.reused or 0 for route in list(self._recorder.routes.values()))

    def report(self) -> dict[str, Any]:
        """Hosts, causes, costs and cures: the JSON of docs/report.md. No secret is in it."""
        report: dict[str, Any] = as_plain(self.result())
        return report

    def result(self) -> Report:
        """The same as a typed record, for renderers."""
        from keptalive.causes.judge import report  # a watched process writes its record only

        return report([self.record()], source="watch")

    def record(self) -> ProcessRecord:
        """What was observed, not judged yet. No secret is in it."""
        IN_USE.add_from(os.environ)
        sent = Secrets()
        for credential in {*self._recorder.credentials, *self._credentials}:
            sent.add(credential)
        hidden = cache(lambda text: redact(sent.hide(text)))  # the same texts come again and again
        record: ProcessRecord = with_texts(self._record(), hidden)
        return record

    def of(self, response: Any) -> ResponseReport:
        """Whether the connection of this response was reused, after how long, or why it was opened.

        Args:
            response: of requests, or of urllib3.

        Raises:
            TypeError: it is something else.
        """
        return report_of(response, self, self._recorder)

    def _record(self) -> ProcessRecord:
        observer, recorder, began = self._has_begun(), self._recorder, self._began
        if self._ended is None:
            noted(observer, observer.look_at_all)
        connections, hosts = recorder.snapshot(began)
        exchanges = recorder.exchanges
        left_at = self._left_at()
        return ProcessRecord(
            process=os.getpid(),
            started_ns=self._started_ns,
            seconds=self.seconds,
            hosts=hosts,
            connections=connections,
            connections_missing=recorder.attempts_missing,
            exchanges=None
            if exchanges is None
            else tuple([exchange.record(began) for exchange in exchanges.copy()]),
            exchanges_missing=recorder.exchanges_missing,
            circumstances=recorder.noted(),
            left_open=len(left_at),
            left_at=tuple(sorted(place for place in left_at if place)),
            warnings=self._warnings(),
        )

    def _has_begun(self) -> Observer:
        if self._observer is None:
            raise UsageError(
                "This watch has not begun. Next: start(), or with keptalive.watch() as seen."
            )
        return self._observer

    def _now(self) -> float:
        observer = self._has_begun()
        try:
            return observer.clock()
        except Exception as error:
            if not observer.fault(error):
                raise
            return self._began

    def _warnings(self) -> tuple[str, ...]:
        warnings = [
            f"{sentence} ({times} times)" if times > 1 else sentence
            for sentence, times in dict(self._recorder.warnings).items()
        ]
        warnings += [
            f"{name} was replaced while keptalive watched, by a mock or a patch: counts may be "
            "too low."
            for name in self._bypassed()
        ]
        return tuple(warnings)

    def left_open(self) -> int:
        """Connections that are open now, or were when the watch ended."""
        return len(self._left_at())

    def _left_at(self) -> list[str | None]:
        if self._left_open is not None:
            return self._left_open
        return self._has_begun().still_open()

    def _bypassed(self) -> list[str]:
        if self._were_bypassed is not None:
            return self._were_bypassed
        return self._has_begun().replacements.bypassed()

    def on_opening(self, call: Callable[[], None]) -> None:
        """Have this called after each connection that is opened, on the thread that did it."""
        self._recorder.on_opening = call

    def _end(self) -> None:
        """Remember how long it was, and what is still open."""
        observer = self._has_begun()
        try:
            noted(observer, observer.look_at_all)
            self._left_open = self._left_at()
            self._were_bypassed = self._bypassed()
        finally:
            self._ended = self._now()
        # a recorder lives on with the Sessions that it has seen
        self._credentials = frozenset(self._recorder.credentials)
        self._recorder.credentials.clear()


class _Watching:
    """The one observer of this process, for as long as anybody watches."""

    def __init__(self) -> None:
        self._locks = {os.getpid(): threading.Lock()}
        self._stack = ExitStack()
        self._observer: Observer | None = None
        self._watches: dict[Recorder, weakref.ref[Watch]] = {}

    @property
    def _lock(self) -> threading.Lock:
        """One for each process: a thread that is not in a fork's child may have held the parent's.

        Not renewed by a handler after the fork, for another handler may need it before.
        """
        return self._locks.setdefault(os.getpid(), threading.Lock())

    def enter(self, watch: Watch, recorder: Recorder, clock: Callable[[], float]) -> Observer:
        """Let this watch's recorder listen; those of watches that nobody has any more end.

        Looked at here, where a cell of a notebook runs again: no callback of ours runs elsewhere.
        """
        for lost in [one for one, watch in list(self._watches.items()) if watch() is None]:
            self.leave(lost)
        with self._lock:
            self._watches[recorder] = weakref.ref(watch)
            observer = self._observer
            if observer is None:
                observer = Observer(clock)
                self._stack.enter_context(observed(observer))
                self._observer = observer
            elif observer.process != os.getpid():
                noted(observer, observer.begins_in_child)
            observer.recorders = (*observer.recorders, recorder)
            observer.timeline = observer.timeline or recorder.exchanges is not None
            return observer

    def leave(self, recorder: Recorder) -> None:
        with self._lock:
            self._watches.pop(recorder, None)
            observer = self._observer
            if observer is None:
                return
            observer.recorders = tuple(r for r in observer.recorders if r is not recorder)
            observer.timeline = any(r.exchanges is not None for r in observer.recorders)
            if not observer.recorders:
                self._stack.close()
                self._observer = None


_WATCHING = _Watching()


def watch(*, clock: Callable[[], float] = time.monotonic, timeline: bool = False) -> Watch:
    """`keptalive.watch`, but for what shows a report: a watched process imports no more."""
    return Watch(clock=clock, timeline=timeline)
