"""The watcher that `keptalive run` starts in each process of somebody's program.

It costs nothing until the program imports requests or urllib3; then a watch begins, and lasts until
the process ends. After a fork the child has a record of its own, on connections of its own.
"""

from __future__ import annotations

import _thread
import os
import sys
import time

from keptalive.run.inject._keptalive_calls import like
from keptalive.run.inject._keptalive_faults import is_ours
from keptalive.run.inject._keptalive_names import TIMELINE, TUNED
from keptalive.run.inject.importing import when_imported, when_imported_within

TYPE_CHECKING = False  # typing costs more than all of this, and so does contextlib
if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack
    from types import ModuleType
    from typing import Any

    from keptalive.run.tuned_adapters import Tuning
    from keptalive.watching.api import Watch

_COPY, _CLIENT = "unwatched-urllib3", "unwatched-client"
_COPY_ENDING = ".urllib3.connection"
_SIGNALS_IN_C = ("gevent", "gi", "uwsgi")
_CLIENTS = ("httpx", "aiohttp", "niquests", "pycurl", "curl_cffi")  # are not watched

# What a watch imports. If that fails, the program must not see it: it may not even use requests.
_CALLED = frozenset({"requests", "urllib3", "charset_normalizer", "chardet", "idna", "certifi"})


class ProcessWatcher:
    """Watches from the moment that there is something to watch."""

    def __init__(self) -> None:
        self._stack: ExitStack | None = None
        self._watch: Watch | None = None
        self._as_plain: Callable[[Any], Any]
        self._tuning: Tuning | None = None
        self._trouble: str | None = None
        self._note: Callable[[], None] = lambda: None
        self._noting: set[int] = set()  # threads that take a note just now
        self._copies: dict[tuple[str, str], int] = {}  # `unwatched.Counts`
        self._began = time.time_ns(), time.perf_counter()

    def on_change(self, note: Callable[[], None]) -> None:
        """Have notes taken at new connections: never on the path of a request on a kept one."""
        self._note = note

    def on_signals_in_c(self, withdraw: Callable[[], None]) -> None:
        """Have this called where the program may handle signals past the module `signal`."""
        for name in _SIGNALS_IN_C:
            when_imported(name, lambda _: withdraw())
        when_imported("faulthandler", lambda module: _before(module, "register", withdraw))

    def after_fork(self) -> None:
        """What the parent did is the parent's."""
        self._began = time.time_ns(), time.perf_counter()
        self._copies.clear()
        if self._tuning is not None:
            self._tuning.begin_again()
        parents = self._stack
        if self._watch is not None and parents is not None:
            from keptalive.watching.api import watch

            self._watch_with(watch)
            parents.close()  # only now: so the hooks stay

    def _take_note(self) -> None:
        here = _thread.get_ident()
        self._noting.add(here)
        try:
            self._note()
        finally:
            self._noting.discard(here)

    def report_so_far(self) -> dict[str, Any]:
        """`report`, where the process goes on: what is in use is not left open."""
        here = _thread.get_ident()
        is_noting = here in self._noting
        self._noting.add(here)
        try:
            return self.report()
        finally:
            if not is_noting:
                self._noting.discard(here)

    def report(self) -> dict[str, Any]:
        """This process's `ProcessRecord` as plain data; no traffic if nothing was to be seen."""
        if self._watch is None:
            return self._without_traffic()
        record: dict[str, Any] = self._as_plain(self._watch.record())
        record["earlier_s"] = max(0.0, (record["started_ns"] - self._began[0]) / 1e9)
        record["circumstances"] = [*record["circumstances"], *self._unwatched()]
        if self._tuning is not None:
            record["circumstances"] += self._tuning.circumstances()
            record["warnings"] = [*record["warnings"], *filter(None, [self._tuning.trouble])]
        if _thread.get_ident() in self._noting:
            # they are in use, and that is not how it ends
            record["left_open"], record["left_at"] = 0, []
        return record

    def _without_traffic(self) -> dict[str, Any]:
        """What `as_plain` makes of a record, without importing that class into the program."""
        started_ns, began = self._began
        return {
            "process": os.getpid(),
            "started_ns": started_ns,
            "seconds": time.perf_counter() - began,
            "circumstances": self._unwatched(),
            "warnings": [self._trouble] if self._trouble else [],
        }

    def _unwatched(self) -> list[dict[str, Any]]:
        """The clients that were imported and are not watched, as `Circumstance`s."""
        clients = [{"kind": _CLIENT, "detail": name} for name in _CLIENTS if name in sys.modules]
        copies = [
            {"kind": _COPY, "host": host, "detail": name, "count": count}
            for (name, host), count in self._copies.items()
        ]
        return [*clients, *copies]

    def count(self, module: ModuleType) -> None:
        """Some package's own copy of urllib3 has been imported: count what it opens."""
        from keptalive.watching.copies import count_connections

        try:
            count_connections(module, self._copies)
        except Exception as error:  # ours: this copy is not the urllib3 that we know
            if not is_ours(error):
                raise
            self._trouble = f"{module.__name__} is not counted: {type(error).__name__}: {error}"

    def start(self, module: ModuleType) -> None:
        """Begin the watch: requests or urllib3 has been imported, whole.

        Raises:
            Exception: one of the program's that struck meanwhile.
        """
        if module.__name__ == "urllib3" and "requests" in sys.modules:
            return  # requests is importing it, and has a call of its own
        try:
            self._begin()
        except Exception as error:  # ours: these are not the modules that we know
            if not is_ours(error, _CALLED):
                raise
            self._trouble = (
                f"urllib3 is used without requests, and not watched: {error}"
                if isinstance(error, ImportError) and module.__name__ == "urllib3"
                else f"{module.__name__} is not watched: {type(error).__name__}: {error}"
            )

    def _begin(self) -> None:
        from keptalive.records.plain import as_plain
        from keptalive.watching.api import watch  # imports requests, which may lead here again

        if self._watch is None:
            self._as_plain = as_plain
            self._watch_with(watch)
            self.begins()
            if os.environ.get(TUNED) == "1":
                from keptalive.run.tuned_adapters import begin

                self._tuning = begin()

    def begins(self) -> None:
        """Called once, when the watch has begun."""

    def _watch_with(self, watch: Callable[..., Any]) -> None:
        from contextlib import ExitStack

        self._stack = ExitStack()
        timeline = os.environ.get(TIMELINE) == "1"
        self._watch = self._stack.enter_context(watch(timeline=timeline))
        self._watch.on_opening(self._take_note)


def _before(module: ModuleType, name: str, call: Callable[[], None]) -> None:
    """Call this before each call of a function of this module."""
    theirs = getattr(module, name)

    def ours(*args: Any, **named: Any) -> Any:
        call()
        return theirs(*args, **named)

    setattr(module, name, like(theirs, ours))


def begin() -> ProcessWatcher:
    """The watcher of this process."""
    return start_with(ProcessWatcher())


def start_with(watcher: ProcessWatcher) -> ProcessWatcher:
    """This watcher, which begins when the program imports requests or urllib3."""
    for name in ("requests", "urllib3"):
        when_imported(name, watcher.start)
    when_imported_within(_COPY_ENDING, watcher.count)
    return watcher
