"""What `--connections` shows: which tests opened the most. Loaded only where it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import pytest

from keptalive.compare.limits import causes_of_all, numbers_of_all
from keptalive.render.in_tests import OfTest, busiest, totals

if TYPE_CHECKING:
    from keptalive.watching.api import Watch

_whole = pytest.StashKey["Watch"]()


class Summary:
    """Watches every test with its fixtures, and shows those that opened the most.

    The numbers travel in `user_properties`: from xdist's workers, and into JUnit's XML.

    Args:
        shown: how many tests; 0 for all.
        watching: watches as long as it is entered.
    """

    def __init__(self, shown: int, watching: Callable[[], AbstractContextManager[Watch]]) -> None:
        self._shown = shown
        self._watching = watching
        self._tests: dict[str, OfTest] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Watch it from its first fixture to its last."""
        with self._watching() as seen:
            item.stash[_whole] = seen
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, object, object]:
        """Note what it did, after its last fixture."""
        try:
            return (yield)
        finally:
            seen = item.stash[_whole]
            if seen.opened or seen.reused:
                hosts = seen.result().hosts
                numbers = {**numbers_of_all(hosts), "cause": next(iter(causes_of_all(hosts)), "")}
                item.user_properties += [(f"connections_{k}", v) for k, v in numbers.items()]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep what a test did, in whatever process it ran."""
        did: dict[str, Any] = dict(report.user_properties)
        if "connections_opened" in did:
            self._tests[report.nodeid] = OfTest(*(did[f"connections_{k}"] for k in OfTest._fields))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Show the tests that opened the most, and what all did together."""
        terminalreporter.write_sep("=", "connections", bold=True)
        width = terminalreporter.config.get_terminal_writer().fullwidth
        for line in busiest(self._tests, shown=self._shown, width=width):
            terminalreporter.write_line(line)
        terminalreporter.write_line(totals(self._tests), bold=True)
