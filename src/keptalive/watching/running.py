"""The one observer of this process, and the watches for which it observes."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack

from keptalive.watching.hooks import observed
from keptalive.watching.noted import noted
from keptalive.watching.observer import Observer
from keptalive.watching.recorder import Recorder

OF_PARENT = (
    "This watch began before a fork: what it counted until then happened in the parent process. "
    "Next: begin a watch after the fork."
)


class Watching:
    """The one observer of this process, for as long as anybody watches."""

    def __init__(self) -> None:
        self._locks = {os.getpid(): threading.RLock()}
        self._stack = ExitStack()
        self._observer: Observer | None = None
        self._watches: dict[Recorder, weakref.ref[object]] = {}

    @property
    def _lock(self) -> AbstractContextManager[bool]:
        """One for each process: a thread that is not in a fork's child may have held the parent's.

        Not renewed by a handler after the fork, for another handler may need it before. The same
        thread may take it twice: a signal handler can begin or end a watch while one begins.
        """
        return self._locks.setdefault(os.getpid(), threading.RLock())

    def enter(self, watch: object, recorder: Recorder, clock: Callable[[], float]) -> Observer:
        """Let this watch's recorder listen; those of watches that nobody has any more end.

        Looked at here, where a cell of a notebook runs again: no callback of ours runs elsewhere.
        """
        for lost in [one for one, watch in list(self._watches.items()) if watch() is None]:
            self.leave(lost)
        with self._lock:
            self._watches[recorder], recorder.process = weakref.ref(watch), os.getpid()
            if self._observer is None:
                self._begin(Observer(clock))
            observer = self._observer
            assert observer is not None  # noqa: S101 - a signal handler's watch ends its own only
            if observer.process != os.getpid():
                noted(observer, observer.begins_in_child)
            observer.recorders = (*observer.recorders, recorder)
            observer.timeline = observer.timeline or recorder.exchanges is not None
            return observer

    def _begin(self, observer: Observer) -> None:
        """Let it observe, unless a watch of a signal handler has begun with another by now."""
        if self._observer is None:
            self._observer = observer
            try:
                self._stack.enter_context(observed(observer))
            except BaseException:
                self._observer = None
                raise

    def leave(self, recorder: Recorder) -> None:
        with self._lock:
            self._watches.pop(recorder, None)
            observer = self._observer
            if observer is None:
                return
            observer.recorders = tuple(r for r in observer.recorders if r is not recorder)
            observer.timeline = any(r.exchanges is not None for r in observer.recorders)
            if not self._watches:  # one whose watch is about to begin is there already
                self._stack.close()
                self._observer = None


WATCHING = Watching()
