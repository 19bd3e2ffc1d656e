"""The pytest plugin: the fixture and the marker `connections`, and the option `--connections`.

pytest loads it wherever keptalive is installed. So nothing of requests, urllib3 or rich is imported
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
    from keptalive.records.report import Report
    from keptalive.watching.api import Watch

MARKER = "connections"
MARKER_HELP = (
    "connections(at_most=N, exactly=N, per_host=False): fail the test if its call opens more (or, "
    "with exactly, another number of) connections through requests or urllib3, to all hosts "
    "together or to each. The nearest marker wins."
)
IN_EXTRA_INFO = "connections"  # the key of pytest-benchmark's extra_info
SHOWN = 10  # tests in the summary, as --durations would have it

_refused = pytest.StashKey[str]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--connections`."""
    parser.getgroup("keptalive", "connections of requests and urllib3").addoption(
        "--connections",
        nargs="?",
        type=_how_many,
        const=SHOWN,
        metavar="N",
        help=f"Show the N tests that opened the most connections, with how many would be enough "
        f"and the most expensive cause (default {SHOWN}; 0: all tests)",
    )


def _how_many(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a number; use --connections={SHOWN}")
    return int(text)


def pytest_configure(config: pytest.Config) -> None:
    """Add the marker; watch every test with `--connections`."""
    config.addinivalue_line("markers", MARKER_HELP)
    shown = config.getoption("--connections")
    if shown is not None:
        from keptalive.pytest_plugin.summary import Summary

        config.pluginmanager.register(Summary(shown, _watching), "keptalive-summary")


# -- The fixture ---------------------------------------------------------------------------------


class Connections:
    """What went through requests and urllib3 since the fixture was set up, on all threads."""

    def __init__(self, seen: Watch) -> None:
        self._seen = seen

    @property
    def opened(self) -> int:
        """Connections opened so far on which a response came, reopened ones included."""
        return self._seen.opened

    @property
    def reused(self) -> int:
        """Responses that came on a kept connection."""
        return self._seen.reused

    @property
    def reopened(self) -> int:
        """Connections that replaced a dropped one."""
        return _numbers(self._seen.result())["reopened"]

    @property
    def perfect(self) -> int:
        """Connections that perfect reuse would have opened so far, to all hosts together."""
        return _numbers(self._seen.result())["perfect"]

    @property
    def causes(self) -> Mapping[str, int]:
        """How many were opened for which cause, over all hosts; unavoidable ones come last."""
        return _causes(self._seen.result())

    def report(self) -> dict[str, Any]:
        """Hosts, causes, costs and cures, as `keptalive.watch()` reports them."""
        return self._seen.report()

    def assert_opened(
        self, *, at_most: int | None = None, exactly: int | None = None, per_host: bool = False
    ) -> None:
        """Fail the test if too many connections, or too few, were opened so far.

        Args:
            at_most: the most that is allowed.
            exactly: the one number that is allowed.
            per_host: whether the number is for each host, instead of all together.

        Raises:
            AssertionError: with the causes and their cures.
            UsageError: for numbers that make no sense.
        """
        __tracebackhide__ = True
        try:
            limit = _limits().Limit(at_most=at_most, exactly=exactly, per_host=per_host)
        except UsageError as wrong:
            raise UsageError(f"assert_opened: {wrong}") from None
        refusal = _refusal(limit, self._seen)
        if refusal is not None:
            raise AssertionError(refusal)

    def __repr__(self) -> str:
        report = self._seen.result()
        numbers = ", ".join(f"{name}={n}" for name, n in _numbers(report).items())
        return f"Connections({numbers}, causes={_causes(report)})"


@pytest.fixture
def connections() -> Iterator[Connections]:
    """The connections that this test opens through requests and urllib3, and why.

    connections.assert_opened(at_most=1) fails with the causes and their cures; .opened, .perfect,
    .reused, .reopened and .causes are numbers, .report() is everything.
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
        limit: Limit = _limits().limit_of(marker.args, marker.kwargs)
    except UsageError as wrong:
        raise UsageError(f"{item.nodeid}: the marker {_as_written(marker)}: {wrong}") from None
    return limit


def _as_written(marker: pytest.Mark) -> str:
    arguments = [*map(repr, marker.args), *(f"{k}={v!r}" for k, v in marker.kwargs.items())]
    return f"{marker.name}({', '.join(arguments)})"


# Innermost, so that what pytest and other plugins do around a test is not counted
@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Watch the call of a test that has the marker or the fixture, and check its limit."""
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
            _add_to_benchmark(used.get("benchmark"), seen)
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


def _add_to_benchmark(benchmark: object, seen: Watch) -> None:
    """Put the numbers of this call with those of pytest-benchmark, if the test uses it."""
    extra_info = getattr(benchmark, "extra_info", None)
    if isinstance(extra_info, dict):
        extra_info[IN_EXTRA_INFO] = _numbers(seen.result())


# -- What they share -----------------------------------------------------------------------------


def _limits() -> ModuleType:
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


def _numbers(report: Report) -> dict[str, int]:
    return cast("dict[str, int]", _limits().numbers_of_all(report.hosts))


def _causes(report: Report) -> dict[str, int]:
    return cast("dict[str, int]", _limits().causes_of_all(report.hosts))


def _shown(text: str) -> str:
    """What the plugin prints, without the secrets of this process, and with nothing to obey."""
    return cast("str", _redaction().shown(text))


def _redaction() -> ModuleType:
    from keptalive import redaction

    redaction.IN_USE.add_from(os.environ)
    return redaction


def _refusal(limit: Limit, seen: Watch) -> str | None:
    from keptalive.render.in_tests import refusal

    _redaction()
    return refusal(limit, seen.result())
