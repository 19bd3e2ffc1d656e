"""What urllib3's lines mean: events, each with its time and its origin."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from keptalive.logs.messages import DEFAULT_PORTS, REMEMBERED, What
from keptalive.logs.prefix import Origin
from keptalive.records.pool_events import (
    Answered,
    PoolEvent,
    Resetting,
    Retrying,
    RetryingStatus,
    Starting,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Discarding:
    """urllib3 logged "Connection pool is full, discarding connection"."""

    thread: int
    host: str
    pool_size: int | None = None


LogEvent = PoolEvent | Discarding

# The event; its time in seconds since 1970, where a time without a zone is taken for UTC; where
# its line came from. A plain tuple: there are as many as lines of urllib3's.
Seen = tuple[LogEvent, float | None, Origin]


class Read(NamedTuple):
    """A line of urllib3's that has been read by itself; its thread has no number yet.

    ``said`` is the hash of the message, in which there may be secrets; ``begins`` where in its line
    it does, -1 if it is within JSON.
    """

    what: What
    at_s: float | None
    origin: Origin
    said: int
    begins: int


def event_of(thread: int, what: What) -> LogEvent:
    """The event that a message of this thread stands for."""
    if what.kind != "starting":
        return _event_of(thread, what)
    # with its ordinal, it is seldom like an earlier one
    port = DEFAULT_PORTS[what.scheme] if what.port is None else what.port
    return Starting(
        thread=thread, scheme=what.scheme, host=str(what.host), port=port, ordinal=what.number
    )


@lru_cache(REMEMBERED)
def _event_of(thread: int, what: What) -> LogEvent:
    host = str(what.host)
    match what.kind:
        case "answered":
            port = DEFAULT_PORTS[what.scheme] if what.port is None else what.port
            return Answered(
                thread=thread,
                scheme=what.scheme,
                host=host,
                port=port,
                status=int(what.number or 0),
                has_port=what.port is not None,
            )
        case "resetting":
            return Resetting(thread=thread, host=host)
        case "discarding":
            return Discarding(thread=thread, host=host, pool_size=what.number)
        case "retrying":
            return Retrying(
                thread=thread,
                error=what.error,
                scheme=what.scheme,
                host=what.host,
                port=what.port,
                path=what.path,
                left=what.number,
            )
        case _:
            return RetryingStatus(thread=thread)
