"""Inside a program that is benchmarked: `run`'s watcher, and two witnesses of what it counts.

The first counts the lines of urllib3's pool log, whether or not the program logs them: its logger
keeps its level, its handlers and all else that a program looks at. The second counts sockets that
urllib3 connects.
"""

from __future__ import annotations

import logging
import socket
import sys
import threading
from collections.abc import Callable
from typing import Any

from keptalive.bench.pool_log import event_of
from keptalive.bench.sockets import SocketWitness
from keptalive.counting import Tally, Thread
from keptalive.records.pool_events import LOGGER
from keptalive.run.inject._keptalive_faults import is_ours
from keptalive.run.process_watcher import ProcessWatcher, start_with
from keptalive.watching.patching import Replacements

POOL_LOG, SOCKETS = "pool_log", "sockets"
_METHODS = ("debug", "warning")  # by which urllib3 logs what is counted
_DEPTH = 15  # frames from a socket's connect to urllib3


class LogWitness:
    """Counts connections by urllib3's log, line by line: memory grows with the threads only."""

    def __init__(self) -> None:
        self.begin_again()

    def begin_again(self) -> None:
        """Forget what was counted: this is a fork's child."""
        # a tally for each thread: two threads could overwrite each other's numbers in one
        self._threads: dict[int, tuple[Thread, Tally]] = {}

    @property
    def opened(self) -> int:
        """Connections on which a response came."""
        return sum(tally.opened for _, tally in list(self._threads.values()))

    def listen(self) -> None:
        """Count from now on: two methods of this one logger are wrapped."""
        logger = logging.getLogger(LOGGER)
        for name in _METHODS:
            setattr(logger, name, self._wrapped(getattr(logger, name)))

    def _wrapped(self, log: Callable[..., None]) -> Callable[..., None]:
        def method(message: Any, *args: Any, **named: Any) -> None:
            self.count(message, args)
            log(message, *args, **named)

        # logging passes over its own frames when it looks for the line that logs
        file = logging.info.__code__.co_filename
        method.__code__ = method.__code__.replace(co_filename=file)
        method.__name__ = log.__name__
        return method

    def count(self, message: Any, args: tuple[Any, ...]) -> None:
        """Take a line into account, if it is one that matters."""
        try:
            number = threading.get_ident()
            event = event_of(message, args, number)
            if event is not None:
                thread, tally = self._threads.setdefault(number, (Thread(), Tally()))
                for outcome in thread.take(event):
                    tally.add(outcome)
        except Exception as error:
            if not is_ours(error):
                raise


class SocketsOfUrllib3(SocketWitness):
    """Counts connections that urllib3 makes: a program may have others, to a database perhaps."""

    def counts_this(self) -> bool:
        """Whether urllib3 is on the stack."""
        frame = sys._getframe(2)  # noqa: SLF001 - the documented way to the stack
        for _ in range(_DEPTH):
            if str(frame.f_globals.get("__name__")).startswith("urllib3."):
                return True
            if frame.f_back is None:
                break
            frame = frame.f_back
        return False


class WitnessedWatcher(ProcessWatcher):
    """The watcher, with both witnesses from the moment when there is something to watch."""

    def __init__(self) -> None:
        super().__init__()
        self._log = LogWitness()
        self._sockets: SocketsOfUrllib3 | None = None

    def begins(self) -> None:
        self._log.listen()
        self._sockets = SocketsOfUrllib3()
        Replacements().add(socket.socket, "connect", self._sockets.wrapped)

    def after_fork(self) -> None:
        self._log.begin_again()
        if self._sockets is not None:
            self._sockets.begin_again()
        super().after_fork()

    def report(self) -> dict[str, Any]:
        record = super().report()
        if self._sockets is not None:  # then requests is imported
            from keptalive.watching.observer import BYPASSES

            record["witnessed"] = {
                # before 2.29, requests sends some bodies past the pools, and their log
                **({} if BYPASSES else {POOL_LOG: self._log.opened}),
                SOCKETS: self._sockets.connected,
            }
        return record


def begin() -> ProcessWatcher:
    """The watcher of this process."""
    return start_with(WitnessedWatcher())
