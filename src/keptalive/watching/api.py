"""`keptalive.watch()`: all requests and urllib3 traffic of this process, while the block lasts."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from keptalive.records.plain import as_plain, with_texts
from keptalive.records.process import ProcessRecord
from keptalive.redaction import IN_USE, Secrets, redact
from keptalive.watching.hooks import observed
from keptalive.watching.noted import noted
from keptalive.watching.observer import Observer
from keptalive.watching.recorder import Recorder

if TYPE_CHECKING:
    from keptalive.records.report import Report


class Watch:
    """What a watch has seen; its report can be asked for at any time, and afterwards."""

    def __init__(self, recorder: Recorder, observer: Observer, began: float) -> None:
        self._recorder = recorder
        self._observer = observer
        self._began = began
        self._started_ns = time.time_ns()
        self._ended: float | None = None
        self._left_open: list[str | None] | None = None
        self._were_bypassed: list[str] | None = None
        self._credentials: frozenset[str] = frozenset()

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
        record: ProcessRecord = with_texts(self._record(), lambda text: redact(sent.hide(text)))
        return record

    def _record(self) -> ProcessRecord:
        recorder, began = self._recorder, self._began
        if self._ended is None:
            self._look()
        connections, hosts = recorder.snapshot(began)
        exchanges = recorder.exchanges
        left_at = self._left_at()
        return ProcessRecord(
            process=os.getpid(),
            started_ns=self._started_ns,
            seconds=(self._now() if self._ended is None else self._ended) - began,
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

    def _now(self) -> float:
        try:
            return self._observer.clock()
        except Exception as error:
            if not self._observer.fault(error):
                raise
            return self._began

    def _look(self) -> None:
        """See what has become of the connections that nobody uses any more."""
        noted(self._observer, self._observer.look_at_all)

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
        return self._observer.still_open()

    def _bypassed(self) -> list[str]:
        if self._were_bypassed is not None:
            return self._were_bypassed
        return self._observer.replacements.bypassed()

    def on_opening(self, call: Callable[[], None]) -> None:
        """Have this called after each connection that is opened, on the thread that did it."""
        self._recorder.on_opening = call

    def end(self) -> None:
        """Remember how long it was, and what is still open."""
        self._look()
        self._left_open = self._left_at()
        self._were_bypassed = self._bypassed()
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

    @property
    def _lock(self) -> threading.Lock:
        """One for each process: a thread that is not in a fork's child may have held the parent's.

        Not renewed by a handler after the fork, for another handler may need it before.
        """
        return self._locks.setdefault(os.getpid(), threading.Lock())

    def enter(self, recorder: Recorder, clock: Callable[[], float]) -> Observer:
        with self._lock:
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
            observer = self._observer
            if observer is None:
                return
            observer.recorders = tuple(r for r in observer.recorders if r is not recorder)
            observer.timeline = any(r.exchanges is not None for r in observer.recorders)
            if not observer.recorders:
                self._stack.close()
                self._observer = None


_WATCHING = _Watching()


@contextmanager
def watch(
    *, clock: Callable[[], float] = time.monotonic, timeline: bool = False
) -> Iterator[Watch]:
    """Watch every connection that requests and urllib3 use, on all threads, from here on.

    Pools that exist already are included, watches may be nested, and everything is as before when
    the block ends. The program's results, exceptions, logs and warnings are not touched.

    Args:
        clock: seconds, for every time in the record; the outermost watch's holds.
        timeline: record each request, up to 200,000 of them.
    """
    recorder = Recorder(timeline=timeline)
    observer = _WATCHING.enter(recorder, clock)
    try:
        seen = Watch(recorder, observer, observer.clock())
    except BaseException:
        _WATCHING.leave(recorder)  # a clock that fails from the first
        raise
    try:
        yield seen
    finally:
        try:
            seen.end()
        finally:
            _WATCHING.leave(recorder)
