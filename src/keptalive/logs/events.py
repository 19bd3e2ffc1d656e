"""What urllib3's lines tell of: events, each on the lane of its thread."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from keptalive.logs.messages import DEFAULT_PORTS, REMEMBERED, What
from keptalive.logs.scanner import Tally
from keptalive.logs.threads import Found, Lanes
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


class Seen(NamedTuple):
    """One of urllib3's lines: what it tells of, and where it stood.

    ``at_s`` is in seconds since 1970; a time without a zone is taken for UTC, so that differences
    within one log are right. ``line`` counts from 1, on through the files of a rotated log.
    A tuple, since it costs a fifth of a dataclass, and there are as many as lines of urllib3's.
    """

    event: PoolEvent | Discarding
    source: str
    at_s: float | None
    process: int | None
    line: int


class Teller:
    """Turns lines into events, and counts those of which nobody knows whose they are."""

    def __init__(self, tally: Tally, lanes: Lanes) -> None:
        self._tally = tally
        self._lanes = lanes
        self._hosts: dict[str, What] = {}  # for old lines, whose answers do not name theirs
        self._opening: dict[int, str] = {}

    def told(self, found: list[Found]) -> Iterator[Seen]:
        self._lanes.learn(found)
        for line, at_s, origin, what in found:
            lane = origin.lane or self._lanes.lane(origin)
            event = self._event(lane, what) if what.port is None else _event(lane, what)
            if event is None:
                self._tally.skipped += 1
                continue
            yield Seen(event, origin.source, at_s, origin.process, line)

    def _event(self, lane: int, what: What) -> PoolEvent | Discarding | None:
        if what.kind == "starting":
            return self._start(lane, what)
        if what.kind == "old answer":
            return self._old_answer(lane, what.number)
        if what.kind == "resetting" and self._hosts:
            self._opens(lane, str(what.host))
        return _event(lane, what)

    def _start(self, lane: int, what: What) -> PoolEvent | Discarding:
        host = str(what.host)
        if len(self._hosts) >= REMEMBERED:
            self._hosts.clear()
        self._hosts[host] = what._replace(port=DEFAULT_PORTS[what.scheme])
        self._opens(lane, host)
        return _event(lane, self._hosts[host])

    def _opens(self, lane: int, host: str) -> None:
        if len(self._opening) >= REMEMBERED:
            self._opening.clear()
        self._opening[lane] = host

    def _old_answer(self, lane: int, status: int) -> PoolEvent | Discarding | None:
        """Whose answer it is: what this lane is opening, or the only host that there is."""
        host = self._opening.pop(lane, None)
        if host is None and len(self._hosts) == 1:
            host = next(iter(self._hosts))
        place = self._hosts.get(host or "")
        return place and _event(lane, place._replace(kind="answered", number=status))


@lru_cache(REMEMBERED)
def _event(lane: int, what: What) -> PoolEvent | Discarding:
    kind, name, scheme, port_or_none, number = what
    host, port = str(name), int(port_or_none or 0)
    match kind:
        case "answered":
            return Answered(thread=lane, scheme=scheme, host=host, port=port, status=number)
        case "starting":
            return Starting(thread=lane, scheme=scheme, host=host, port=port, ordinal=number)
        case "resetting":
            return Resetting(thread=lane, host=host)
        case "discarding":
            return Discarding(thread=lane, host=host)
        case "retrying":
            return Retrying(thread=lane)
        case _:
            return RetryingStatus(thread=lane)
