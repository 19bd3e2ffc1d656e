"""What Locust calls: when a process begins, when a test begins and ends, when workers report.

A process with users watches (`_Watching`); one without workers of its own, or the master, gathers
(`_Gathering`). A Locust that runs alone is both.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

import gevent
import locust
from locust.exception import RPCError, RPCReceiveError
from locust.runners import (
    STATE_MISSING,
    STATE_RUNNING,
    STATE_SPAWNING,
    MasterRunner,
    WorkerRunner,
)

from keptalive.locust import console, ending, web
from keptalive.locust.current_user import current_user
from keptalive.locust.master import Test
from keptalive.locust.messages import KEY, WorkerCounts, WorkerRecords, packed
from keptalive.locust.worker import WatchedTest
from keptalive.quantities import listed, many

SILENT_S = 30.0  # after so long without a word, a worker is taken to be gone
MISSED_S = 10.0  # the same, if Locust misses it too
_LOCAL = "local"
_NUMBER = "keptalive_test"  # of the test, among the options that Locust's master sends to workers
_LOGGER = logging.getLogger(__name__)


def listen() -> None:
    """Have Locust call this module; once."""
    if KEY not in vars(locust.events):
        vars(locust.events)[KEY] = True
        locust.events.init.add_listener(_begins)


def _begins(environment: Any, runner: Any = None, web_ui: Any = None, **_: object) -> None:
    """A Locust process is ready; no users run yet."""
    if runner is None:
        return  # `run_single_user`: somebody looks for a mistake in a locustfile
    gathering = None
    if not isinstance(runner, WorkerRunner):
        gathering = _Gathering(environment, runner)
        console.shows(environment, lambda: gathering.test.classes())
        if web_ui is not None:
            web.shows(web_ui, lambda: gathering.test.classes(), lambda: gathering.report)
    if not isinstance(runner, MasterRunner):
        _Watching(environment, runner, gathering)
    if gathering is not None:  # after the users of this process have been recorded
        environment.events.quit.add_listener(gathering.quits)


class _Watching:
    """A process with users: a worker, or a Locust that runs alone.

    Args:
        gathering: of one that runs alone.
    """

    def __init__(self, environment: Any, runner: Any, gathering: _Gathering | None) -> None:
        self._environment, self._runner, self._gathering = environment, runner, gathering
        self._test: WatchedTest | None = None
        self._ending: gevent.Greenlet | None = None
        events = environment.events
        events.test_start.add_listener(self._test_starts)
        events.test_stop.add_listener(self._test_stops)
        events.quit.add_listener(self._test_stops)
        events.request.add_listener(self._on_request)
        events.report_to_master.add_listener(self._on_report)
        if gathering is not None:
            gathering.local_counts = self._counts

    def _test_starts(self, **_: object) -> None:
        if self._test is not None:
            self._test.end()
        number = getattr(self._environment.parsed_options, _NUMBER, 0)
        self._test = WatchedTest(current_user, number=number)

    def _test_stops(self, **_: object) -> None:
        """All users have stopped; or Locust is about to exit, and may have been stopping them."""
        if self._test is not None:
            test, self._test = self._test, None
            # in a greenlet of its own: Ctrl-C makes Locust kill the one that stops a test
            self._ending = gevent.spawn(self._ends, test)
        if self._ending is not None:
            self._ending.join()

    def _ends(self, test: WatchedTest) -> None:
        # on a thread: meanwhile Locust tells the master that this worker lives
        records = gevent.get_hub().threadpool.apply(test.end)
        if self._gathering is not None:
            self._gathering.test.has_ended(_LOCAL, records)
            self._gathering.all_have_ended()
        else:
            self._runner.send_message(KEY, gevent.get_hub().threadpool.apply(packed, (records,)))

    def _on_request(self, response_time: float, exception: object, **_: object) -> None:
        if self._test is not None:
            self._test.on_request(response_time or 0.0, failed=exception is not None)

    def _on_report(self, data: dict[str, Any], **_: object) -> None:
        """Locust is about to send the worker's figures to the master."""
        if self._test is not None:
            data[KEY] = packed(self._test.counts())

    def _counts(self) -> WorkerCounts | None:
        return None if self._test is None else self._test.counts()


class _Gathering:
    """The master, or a Locust that runs alone: what its workers report, added up.

    Attributes:
        report: of the last test that has ended; None before.
        local_counts: what the users of this process have done so far; None without a test.
    """

    def __init__(self, environment: Any, runner: Any) -> None:
        self._environment, self._runner = environment, runner
        self._tests = Test()
        self._is_shown, self._has_stopped = True, False
        self._receiving: gevent.Greenlet | None = None
        self._heard: dict[str, float] = {}  # when each worker has reported last
        self.report: Any = None
        self.local_counts: Callable[[], WorkerCounts | None] = lambda: None
        events = environment.events
        events.test_start.add_listener(self._test_starts)
        if isinstance(runner, MasterRunner):
            events.test_stop.add_listener(self._test_stops)
            events.worker_connect.add_listener(self._worker_connects)
            events.worker_report.add_listener(self._on_report)
            runner.register_message(KEY, self._on_records)

    @property
    def test(self) -> Test:
        """The test that runs, or did so last, with the newest counts."""
        if (counts := self.local_counts()) is not None:
            self._tests.has_counts(_LOCAL, counts)
        return self._tests

    def _test_starts(self, **_: object) -> None:
        self._shows_report()  # of the last one, if a worker has not reported its end yet
        number, self._tests = self._tests.number + 1, Test()
        self._is_shown, self._has_stopped = False, False
        if isinstance(self._runner, MasterRunner):
            self._tests.expected = set(self._runner.clients)
            self._heard = dict.fromkeys(self._tests.expected, time.monotonic())
            if self._environment.parsed_options is not None:
                self._tests.number = number
                setattr(self._environment.parsed_options, _NUMBER, number)

    def _worker_connects(self, client_id: str, **_: object) -> None:
        if self._runner.state in (STATE_SPAWNING, STATE_RUNNING):
            self._tests.expected.add(client_id)
            self._heard[client_id] = time.monotonic()

    def _on_report(self, client_id: str, data: Mapping[str, Any], **_: object) -> None:
        self._heard[client_id] = time.monotonic()
        if KEY in data:
            self._tests.receives(client_id, data[KEY], WorkerCounts)

    def _on_records(self, msg: Any, **_: object) -> None:
        """A worker's users have stopped."""
        self._tests.receives(msg.node_id, msg.data, WorkerRecords)
        self._ends_if_all_have()

    def _test_stops(self, **_: object) -> None:
        """The users of all workers that live have stopped; records may still come."""
        self._has_stopped = True
        self._ends_if_all_have()

    def _ends_if_all_have(self) -> None:
        known = self._runner.clients
        waited_for = [
            one for one in known if self._tests.awaits(one) and known[one].state != STATE_MISSING
        ]
        if self._has_stopped and not waited_for:
            self.all_have_ended()

    def all_have_ended(self) -> None:
        """All records are here. Without a web page Locust ends now, and the report comes last."""
        if self._environment.web_ui is not None:
            self._shows_report()

    def _shows_report(self) -> None:
        if not self._is_shown and (self._tests.counts or self._tests.unreadable):
            self._is_shown = True
            self.report = ending.ends(self._tests)

    def quits(self, **_: object) -> None:
        """Locust is about to exit: it waits half a second for workers, which may take longer.

        After a SIGTERM it comes here twice at once, and exits when the first one is done.
        """
        if isinstance(self._runner, MasterRunner) and not self._is_shown:
            self._receiving = self._receiving or gevent.spawn(self._receive_the_last)
            try:
                self._receiving.join()
            except KeyboardInterrupt:
                self._receiving.kill()
                _LOGGER.info("No longer waiting for workers.")
        self._shows_report()

    def _receive_the_last(self) -> None:
        """Read what workers still send, until all have reported, or are silent for too long."""
        said: list[str] = []
        while waited_for := [one for one in self._heard if self._tests.awaits(one)]:
            if all(self._is_gone(one) for one in waited_for):
                return
            message = None
            with gevent.Timeout(1, False):
                message = self._next_message()
            if message is None and waited_for != said:
                said = waited_for
                _LOGGER.info(
                    "Waiting for the records of %s (%s), until they are silent for %.0f seconds. "
                    "Ctrl-C: go on without.",
                    many(len(waited_for), "worker"),
                    listed(waited_for),
                    SILENT_S,
                )

    def _next_message(self) -> Any:
        """Wait for a message of any worker; None if it cannot be read."""
        try:
            worker, message = self._runner.server.recv_from_client()
        except (RPCReceiveError, RPCError) as error:
            _LOGGER.warning("A message of a worker cannot be read: %s", error)
            gevent.sleep(1)  # the next may fail at once
            return None
        self._heard[worker] = time.monotonic()
        if message.type == KEY:
            self._tests.receives(worker, message.data, WorkerRecords)
        return message

    def _is_gone(self, worker: str) -> bool:
        known = self._runner.clients.get(worker)
        is_missed = known is not None and known.state == STATE_MISSING
        silent = time.monotonic() - self._heard[worker]
        return silent > (MISSED_S if is_missed else SILENT_S)
