"""In a process with users: the watch of one test, from its start to its end. No Locust here."""

from __future__ import annotations

import os
import platform
import socket
import ssl
from collections import defaultdict
from collections.abc import Callable
from importlib.metadata import version

from keptalive.locust.messages import UserRecord, WorkerCounts, WorkerRecords
from keptalive.locust.recorder import UsersRecorder
from keptalive.locust.tally import Times, classes_of
from keptalive.watching.api import Watch

LIBRARIES = ("locust", "gevent", "requests", "urllib3")


class WatchedTest:
    """One test on this worker; it is watched from here on, until `end`.

    Args:
        current_user: whose code runs now, by its class and its number; None if it is nobody's.
        number: that the master has given to it.
    """

    def __init__(
        self, current_user: Callable[[], tuple[str, int] | None], *, number: int = 0
    ) -> None:
        self._current_user, self._number = current_user, number
        self._times: dict[str, Times] = defaultdict(Times)
        self._recorder = UsersRecorder(current_user)
        self._watch = Watch(recorder=self._recorder).start()

    def on_request(self, ms: float, *, failed: bool) -> None:
        """A request has ended; Locust has measured it."""
        user = self._current_user()
        self._times[user[0] if user else ""].add(ms, failed=failed)

    def counts(self) -> WorkerCounts:
        """What was counted so far."""
        return WorkerCounts(
            process=os.getpid(),
            machine=socket.gethostname(),
            started_ns=self._watch.started_ns,
            seconds=self._watch.seconds,
            test=self._number,
            classes=classes_of(self._recorder.used(), self._times),
        )

    def end(self) -> WorkerRecords:
        """Watch no longer: what was recorded."""
        self._watch.stop()
        parts = self._recorder.parts_of(self._watch.record())
        return WorkerRecords(
            counts=self.counts(),
            users=tuple(UserRecord(name=part.name, record=record) for part, record in parts),
            libraries={
                "python": platform.python_version(),
                **{name: version(name) for name in LIBRARIES},
                "openssl": ssl.OPENSSL_VERSION,
            },
        )
