"""Where a call's time goes: each moment of it belongs to exactly one phase.

A call has a clock that is handed from phase to phase: when one begins within another, the outer one
stands still. So the phases add up to the call, and what urllib3, requests and Python do between
them is `rest`. Words as k6 and HAR have them, connect and tls disjoint.

The clock and the phase belong to one flow of control: a thread, a greenlet, a task.
"""

from __future__ import annotations

import functools
import socket
import ssl
import time
from collections.abc import Callable, Container, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.response import HTTPResponse

from keptalive.run.inject._keptalive_faults import is_ours
from keptalive.watching.patching import replaced

REST = "rest"

Place = tuple[Any, str, str]  # an owner, a name, and its phase

# What is timed as which phase; of nested ones the inner counts
PLACES: tuple[Place, ...] = (
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

# Within a connection's connect(), which the hooks time by themselves
OPENING = frozenset({"dns", "ca_bundle"})


class Clock:
    """The seconds of one call, by phase.

    Attributes:
        fault: a mistake of ours, because of which they are not complete.
    """

    __slots__ = ("fault", "seconds", "since")

    def __init__(self) -> None:
        self.fault: Exception | None = None
        self.seconds: dict[str, float] = {}
        self.since = time.perf_counter()

    def stop(self, phase: str) -> None:
        """Give the time since the last stop to this phase."""
        try:
            now = time.perf_counter()
            self.seconds[phase] = self.seconds.get(phase, 0.0) + now - self.since
            self.since = now
        except Exception as error:
            if not is_ours(error):
                raise
            self.fault = error


CLOCK: ContextVar[Clock | None] = ContextVar("keptalive_clock", default=None)
PHASE: ContextVar[str] = ContextVar("keptalive_phase", default=REST)


@contextmanager
def timed_call() -> Iterator[dict[str, float]]:
    """The seconds of each phase that occurs within the block; complete at its end."""
    clock, outer = Clock(), (CLOCK.get(), PHASE.get())
    try:
        CLOCK.set(clock)
        PHASE.set(REST)
        yield clock.seconds
    finally:
        clock.stop(REST)
        CLOCK.set(outer[0])  # to which all of this is one phase
        PHASE.set(outer[1])


def _timed(phase: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, its time counted as this phase's where a call is being timed."""

    @functools.wraps(function)
    def wrapper(*args: Any, **settings: Any) -> Any:
        clock = CLOCK.get()
        if clock is None:
            return function(*args, **settings)
        outer = PHASE.get()
        clock.stop(outer)
        try:
            PHASE.set(phase)
            return function(*args, **settings)
        finally:
            clock.stop(phase)
            PHASE.set(outer)

    return wrapper


@contextmanager
def timing(wanted: Container[str] | None = None, *, also: Iterable[Place] = ()) -> Iterator[None]:
    """Time the phases of requests' and urllib3's calls for the length of a `with` block.

    Args:
        wanted: the phases to tell apart, all if it is None; the others are part of the rest.
        also: places beside `PLACES`.
    """
    with replaced(
        (owner, name, functools.partial(_timed, phase))
        for owner, name, phase in (*PLACES, *also)
        if wanted is None or phase in wanted
    ):
        yield
