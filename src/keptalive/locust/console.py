"""Connections in Locust's console, between its tables of response times and as often as those."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import gevent
from locust import stats

from keptalive.locust.messages import ClassCounts
from keptalive.locust.rows import Row, rows

_LOGGER = logging.getLogger("locust.stats_logger")
_WIDEST = 24  # characters of a name


def shows(environment: Any, classes: Callable[[], Mapping[str, ClassCounts]]) -> None:
    """Print the figures of each class while a test runs, where Locust prints its own."""
    options = environment.parsed_options
    is_wanted = options is not None and (options.headless or options.print_stats)
    if not is_wanted or options.only_summary:
        return

    def prints() -> None:
        while True:
            gevent.sleep(stats.CONSOLE_STATS_INTERVAL_SEC)
            if found := rows(classes()):
                for line in lines(found):
                    _LOGGER.info(line)

    gevent.spawn(prints)


def lines(found: list[Row]) -> Iterator[str]:
    """The table, in the form of Locust's."""
    who = f"{'Connections':{_WIDEST}} {'# users':>8} {'# reqs':>9}"
    yield f"{who} | {'opened':>8} {'enough':>8} {'reused':>7}"
    yield f"{'-' * (_WIDEST + 19)}|{'-' * 26}"
    for one in found:
        reused = "-" if one.reused_percent is None else f"{one.reused_percent:.0f} %"
        users = "-" if one.users is None else one.users
        name = one.name if len(one.name) <= _WIDEST else f"{one.name[: _WIDEST - 1]}…"
        yield (
            f"{name:{_WIDEST}} {users:>8} {one.requests:>9} |"
            f" {one.opened:>8} {one.enough:>8} {reused:>7}"
        )
    yield ""
