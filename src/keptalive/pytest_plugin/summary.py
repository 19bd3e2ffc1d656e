"""`--connections`: what the whole suite opened, by cause and test, and who left a Session open.

Loaded only where it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, ExitStack
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import pytest

from keptalive.causes.judge import report
from keptalive.compare.forbidden import places_of
from keptalive.compare.limits import causes_of_all, numbers_of_all
from keptalive.records.plain import as_plain
from keptalive.records.report import UNAVOIDABLE, HostReport
from keptalive.render.suite import (
    OfTest,
    Together,
    Unclosed,
    by_cause,
    mocked,
    outside,
    shared,
    totals,
    unclosed,
)

if TYPE_CHECKING:
    from keptalive.records.process import ProcessRecord
    from keptalive.watching.api import Watch

_watch = pytest.StashKey["Watch"]()
_OF_WORKER = "keptalive_connections"  # what a worker of xdist hands to its controller


class Summary:
    """Watches every test with its fixtures, and shows for which causes they opened connections.

    The numbers travel in `user_properties`: from xdist's workers, and into JUnit's XML. A second
    watch lasts from the first import of a test to the last test: a Session that several tests
    share is left open by none of them if it is closed at last.

    Args:
        shown: how many tests for each cause; 0 for all.
        watching: watches as long as it is entered.
    """

    def __init__(self, shown: int, watching: Callable[[], AbstractContextManager[Watch]]) -> None:
        self._shown = shown
        self._watching = watching
        self._tests: dict[str, OfTest] = {}
        self._test_of: dict[int, str] = {}  # by the id of the connection that it opened
        self._failed: set[str] = set()  # their tracebacks keep responses, and so connections
        self._places: dict[str, dict[str, None]] = {}  # by cause, each place once
        self._processes: list[Together] = []
        self._stack = ExitStack()
        self._whole = self._stack.enter_context(watching())

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Watch it from its first fixture to its last."""
        with self._watching() as seen:
            item.stash[_watch] = seen
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, object, object]:
        """Note what it did, after its last fixture."""
        try:
            return (yield)
        finally:
            seen = item.stash[_watch]
            record = seen.record()
            answers = sum(one.count for one in record.circumstances if one.kind == "mocked-answers")
            if seen.opened or seen.reused or answers:
                self._note(item, record, answers)

    def _note(self, item: pytest.Item, record: ProcessRecord, answers: int) -> None:
        opened = (one.id for one in record.connections if one.attempted_s is not None)
        self._test_of.update(dict.fromkeys(opened, item.nodeid))
        hosts = report([record], source="watch").hosts
        self._note_places(hosts)
        causes = " ".join(f"{name}={count}" for name, count in causes_of_all(hosts).items())
        numbers = {**numbers_of_all(hosts), "causes": causes}
        numbers.update({"mocked": answers} if answers else {})
        item.user_properties += [(f"connections_{k}", v) for k, v in numbers.items()]

    def _note_places(self, hosts: Sequence[HostReport]) -> None:
        for cause in (one for host in hosts for one in host.causes if one.count):
            if cause.cause not in UNAVOIDABLE:
                self._places.setdefault(cause.cause, {}).update(dict.fromkeys(places_of(cause)))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep what a test did, in whatever process it ran."""
        if report.failed:
            self._failed.add(report.nodeid)
        did: dict[str, Any] = dict(report.user_properties)
        if "connections_opened" in did:
            self._tests[report.nodeid] = OfTest(
                opened=did["connections_opened"],
                perfect=did["connections_perfect"],
                reused=did["connections_reused"],
                causes=_counts(did["connections_causes"]),
                mocked=did.get("connections_mocked", 0),
            )

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """See what is still open, and what one Session for all tests would have opened."""
        together = self._together(self._whole.record())
        output = getattr(session.config, "workeroutput", None)
        if output is None:
            self._processes.append(together)
        else:
            output[_OF_WORKER] = as_plain(together._asdict())

    def _together(self, record: ProcessRecord) -> Together:
        whole = report([record], source="watch")
        left: dict[Unclosed, None] = {}
        outside: dict[str, int] = {}
        for one in record.connections:
            test = self._test_of.get(one.id)
            is_left = one.end.collected if one.end is not None else bool(one.served)
            if is_left and test is not None and test not in self._failed:
                made = one.facts.session_location or one.facts.session_entered or ""
                left[Unclosed(test, made)] = None
            if one.served and one.attempted_s is not None and test is None:
                place = one.facts.where or ""
                outside[place] = outside.get(place, 0) + 1
        return Together(
            perfect=numbers_of_all(whole.hosts)["perfect"],
            saved_s=sum(host.seconds_saved or 0.0 for host in whole.hosts),
            outside=outside,
            places={cause: tuple(places) for cause, places in self._places.items()},
            unclosed=tuple(left),
        )

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """A worker of xdist has ended, and says what it saw; nothing if it crashed."""
        together = Together(**getattr(node, "workeroutput", {}).get(_OF_WORKER, {}))
        left = tuple(Unclosed(*one) for one in together.unclosed)
        self._processes.append(together._replace(unclosed=left))

    def pytest_unconfigure(self) -> None:
        """Watch no more."""
        self._stack.close()

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Show what was opened for which cause by which tests, and what all did together."""
        terminalreporter.write_sep("=", "connections", bold=True)
        tests, processes = self._tests, self._processes
        width = terminalreporter.config.get_terminal_writer().fullwidth
        for line in by_cause(tests, processes, shown=self._shown, width=width):
            terminalreporter.write_line(line)
        terminalreporter.write_line(totals(tests), bold=True)
        lines = [*outside(processes), *shared(tests, processes), *mocked(tests)]
        lines = [part for line in lines for part in wrap(line, width)]
        for line in (*lines, *unclosed(processes, width=width)):
            terminalreporter.write_line(line)


def _counts(causes: str) -> dict[str, int]:
    """Numbers by name, of a text such as "new-session=2 first-use=1"."""
    pairs = (one.rpartition("=") for one in causes.split())
    return {name: int(count) for name, _, count in pairs}
