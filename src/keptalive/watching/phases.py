"""Where a call's time goes: each moment of it belongs to exactly one phase.

A thread's clock is handed from phase to phase: when one begins within another, the outer one stands
still. So the phases add up to the call, and what urllib3, requests and Python do between them is
`rest`. Words as k6 and HAR have them, connect and tls disjoint.
"""

from __future__ import annotations

import functools
import socket
import ssl
import threading
import time
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.response import HTTPResponse

from keptalive.watching.patching import replaced

REST = "rest"

# What is timed as which phase; of nested ones the inner counts
PLACES: tuple[tuple[Any, str, str], ...] = (
    (HTTPConnectionPool, "_get_conn", "blocked"),
    (socket, "getaddrinfo", "dns"),
    (HTTPConnection, "_new_conn", "connect"),
    (HTTPSConnection, "connect", "tls"),
    (ssl.SSLContext, "load_verify_locations", "ca_bundle"),
    (ssl.SSLContext, "load_default_certs", "ca_bundle"),
    (HTTPConnection, "request", "send"),
    (HTTPConnection, "getresponse", "wait"),
    (HTTPResponse, "read", "receive"),
)


OPENING = frozenset({"dns", "connect", "tls", "ca_bundle"})


class _Thread(threading.local):
    """The phases that this thread is in, the innermost last, and what each has taken."""

    def __init__(self) -> None:
        self.within: list[str] = []
        self.since = 0.0
        self.seconds: dict[str, float] = {}


class Phases:
    """Times the phases of calls, on whatever thread they are made; who works within `timing`."""

    def __init__(self) -> None:
        self._here = _Thread()

    @contextmanager
    def of_a_call(self) -> Iterator[dict[str, float]]:
        """The seconds of each phase that occurs within the block; it is filled at its end."""
        seconds: dict[str, float] = {}
        here = self._here
        outer = here.seconds, here.within, here.since
        here.seconds, here.within, here.since = seconds, [REST], time.perf_counter()
        try:
            yield seconds
        finally:
            self._tell()
            here.seconds, here.within, here.since = outer  # to which it is all one phase

    def timed(self, phase: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, its time counted as this phase's where a call is being timed."""
        here = self._here

        @functools.wraps(function)
        def wrapper(*args: Any, **settings: Any) -> Any:
            if not here.within:
                return function(*args, **settings)
            self._tell()
            here.within.append(phase)
            try:
                return function(*args, **settings)
            finally:
                self._tell()
                here.within.pop()

        return wrapper

    def _tell(self) -> None:
        """Give the time since the last change to the innermost phase."""
        here, now = self._here, time.perf_counter()
        phase = here.within[-1]
        here.seconds[phase] = here.seconds.get(phase, 0.0) + now - here.since
        here.since = now


@contextmanager
def timing(phases: Phases | None = None, wanted: Container[str] | None = None) -> Iterator[Phases]:
    """Time the phases of requests' and urllib3's calls for the length of a `with` block.

    Args:
        phases: who is to time them; somebody new if it is None.
        wanted: the phases to tell apart, all if it is None; the others are part of the rest.
    """
    timed = phases or Phases()
    places = [
        (owner, name, functools.partial(timed.timed, phase))
        for owner, name, phase in PLACES
        if wanted is None or phase in wanted
    ]
    with replaced(places):
        yield timed
