"""pytest's door: the fixture `connections`, the marker of the same name, and `--connections`.

It is loaded wherever keptalive is installed. So nothing of requests, urllib3 or rich is imported
before a test asks to be watched. (PYTEST_DONT_REWRITE: it asserts nothing.)
"""

from __future__ import annotations

import argparse
import os
import warnings
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, cast

import pytest

from keptalive.errors import UsageError

if TYPE_CHECKING:
    from types import ModuleType

    from keptalive.compare.limits import Limit
    from keptalive.render.in_tests import Did
    from keptalive.watching.api import Watch

MARKER = "connections"
MARKER_HELP = (
    "connections(at_most=N, exactly=N, per_host=False): fail the test if its call opens more (or, "
    "with exactly, another number of) connections through requests or urllib3, to all hosts "
    "together or to each. The closest marker holds."
)
IN_EXTRA_INFO = "connections"  # the key of pytest-benchmark's extra_info
SHOWN = 10  # tests in the summary, as --durations would have it

_refused = pytest.StashKey[str]()
_whole = pytest.StashKey["Watch"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Know `--connections`."""
    parser.getgroup("keptalive", "connections of requests and urllib3").addoption(
        "--connections",
        nargs="?",
        type=_how_many,
        const=SHOWN,
        metavar="N",
        help=f"Show the N tests that opened the most connections (default {SHOWN}; 0: all of them)",
    )


def _how_many(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no number: write --connections={SHOWN}")
    return int(text)


def pytest_configure(config: pytest.Config) -> None:
    """Know the marker; watch every test if that was asked for."""
    config.addinivalue_line("markers", MARKER_HELP)
    shown = config.getoption("--connections")
    if shown is not None:
        config.pluginmanager.register(_Summary(shown), "keptalive-summary")


# -- The fixture ---------------------------------------------------------------------------------


class Connections:
    """What went through requests and urllib3 since the fixture was set up, on all threads."""

    def __init__(self, seen: Watch) -> None:
        self._seen = seen

    @property
    def opened(self) -> int:
        """Connections opened so far and answered on, reopened ones included."""
        return self._seen.opened

    @property
    def reused(self) -> int:
        """Responses that came on a kept connection."""
        return self._seen.reused

    @property
    def reopened(self) -> int:
        """Connections that replaced a dropped one."""
        return _numbers(self._seen)["reopened"]

    @property
    def causes(self) -> Mapping[str, int]:
        """How many were opened for which cause, over all hosts; what is owed comes last."""
        causes: dict[str, int] = _analysis().causes_of_all(self.report()["hosts"])
        return causes

    def report(self) -> dict[str, Any]:
        """Hosts, causes, costs and cures, as `keptalive.watch()` reports them."""
        return self._seen.report()

    def assert_opened(
        self, *, at_most: int | None = None, exactly: int | None = None, per_host: bool = False
    ) -> None:
        """Fail the test unless so many connections were opened so far.

        Args:
            at_most: no more than so many.
            exactly: neither more nor fewer.
            per_host: whether each host may have so many, instead of all together.

        Raises:
            AssertionError: with the causes and their cures.
            UsageError: for numbers that make no sense.
        """
        __tracebackhide__ = True
        try:
            limit = _analysis().Limit(at_most=at_most, exactly=exactly, per_host=per_host)
        except UsageError as wrong:
            raise UsageError(f"assert_opened: {wrong}") from None
        refusal = _refusal(limit, self._seen)
        if refusal is not None:
            raise AssertionError(refusal)

    def __repr__(self) -> str:
        numbers = ", ".join(f"{name}={n}" for name, n in _numbers(self._seen).items())
        return f"Connections({numbers}, causes={self.causes})"


@pytest.fixture
def connections() -> Iterator[Connections]:
    """The connections that this test opens through requests and urllib3, and why.

    connections.assert_opened(at_most=1) fails with the causes and their cures; .opened, .reused,
    .reopened and .causes are numbers, .report() is everything.
    """
    with _watching() as seen:
        yield Connections(seen)


# -- The marker ----------------------------------------------------------------------------------


@pytest.hookimpl(trylast=True)  # when every conftest has marked what it wants
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Refuse markers that make no sense, before the first test."""
    marked = [item for item in items if item.get_closest_marker(MARKER)]
    if marked or config.getoption("--connections") is not None:
        _watcher()  # here, since a test may forge files, time or modules
    if hasattr(config, "workerinput"):
        return  # xdist knows no usage errors of its workers: the test itself will fail
    try:
        for item in marked:
            _limit(item)
    except UsageError as wrong:
        raise pytest.UsageError(_shown(str(wrong))) from None


def _limit(item: pytest.Item) -> Limit | None:
    marker = item.get_closest_marker(MARKER)
    if marker is None:
        return None
    try:
        limit: Limit = _analysis().limit_of(marker.args, marker.kwargs)
    except UsageError as wrong:
        raise UsageError(f"{item.nodeid}: the marker {_as_written(marker)}: {wrong}") from None
    return limit


def _as_written(marker: pytest.Mark) -> str:
    arguments = [*map(repr, marker.args), *(f"{k}={v!r}" for k, v in marker.kwargs.items())]
    return f"{marker.name}({', '.join(arguments)})"


# Innermost, so that what pytest and other plugins do around a test is not counted
@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Watch the call of a test that has the marker or the fixture, and hold it to its limit."""
    try:
        limit = _limit(item)
    except UsageError as wrong:  # of a marker that was set after the collection
        raise pytest.fail.Exception(_shown(str(wrong)), pytrace=False) from None
    used: Mapping[str, object] = getattr(item, "funcargs", {})
    if limit is None and not isinstance(used.get("connections"), Connections):
        return (yield)
    with _watching() as seen:
        try:
            returned = yield
        finally:
            _tell_benchmark(used.get("benchmark"), seen)
            refusal = None if limit is None else _refusal(limit, seen)
            if refusal is not None:
                item.stash[_refused] = refusal
    if refusal is not None:
        pytest.fail(f"{refusal}\n\n{_place(item)}", pytrace=False)
    return returned


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show a broken limit beside a failure of the test's own."""
    report = yield
    if call.when == "call" and (refusal := item.stash.get(_refused, None)) is not None:
        del item.stash[_refused]  # the test may be run again
        # Where the failure does not say it, the test failed for a reason of its own
        if report.failed and refusal not in report.longreprtext:
            report.sections.append(("connections", refusal))
    return report


def _place(item: pytest.Item) -> str:
    path, line, _ = item.location
    marker = cast("pytest.Mark", item.get_closest_marker(MARKER))
    return _shown(f"{path}:{(line or 0) + 1}: marked {_as_written(marker)}")


def _tell_benchmark(benchmark: object, seen: Watch) -> None:
    """Put the numbers of this call with those of pytest-benchmark, if the test uses it."""
    extra_info = getattr(benchmark, "extra_info", None)
    if isinstance(extra_info, dict):
        extra_info[IN_EXTRA_INFO] = _numbers(seen)


# -- The summary ---------------------------------------------------------------------------------


class _Summary:
    """Watches every test whole, its fixtures too, and shows those that opened the most.

    The numbers travel in `user_properties`: from xdist's workers, and into JUnit's XML.
    """

    def __init__(self, shown: int) -> None:
        self._shown = shown
        self._tests: dict[str, Did] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        with _watching() as seen:
            item.stash[_whole] = seen
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, object, object]:
        try:
            return (yield)
        finally:
            seen = item.stash[_whole]
            if seen.opened or seen.reused:
                causes = _analysis().causes_of_all(seen.report()["hosts"])
                numbers = {**_numbers(seen), "cause": next(iter(causes), "")}
                item.user_properties += [(f"connections_{k}", v) for k, v in numbers.items()]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        did: dict[str, Any] = dict(report.user_properties)
        if "connections_opened" in did:
            opened, reused = did["connections_opened"], did["connections_reused"]
            self._tests[report.nodeid] = opened, reused, did["connections_cause"]

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        from keptalive.render.in_tests import busiest, totals

        terminalreporter.write_sep("=", "connections", bold=True)
        width = terminalreporter.config.get_terminal_writer().fullwidth
        for line in busiest(self._tests, shown=self._shown, width=width):
            terminalreporter.write_line(line)
        terminalreporter.write_line(totals(self._tests), bold=True)


# -- What they share -----------------------------------------------------------------------------


def _analysis() -> ModuleType:
    from keptalive.compare import limits

    return limits


@contextmanager
def _watching() -> Iterator[Watch]:
    with _watcher()() as seen:
        yield seen


def _watcher() -> Callable[[], AbstractContextManager[Watch]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of our import the project's tests know nothing
        from keptalive import watch
    return watch


def _numbers(seen: Watch) -> dict[str, int]:
    reopened = sum(host["reopened"] for host in seen.report()["hosts"])
    return {"opened": seen.opened, "reused": seen.reused, "reopened": reopened}


def _shown(text: str) -> str:
    """What the plugin says, without the secrets of this process, and with nothing to obey."""
    return cast("str", _redaction().shown(text))


def _redaction() -> ModuleType:
    from keptalive import redaction

    redaction.IN_USE.add_from(os.environ)
    return redaction


def _refusal(limit: Limit, seen: Watch) -> str | None:
    from keptalive.render.in_tests import refusal

    _redaction()
    return refusal(limit, seen.report())
