"""`keptalive.watch()`: all requests and urllib3 traffic of this process, while the block lasts."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from keptalive.causes.reporting import causes_of, report
from keptalive.causes.security import sentences
from keptalive.redaction import IN_USE, Secrets, redact
from keptalive.text import each_text
from keptalive.watching.hooks import observed
from keptalive.watching.observer import Observer
from keptalive.watching.recorder import OPENINGS_KEPT, Recorder

NUMBERS = (
    "requests",
    "attempts",
    "opened",
    "opened_unanswered",
    "reopened",
    "reused",
    "seconds_opening",
)


class Watch:
    """What a watch has seen; its report can be asked for at any time, and afterwards."""

    def __init__(self, recorder: Recorder, observer: Observer) -> None:
        self._recorder = recorder
        self._observer = observer
        self._began = time.perf_counter()
        self._lasted_s: float | None = None
        self._left_open: list[str | None] | None = None
        self._were_bypassed: list[str] | None = None
        self._credentials: frozenset[str] = frozenset()

    @property
    def opened(self) -> int:
        """Connections opened so far, to all hosts."""
        return sum(numbers.opened for numbers in self._recorder.numbers.values())

    @property
    def reused(self) -> int:
        """Responses that came on a kept connection."""
        return sum(numbers.reused for numbers in self._recorder.numbers.values())

    def report(self) -> dict[str, Any]:
        """Hosts, causes, costs and cures, as documented in docs/causes.md; no secret is in it."""
        recorder = self._recorder
        IN_USE.add_from(os.environ)
        sent = Secrets()
        for credential in {*recorder.credentials, *self._credentials}:
            sent.add(credential)
        report: dict[str, Any] = each_text(
            self._report(recorder), lambda text: redact(sent.hide(text))
        )
        return report

    def _report(self, recorder: Recorder) -> dict[str, Any]:
        numbers = dict(recorder.numbers)  # requests go on meanwhile
        traffic = {host: of.traffic() for host, of in numbers.items()}
        # as they were opened, not as their answers came
        drafts = sorted(recorder.drafts.copy(), key=lambda draft: draft.order)
        openings = [draft.done() for draft in drafts]
        warnings = [line for host, of in traffic.items() for line in sentences(host, of)]
        warnings += [
            f"{sentence} ({times} times)" if times > 1 else sentence
            for sentence, times in dict(recorder.warnings).items()
        ]
        warnings += [
            f"{name} was replaced while keptalive watched, by a mock or a patch: counts may be "
            "too low."
            for name in self._bypassed()
        ]
        if recorder.dropped_drafts:
            warnings.append(
                f"Causes are those of the first {OPENINGS_KEPT} connections; "
                f"{recorder.dropped_drafts} more were opened."
            )
        return report(
            source="watch",
            seconds=self._seconds(),
            hosts=[
                {
                    "host": host,
                    **{name: getattr(of, name) for name in NUMBERS},
                    "phases": dict(of.phases),
                    "at_once": of.most_at_once,
                    "errors": dict(of.errors),
                }
                for host, of in numbers.items()
            ],
            causes=causes_of(openings, traffic),
            left_open=self.left_open(),
            left_at=sorted({place for place in self._left_at() if place}),
            warnings=warnings,
        )

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

    def _seconds(self) -> float:
        return time.perf_counter() - self._began if self._lasted_s is None else self._lasted_s

    def end(self) -> None:
        """Remember how long it was, and what is still open."""
        self._lasted_s = self._seconds()
        self._left_open = self._left_at()
        self._were_bypassed = self._bypassed()
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
            observer.recorders = (*observer.recorders, recorder)
            return observer

    def leave(self, recorder: Recorder) -> None:
        with self._lock:
            observer = self._observer
            if observer is None:
                return
            observer.recorders = tuple(r for r in observer.recorders if r is not recorder)
            if not observer.recorders:
                self._stack.close()
                self._observer = None


_WATCHING = _Watching()


@contextmanager
def watch(*, clock: Callable[[], float] = time.monotonic) -> Iterator[Watch]:
    """Watch every connection that requests and urllib3 use, on all threads, from here on.

    Pools that exist already are included, watches may be nested, and everything is as before when
    the block ends. The program's results, exceptions, logs and warnings are not touched.

    Args:
        clock: seconds, for idle times; the outermost watch's holds.
    """
    recorder = Recorder()
    seen = Watch(recorder, _WATCHING.enter(recorder, clock))
    try:
        yield seen
    finally:
        try:
            seen.end()
        finally:
            _WATCHING.leave(recorder)
