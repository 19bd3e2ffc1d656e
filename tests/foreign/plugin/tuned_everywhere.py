"""A pytest plugin: every `requests.Session` that is made is a `TunedSession`.

``pytest -p tuned_everywhere`` in somebody else's suite. A subclass of the suite's own gets
`TunedAdapter` alone. Nothing else is touched: an adapter that a test mounts itself stays. What went
through is counted, in the report and as the test suite's property ``tuned_sends``; a session in
which nothing did fails, for it has shown nothing.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from keptalive import TunedAdapter
from keptalive.tuned import TunedSession

_sends = itertools.count()
_sent = 0


class CountedAdapter(TunedAdapter):
    """A `TunedAdapter` that counts what it sends, and is otherwise nothing but one."""

    # a subclass and not a patch: super() still meets a send() that a test has replaced below
    def send(self, *args: Any, **kwargs: Any) -> requests.Response:
        global _sent
        _sent = next(_sends) + 1
        return super().send(*args, **kwargs)


def _mount(session: requests.Session) -> None:
    # as Session.__init__ does it: an adapter for each scheme, in this order
    session.mount("https://", CountedAdapter())
    session.mount("http://", CountedAdapter())


def pytest_configure() -> None:
    plain = requests.Session.__init__

    @functools.wraps(plain)
    def tuned(self: requests.Session) -> None:
        if type(self) is requests.Session:
            self.__class__ = TunedSession
            TunedSession.__init__(self)  # it comes here again
        elif type(self) is TunedSession:
            plain(self)
            return
        else:
            plain(self)
        _mount(self)

    requests.Session.__init__ = tuned  # type: ignore[method-assign]


@pytest.fixture(scope="session", autouse=True)
def _sends_in_the_report(record_testsuite_property: Any) -> Iterator[None]:
    yield
    record_testsuite_property("tuned_sends", _sent)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if not _sent:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any) -> None:
    terminalreporter.write_line(
        f"tuned_everywhere: {_sent} requests sent through TunedAdapter"
        + ("" if _sent else ": nothing was tested")
    )
