"""What a debug log alone can tell of causes: sets of them, where more than one remains.

A log has no response headers and no sockets. It tells new pools from reconnects, retries, and full
pools; with times, how long a connection had been unused. What it cannot tell is said, not guessed.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from keptalive.analysis.cures import ROWS
from keptalive.analysis.reporting import SCHEMA
from keptalive.model import Answered, PoolEvent, Resetting, Retrying, RetryingStatus, Starting

IDLE_S = 1.0  # unused for longer, an idle timeout is likelier than a limit of requests
DROPPED_IDLE = "dropped: idle-timeout, server-reset or close-announced"
DROPPED_AT_ONCE = "dropped: close-announced, http-1.0, request-limit or abandoned-body"
DROPPED = "dropped: idle-timeout, close-announced, http-1.0, request-limit or server-reset"
NEW_POOL = "new pool: new-session, session-closed, pool-evicted or tls-settings-differ"
BUSY = "busy: concurrency, unread-body or failed-request"
NEW = "new: new-session, concurrency, unread-body or failed-request"

MEANS = {
    DROPPED_IDLE: "the connection had been unused, and was closed",
    DROPPED_AT_ONCE: "the connection was closed right after its last response",
    DROPPED: "the connection was closed before it was used again",
    NEW_POOL: "a pool without connections was asked",
    BUSY: "the pool had no free connection",
    NEW: "a connection was opened beside, or instead of, those that there were",
}
MORE = "A log cannot tell which: keptalive run PROGRAM does."


@dataclass(slots=True)
class _Host:
    requests: int = 0
    attempts: int = 0
    opened: int = 0
    reopened: int = 0
    reused: int = 0
    discarded: int = 0
    was_asked: bool = False
    causes: Counter[str] = field(default_factory=Counter)
    idle_s: list[float] = field(default_factory=list)
    last_s: float | None = None


class LogLedger:
    """Reads the events of a log, in its order; `report` says what they amount to."""

    def __init__(self) -> None:
        self._hosts: dict[str, _Host] = {}
        self._pending: dict[int, str] = {}  # thread -> the cause of what it is opening
        self._retrying: set[int] = set()
        self._last: dict[str, str] = {}  # a host's name without its port -> host

    def record(self, event: PoolEvent, at_s: float | None = None) -> None:
        """Take one event into account; ``at_s`` is its line's time, if it has one."""
        match event:
            case Starting():
                if self._pending.get(event.thread, "").startswith("dropped"):
                    return  # urllib3 1.x: a dropped tunnel's second line
                host = self._host(event.scheme, event.host, event.port)
                self._pending[event.thread] = self._new(event, self._hosts[host])
            case Resetting():
                self._pending[event.thread] = self._dropped(event.host, at_s)
            case Retrying() | RetryingStatus():
                self._retrying.add(event.thread)
            case Answered():
                self._answered(event, at_s)

    def discarding(self, host: str) -> None:
        """urllib3 logged "Connection pool is full, discarding connection"."""
        if host in self._last:
            self._hosts[self._last[host]].discarded += 1

    def _host(self, scheme: str, host: str, port: int) -> str:
        bracketed = f"[{host}]" if ":" in host else host
        name = f"{scheme}://{bracketed}:{port}"
        self._hosts.setdefault(name, _Host())
        self._last[host] = name
        return name

    def _new(self, event: Starting, host: _Host) -> str:
        if event.thread in self._retrying:
            return "retry"
        if not host.was_asked:
            host.was_asked = True
            return "first-use"
        if event.ordinal is None:
            return NEW
        return NEW_POOL if event.ordinal == 1 else BUSY

    def _dropped(self, host: str, at_s: float | None) -> str:
        last_s = self._hosts[self._last[host]].last_s if host in self._last else None
        if at_s is None or last_s is None:
            return DROPPED
        idle_s = at_s - last_s
        if idle_s < IDLE_S:
            return DROPPED_AT_ONCE
        self._hosts[self._last[host]].idle_s.append(idle_s)
        return DROPPED_IDLE

    def _answered(self, event: Answered, at_s: float | None) -> None:
        host = self._hosts[self._host(event.scheme, event.host, event.port)]
        cause = self._pending.pop(event.thread, None)
        host.attempts += 1
        host.requests += event.thread not in self._retrying
        self._retrying.discard(event.thread)
        host.last_s = at_s
        if cause is None:
            host.reused += 1
            return
        host.opened += 1
        host.reopened += cause.startswith("dropped")
        host.causes[cause] += 1

    def report(self, *, warnings: list[str]) -> dict[str, Any]:
        """The report, in the shape of `analysis.reporting`; times of opening are not in a log."""
        hosts = [
            {
                "host": name,
                "requests": host.requests,
                "attempts": host.attempts,
                "opened": host.opened,
                "reopened": host.reopened,
                "reused": host.reused,
                "seconds_opening": None,
                "causes": [_cause(name, count, host) for name, count in host.causes.most_common()],
            }
            for name, host in sorted(self._hosts.items(), key=lambda item: -item[1].opened)
            if host.attempts
        ]
        return {
            "schema": SCHEMA,
            "source": "log",
            "hosts": hosts,
            "left_open": None,
            "warnings": warnings,
        }


def _cause(name: str, count: int, host: _Host) -> dict[str, Any]:
    if name == BUSY and host.discarded:
        name = "pool-too-small"
    evidence = ""
    if name == DROPPED_IDLE:
        low, high = min(host.idle_s), max(host.idle_s)
        evidence = f"It had been unused for {low:.1f} s to {high:.1f} s, as far as the log tells."
    if name == "pool-too-small":
        evidence = f'"Connection pool is full" {host.discarded} times.'
    cure = {
        "pool-too-small": "tuned_session(threads=N), or HTTPAdapter(pool_maxsize=N).",
        "first-use": "Nothing: it is owed.",
        "retry": "max_idle spares the failures of connections that the server had just closed.",
    }.get(name, MORE)
    return {"cause": name, "count": count, "seconds": None, "evidence": evidence, "cure": cure}


def means(cause: str) -> str:
    """A cause, or a set of them, in words."""
    return ROWS[cause].means if cause in ROWS else MEANS.get(cause, cause)
