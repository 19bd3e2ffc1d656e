"""What Locust calls: when a process begins, when a test begins and ends, when workers report.

A process with users watches (`_Watching`); one without workers of its own, or the master, gathers
(`_Gathering`). A Locust that runs alone is both.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import gevent
import locust
from locust.runners import MasterRunner, WorkerRunner

from keptalive.locust import console, ending, web
from keptalive.locust.current_user import current_user
from keptalive.locust.master import Test
from keptalive.locust.messages import KEY, WorkerCounts, WorkerRecords, packed
from keptalive.locust.worker import WatchedTest

SILENT_S = 30.0  # after so long without a word, a worker is taken to be gone
_LOCAL = "local"


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


class _Watching:
    """A process with users: a worker, or a Locust that runs alone.

    Args:
        gathering: of one that runs alone.
    """

    def __init__(self, environment: Any, runner: Any, gathering: _Gathering | None) -> None:
        self._runner, self._gathering = runner, gathering
        self._test: WatchedTest | None = None
        events = environment.events
        events.test_start.add_listener(self._test_starts)
        events.test_stop.add_listener(self._test_stops)
        events.request.add_listener(self._on_request)
        events.report_to_master.add_listener(self._on_report)
        if gathering is not None:
            gathering.local_counts = self._counts

    def _test_starts(self, **_: object) -> None:
        if self._test is not None:
            self._test.end()
        self._test = WatchedTest(current_user)

    def _test_stops(self, **_: object) -> None:
        """All users have stopped."""
        if self._test is None:
            return
        test, self._test = self._test, None
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
        self._is_shown = True
        self.report: Any = None
        self.local_counts: Callable[[], WorkerCounts | None] = lambda: None
        events = environment.events
        events.test_start.add_listener(self._test_starts)
        events.worker_connect.add_listener(self._worker_connects)
        events.worker_report.add_listener(self._on_report)
        events.quit.add_listener(self._quits)
        if isinstance(runner, MasterRunner):
            runner.register_message(KEY, self._on_records)

    @property
    def test(self) -> Test:
        """The test that runs, or did so last, with the newest counts."""
        if (counts := self.local_counts()) is not None:
            self._tests.has_counts(_LOCAL, counts)
        return self._tests

    def _test_starts(self, **_: object) -> None:
        self._tests, self._is_shown = Test(), False
        if isinstance(self._runner, MasterRunner):
            self._tests.expected = set(self._runner.clients)

    def _worker_connects(self, client_id: str, **_: object) -> None:
        if not self._is_shown:
            self._tests.expected.add(client_id)

    def _on_report(self, client_id: str, data: Mapping[str, Any], **_: object) -> None:
        if KEY in data:
            self._tests.receives(client_id, data[KEY], WorkerCounts)

    def _on_records(self, msg: Any, **_: object) -> None:
        """A worker's users have stopped."""
        self._tests.receives(msg.node_id, msg.data, WorkerRecords)
        missing = [
            one for one in self._waited_for() if self._runner.clients[one].state != "missing"
        ]
        if not missing:
            self.all_have_ended()

    def _waited_for(self) -> list[str]:
        """The workers whose records have not come, as far as Locust knows them."""
        known = self._runner.clients if isinstance(self._runner, MasterRunner) else ()
        return [one for one in known if self._is_waited_for(one)]

    def _is_waited_for(self, worker: str) -> bool:
        return worker not in self._tests.records and worker not in self._tests.unreadable

    def all_have_ended(self) -> None:
        """All records are here. Without a web page Locust ends now, and the report comes last."""
        if self._environment.web_ui is not None:
            self._shows_report()

    def _shows_report(self) -> None:
        if not self._is_shown and (self._tests.counts or self._tests.unreadable):
            self._is_shown = True
            self.report = ending.ends(self._tests)

    def _quits(self, **_: object) -> None:
        """Locust is about to exit: it waits half a second for workers, which may take longer."""
        if isinstance(self._runner, MasterRunner) and not self._is_shown:
            self._receive_the_last()
        self._shows_report()

    def _receive_the_last(self) -> None:
        """Read what workers still send, until all have reported, or are silent for too long."""
        heard = dict.fromkeys(self._tests.counts.keys() | self._tests.expected, time.monotonic())
        while waited_for := [one for one in heard if self._is_waited_for(one)]:
            now = time.monotonic()
            gone = [one for one in waited_for if heard[one] + SILENT_S < now or self._is_gone(one)]
            if len(gone) == len(waited_for):
                return
            with gevent.Timeout(1, False):
                client, message = self._runner.server.recv_from_client()
                heard[client] = time.monotonic()
                if message.type == KEY:
                    self._tests.receives(client, message.data, WorkerRecords)

    def _is_gone(self, worker: str) -> bool:
        """Whether Locust has missed it for some time already."""
        known = self._runner.clients.get(worker)
        return known is not None and known.state == "missing"
