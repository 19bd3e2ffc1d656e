"""`keptalive.watch()`: all requests and urllib3 traffic of this process, while the block lasts."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from keptalive.errors import UsageError
from keptalive.records.plain import as_plain, with_texts
from keptalive.records.process import ProcessRecord, SettledCause
from keptalive.redaction import IN_USE, Secrets, redact
from keptalive.watching.noted import noted
from keptalive.watching.observer import Observer
from keptalive.watching.one_response import report_of
from keptalive.watching.recorder import Recorder
from keptalive.watching.running import OF_PARENT, WATCHING
from keptalive.watching.windows import checked_window

if TYPE_CHECKING:
    from keptalive.records.counts import HostCounts
    from keptalive.records.report import Report
    from keptalive.records.response import ResponseReport
    from keptalive.records.totals import RouteTotals
    from keptalive.watching.ledger import Ledger

W = TypeVar("W", bound="Watch")
NOTHING_SETTLED: tuple[SettledCause, ...] = ()


class Watch:
    """A watch, and what it has seen: its report can be asked for at any time, and afterwards.

    ``with`` starts it and stops it, as `start` and `stop` do where a block is no use. It can be
    started once.

    Args:
        clock: seconds, for every time in the record; the outermost watch's holds.
        timeline: record each request, up to 200,000 of them.
        window_s: what it says covers only the last so many seconds, for processes that run for
            weeks; `math.inf` for all since it began, in as little memory.
        recorder: what gathers all this, in the place of a plain one.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        timeline: bool = False,
        window_s: float | None = None,
        recorder: Recorder | None = None,
    ) -> None:
        self._clock = clock
        self._window_s = checked_window(window_s, timeline=timeline)
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
            observer = WATCHING.enter(self, self._recorder, self._clock)
            try:
                self._began = observer.clock()
            except BaseException:
                WATCHING.leave(self._recorder)  # a clock that fails from the first
                raise
            self._observer, self._started_ns = observer, time.time_ns()
            if self._window_s is not None:
                self.forget_old(self._window_s)
        return self

    def forget_old(self, window_s: float = math.inf) -> Ledger:
        """Judge connections while the watch goes on, from now on, and keep only the newest."""
        from keptalive.watching.ledger import Ledger

        if self._recorder.ledger is None:
            observer = self._has_begun()
            self._recorder.ledger = Ledger(
                self._recorder,
                window_s=window_s,
                began=self._began,
                look=lambda: self._ended is not None or noted(observer, observer.look_at_all),
            )
            observer.cut_at = min(observer.cut_at, self._recorder.ledger.window.next_cut)
        return self._recorder.ledger

    def stop(self: W) -> W:
        """Watch no longer; everything is as before, if no other watch runs."""
        if self.is_running:
            try:
                self._end()
            finally:
                WATCHING.leave(self._recorder)
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
        return sum(one.opened or 0 for one in self._counts())

    @property
    def reused(self) -> int:
        """Responses that came on a kept connection."""
        return sum(one.reused or 0 for one in self._counts())

    def _counts(self) -> list[HostCounts]:
        ledger = self._recorder.ledger
        if ledger is not None:
            return list(ledger.record(self._until()).hosts)
        return [route.counts for route in list(self._recorder.routes.values())]

    def totals(self) -> tuple[RouteTotals, ...]:
        """What each route has counted since the watch began, for exporters of metrics."""
        from keptalive.watching.totals import totals_of

        return totals_of(self.forget_old(), self._has_begun())

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
        observer, recorder, until = self._has_begun(), self._recorder, self._until()
        if self._ended is None:
            noted(observer, observer.look_at_all)
        if recorder.ledger is None:
            began, missing, settled = self._began, recorder.attempts_missing, NOTHING_SETTLED
            connections, hosts = recorder.snapshot(began)
        else:
            seen = recorder.ledger.record(until)
            began, missing, settled = seen.began, seen.missing, seen.settled
            connections, hosts = seen.connections, seen.hosts
        exchanges = recorder.exchanges
        left_at = self._left_at()
        return ProcessRecord(
            process=os.getpid(),
            started_ns=self._started_ns + round((began - self._began) * 1e9),
            seconds=until - began,
            hosts=hosts,
            connections=connections,
            connections_missing=missing,
            exchanges=None
            if exchanges is None
            else tuple([exchange.record(began) for exchange in exchanges.copy()]),
            exchanges_missing=recorder.exchanges_missing,
            circumstances=recorder.noted(),
            left_open=len(left_at),
            left_at=tuple(sorted(place for place in left_at if place)),
            warnings=self._warnings(),
            settled=settled,
            window_s=self._window_s if self._window_s != math.inf else None,
        )

    def _has_begun(self) -> Observer:
        if self._observer is None:
            raise UsageError(
                "This watch has not begun. Next: start(), or with keptalive.watch() as seen."
            )
        return self._observer

    def _until(self) -> float:
        return self._now() if self._ended is None else self._ended

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
        if self._recorder.process != os.getpid():
            warnings.append(OF_PARENT)
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


def watch(
    *,
    clock: Callable[[], float] = time.monotonic,
    timeline: bool = False,
    window_s: float | None = None,
) -> Watch:
    """`keptalive.watch`, but for what shows a report: a watched process imports no more."""
    return Watch(clock=clock, timeline=timeline, window_s=window_s)
