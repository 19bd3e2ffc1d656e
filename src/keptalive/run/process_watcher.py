"""The watcher that `keptalive run` starts in each process of somebody's program.

It costs nothing until the program imports requests or urllib3; then a watch begins, and lasts until
the process ends. After a fork the child has a report of its own, on connections of its own.
"""

from __future__ import annotations

import _thread
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from keptalive.run.inject._keptalive_faults import is_ours
from keptalive.run.inject.importing import when_imported

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from keptalive.watching.api import Watch

# What a watch imports. If that fails, the program must not see it: it may not even use requests.
_CALLED = frozenset({"requests", "urllib3", "charset_normalizer", "chardet", "idna", "certifi"})


class Within:
    """Watches from the moment that there is something to watch."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._watch: Watch | None = None
        self._trouble: str | None = None
        self._note: Callable[[], None] = lambda: None
        self._noting: set[int] = set()  # threads that take a note just now

    def on_change(self, note: Callable[[], None]) -> None:
        """Have notes taken at new connections: never on the path of a request on a kept one."""
        self._note = note

    def after_fork(self) -> None:
        """What the parent did is the parent's."""
        if self._watch is not None:
            parents, self._stack = self._stack, ExitStack()
            self._begin(anew=True)
            parents.close()  # only now: so the hooks stay

    def _take_note(self) -> None:
        here = _thread.get_ident()
        self._noting.add(here)
        try:
            self._note()
        finally:
            self._noting.discard(here)

    def report(self) -> dict[str, Any]:
        """As `keptalive.watch`; empty if nothing was to be seen."""
        if self._watch is None:
            warnings = [self._trouble] if self._trouble else []
            return {"seconds": 0.0, "hosts": [], "left_open": 0, "warnings": warnings}
        report = self._watch.report()
        if _thread.get_ident() in self._noting:
            report["left_open"], report["left_at"] = (
                0,
                [],
            )  # they are in use, and that is not how it ends
        return report

    def start(self, module: ModuleType) -> None:
        """Requests or urllib3 has been imported, whole.

        Raises:
            Exception: one of the program's that struck meanwhile.
        """
        if module.__name__ == "urllib3" and "requests" in sys.modules:
            return  # requests is importing it, and will be told of itself
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

    def _begin(self, *, anew: bool = False) -> None:
        from keptalive.watching.api import watch  # imports requests, which may lead here again

        if self._watch is None or anew:
            self._watch = self._stack.enter_context(watch())
            self._watch.on_opening(self._take_note)


def begin() -> Within:
    """The watcher of this process."""
    within = Within()
    for name in ("requests", "urllib3"):
        when_imported(name, within.start)
    return within
