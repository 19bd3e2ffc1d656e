"""The pytest plugin: fixtures `connections` and `keepalive_server`, the marker, `--connections`.

pytest loads it wherever keptalive is installed. So nothing of requests, urllib3 or rich is imported
before a test asks to be watched. (PYTEST_DONT_REWRITE: it asserts nothing.)
"""

from __future__ import annotations

import argparse
from collections.abc import Generator, Iterator, Mapping
from typing import TYPE_CHECKING

import pytest

from keptalive.errors import UsageError
from keptalive.pytest_plugin import deferred, rules
from keptalive.pytest_plugin.connections import Connections
from keptalive.pytest_plugin.rules import MARKER, MARKER_HELP

if TYPE_CHECKING:
    from keptalive.pytest_plugin.server import KeepaliveServer
    from keptalive.records.report import Report

IN_EXTRA_INFO = "connections"  # the key of pytest-benchmark's extra_info
SHOWN = 10  # tests for each cause in the summary, as --durations would have it

_refused = pytest.StashKey[str]()


class NothingSeen(pytest.PytestWarning):
    """A test with the marker `connections` in which no connection was seen: it checks nothing."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--connections`, and the settings for the ini file."""
    parser.getgroup("keptalive", "connections of requests and urllib3").addoption(
        "--connections",
        nargs="?",
        type=_how_many,
        const=SHOWN,
        metavar="N",
        help=f"Show for which causes the tests opened connections, where in the code, and for each "
        f"cause the N tests that opened the most (default {SHOWN}; 0: all); and what one Session "
        f"for all tests would have saved",
    )
    rules.add_settings(parser)


def _how_many(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a number; put --connections last, or use --connections={SHOWN}"
        )
    return int(text)


def pytest_configure(config: pytest.Config) -> None:
    """Add the marker; watch every test with `--connections`."""
    config.addinivalue_line("markers", MARKER_HELP)
    rules.read_settings(config)
    shown = config.getoption("--connections")
    if shown is not None:
        from keptalive.pytest_plugin.summary import Summary

        config.pluginmanager.register(Summary(shown, deferred.watching), "keptalive-summary")


# -- Fixtures ------------------------------------------------------------------------------------


@pytest.fixture
def connections() -> Iterator[Connections]:
    """The connections that this test opens through requests and urllib3, and why.

    connections.assert_opened(at_most=1) fails with the causes and their cures; .opened, .perfect,
    .reused and .reopened are numbers, .causes has the number for each cause, .report() is
    everything.
    """
    with deferred.watching() as seen:
        yield Connections(seen)


@pytest.fixture(scope="session")
def shared_keepalive_server() -> Iterator[KeepaliveServer]:
    """The server of keepalive_server, for fixtures of a wider scope: a client for all tests.

    What such a fixture expects stays expected; keepalive_server forgets what a test expects.
    """
    from keptalive.pytest_plugin.server import KeepaliveServer

    with KeepaliveServer() as server:
        yield server


@pytest.fixture
def keepalive_server(shared_keepalive_server: KeepaliveServer) -> Iterator[KeepaliveServer]:
    """An HTTP/1.1 server on 127.0.0.1 that keeps its connections, and answers what the test sets.

    keepalive_server.expect_request("/user").respond_with_json({"id": 1}), or .respond_with_data or
    .respond_with_handler; .url and .url_for(path) are its address, .requests what has arrived,
    .accepted its own count of connections; .drop_connections() closes them.
    """
    with shared_keepalive_server.for_one_test() as server:
        yield server


# -- The marker ----------------------------------------------------------------------------------


@pytest.hookimpl(trylast=True)  # when every conftest has marked what it wants
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Refuse markers that make no sense, before the first test."""
    marked = [item for item in items if item.get_closest_marker(MARKER)]
    if marked or rules.has_settings(config) or config.getoption("--connections") is not None:
        deferred.watcher()  # here, since a test may forge files, time or modules
    if hasattr(config, "workerinput"):
        return  # xdist knows no usage errors of its workers: the test itself will fail
    try:
        for item in marked:
            rules.rule_of(item)
    except UsageError as wrong:
        raise pytest.UsageError(deferred.shown(str(wrong))) from None


# Innermost, so that what pytest and other plugins do around a test is not counted
@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Watch the call of a test that has a rule or the fixture, and check its rule."""
    try:
        rule = rules.rule_of(item)
    except UsageError as wrong:  # of a marker that was set after the collection
        raise pytest.fail.Exception(deferred.shown(str(wrong)), pytrace=False) from None
    used: Mapping[str, object] = getattr(item, "funcargs", {})
    if rule is None and not isinstance(used.get("connections"), Connections):
        return (yield)
    with deferred.watching() as seen:
        try:
            returned = yield
        finally:
            report = seen.result()
            _add_to_benchmark(used.get("benchmark"), report)
            refusal = None if rule is None else deferred.refusal(rule, report)
            if refusal is not None:
                item.stash[_refused] = refusal
    if rule is not None and refusal is not None:
        pytest.fail(f"{refusal}\n\n{rules.place_of(item, rule)}", pytrace=False)
    _warn_if_nothing_was_seen(item, report)
    return returned


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show a broken rule beside a failure of the test's own."""
    report = yield
    if call.when == "call" and (refusal := item.stash.get(_refused, None)) is not None:
        del item.stash[_refused]  # the test may be run again
        # Where the failure does not say it, the test failed for a reason of its own
        if report.failed and refusal not in report.longreprtext:
            report.sections.append(("connections", refusal))
    return report


def _warn_if_nothing_was_seen(item: pytest.Item, report: Report) -> None:
    """Warn of a marker that has nothing to check, if it does not ask for just that."""
    marker = item.get_closest_marker(MARKER)
    if marker is None or 0 in (marker.kwargs.get("at_most"), marker.kwargs.get("exactly")):
        return
    message = deferred.nothing_seen(report, rules.as_written(marker))
    if message is None:
        return
    try:
        item.warn(NothingSeen(message))
    except NothingSeen as error:  # warnings are errors here
        pytest.fail(f"{error}\n\n{item.location[0]}:{(item.location[1] or 0) + 1}", pytrace=False)


def _add_to_benchmark(benchmark: object, report: Report) -> None:
    """Put the numbers of this call with those of pytest-benchmark, if the test uses it."""
    extra_info = getattr(benchmark, "extra_info", None)
    if isinstance(extra_info, dict):
        extra_info[IN_EXTRA_INFO] = deferred.numbers_of(report)
