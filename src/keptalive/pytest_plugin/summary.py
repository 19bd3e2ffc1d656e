"""What `--connections` shows: which tests opened the most, and which left a Session open.

Loaded only where it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from keptalive.causes.judge import report
from keptalive.compare.limits import causes_of_all, numbers_of_all
from keptalive.render.in_tests import (
    OfTest,
    Together,
    Unclosed,
    busiest,
    mocked,
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
    """Watches every test with its fixtures, and shows those that opened the most.

    The numbers travel in `user_properties`: from xdist's workers, and into JUnit's XML. A second
    watch lasts from the first import of a test to the last test: a Session that several tests
    share is left open by none of them if it is closed at last.

    Args:
        shown: how many tests; 0 for all.
        watching: watches as long as it is entered.
    """

    def __init__(self, shown: int, watching: Callable[[], AbstractContextManager[Watch]]) -> None:
        self._shown = shown
        self._watching = watching
        self._tests: dict[str, OfTest] = {}
        self._test_of: dict[int, str] = {}  # by the id of the connection that it opened
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
        cause = next(iter(causes_of_all(hosts)), "")
        numbers = {**numbers_of_all(hosts), "cause": cause}
        numbers.update({"mocked": answers} if answers else {})
        item.user_properties += [(f"connections_{k}", v) for k, v in numbers.items()]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep what a test did, in whatever process it ran."""
        did: dict[str, Any] = dict(report.user_properties)
        if "connections_opened" in did:
            numbers = [did.get(f"connections_{name}", 0) for name in OfTest._fields]
            self._tests[report.nodeid] = OfTest(*numbers)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """See what is still open, and what one Session for all tests would have opened."""
        together = self._together(self._whole.record())
        output = getattr(session.config, "workeroutput", None)
        if output is None:
            self._processes.append(together)
        else:
            output[_OF_WORKER] = [*together[:2], [list(one) for one in together.unclosed]]

    def _together(self, record: ProcessRecord) -> Together:
        whole = report([record], source="watch")
        left: dict[Unclosed, None] = {}
        for one in record.connections:
            is_left = one.end.collected if one.end is not None else bool(one.served)
            if is_left and one.id in self._test_of:
                left[
                    Unclosed(
                        self._test_of[one.id],
                        one.facts.session_location or one.facts.session_entered or "",
                    )
                ] = None
        return Together(
            perfect=numbers_of_all(whole.hosts)["perfect"],
            saved_s=sum(host.seconds_saved or 0.0 for host in whole.hosts),
            unclosed=tuple(left),
        )

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """A worker of xdist has ended, and says what it saw."""
        perfect, saved_s, left = getattr(node, "workeroutput", {}).get(_OF_WORKER, (0, 0.0, ()))
        self._processes.append(Together(perfect, saved_s, tuple(Unclosed(*one) for one in left)))

    def pytest_unconfigure(self) -> None:
        """Watch no more."""
        self._stack.close()

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Show the tests that opened the most, and what all did together."""
        terminalreporter.write_sep("=", "connections", bold=True)
        width = terminalreporter.config.get_terminal_writer().fullwidth
        for line in busiest(self._tests, shown=self._shown, width=width):
            terminalreporter.write_line(line)
        terminalreporter.write_line(totals(self._tests), bold=True)
        lines = [*shared(self._tests, self._processes), *mocked(self._tests)]
        for line in (*lines, *unclosed(self._processes, width=width)):
            terminalreporter.write_line(line)
