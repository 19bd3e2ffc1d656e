"""Learns how long servers keep idle connections, for `policy` to decide which to use.

There is no lock, which could be held during a fork. If two threads learn something at the same
moment, one of the two facts may be lost, and is learned again.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from keptalive.tuned import evidence, policy, sockets
from keptalive.tuned.events import Announced, Ended, Event, Forgotten, Idle, Kept, RoundTrip, Sight
from keptalive.tuned.idle import History, now
from keptalive.tuned.policy import Decision, Known

ROUTES_KEPT = 1000
REQUEST_TIMEOUT = 408


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """What a session has learned of one host or proxy. All times are seconds of idle time.

    Attributes:
        announced_s: the ``timeout`` of the last Keep-Alive header; None: there was none.
        kept_s: the server keeps connections for at least this long; None: unknown.
        closed_s: it has closed one after at most this long; None: it was never seen closing one.
        forgotten_s: the path has forgotten a connection after so long without a packet; None: it
            was never seen forgetting one.
        max_idle_s: a request that may not be sent twice uses a connection idle for no longer.
    """

    announced_s: float | None
    kept_s: float | None
    closed_s: float | None
    forgotten_s: float | None
    max_idle_s: float


class Aside:
    """A connection that was replaced while it was open, watched until its end shows.

    It is another descriptor of the same connection: for urllib3, the connection is closed.
    """

    def __init__(self, sock: socket.socket, history: History) -> None:
        self._sock = sock
        self._history = history

    def look(self, at: float) -> tuple[list[Event], bool]:
        """What it shows of the server at this time, and whether there is more to see later."""
        history = self._history
        idle, sight = history.idle_at(at), sockets.look(self._sock)
        if sight is None:
            return [], False
        if sight.readable:
            return [evidence.ended_at(history.number, idle, sight, history.open_s)], False
        if evidence.silence_s(idle, sight) > policy.SILENT_MOST_S:
            return [], False
        return still_open(history, idle, sight), True

    def close(self) -> None:
        self._sock.close()

    def __del__(self) -> None:
        self.close()


class Route:
    """One origin or proxy: what is known of it, and the connection that is set aside."""

    def __init__(self) -> None:
        self.known = Known()
        self._aside: Aside | None = None
        self._is_closed = False

    def learn(self, event: Event) -> None:
        """Add a fact."""
        self.known = self.known.after(event)

    def learned(self) -> Learned:
        """What is known now."""
        self._look_aside(now())
        known = self.known
        return Learned(
            announced_s=known.announced_s,
            kept_s=known.kept_s,
            closed_s=known.closed_s,
            forgotten_s=known.forgotten_s,
            max_idle_s=known.safe_s(known.announced_s),
        )

    def why_replace(self, history: History, sock: Any, repeatable: bool) -> str | None:
        """Why this open connection should not be used for a request; None: it may be."""
        idle, sight = history.idle, history.sight
        if history.is_refused:
            return f"not to be used again (Keep-Alive: {history.keep_alive})"
        if idle is None:
            return None
        self._look_aside(history.taken_at)
        self._learn_open(history, idle, sight)
        decision = policy.decide(
            self.known,
            idle,
            silent_s=evidence.silence_s(idle, sight),
            announced_s=history.announced_s,
            repeatable=repeatable,
        )
        if decision is not Decision.FRESH:
            return None
        if history.announced_s is None and not self.known.is_exact():
            self._set_aside(sock, history)
        safe_s = self.known.safe_s(history.announced_s)
        return f"idle for {idle.most_s:.1f} s (learned: safe up to {safe_s:.3g} s)"

    def on_dropped(self, history: History) -> None:
        """The server has ended an idle connection; urllib3 has seen it."""
        if history.idle is not None:
            self._look_aside(history.taken_at)
            sight = history.sight
            self.learn(evidence.ended_at(history.number, history.idle, sight, history.open_s))

    def on_response(self, history: History, status: int) -> None:
        """The head of a response has come, and the connection's history has been told."""
        announced_s = history.announced_s
        if announced_s is not None and announced_s != self.known.announced_s:
            self.learn(Announced(timeout_s=announced_s))
        if history.idle is not None:
            if status == REQUEST_TIMEOUT:  # sent before the request came
                self._learn_death(history, history.idle)
            else:
                number, least_s = history.number, history.idle.least_s
                self.learn(Kept(connection=number, idle_s=least_s))

    def on_broken(self, history: History, sock: Any, timed_out: bool) -> None:
        """A request on a kept connection has failed."""
        if history.idle is None:
            return
        if not timed_out:
            self._learn_death(history, history.idle)
            return
        sight = None if sock is None else sockets.look(sock)
        if sight is not None and sight.unacknowledged is not False:  # else the server is slow
            silent_s = evidence.silence_s(history.idle, history.sight)
            self.learn(Forgotten(silent_s=silent_s))

    def close(self) -> None:
        """Close the connection that is set aside; none will be from now on."""
        self._is_closed = True
        aside, self._aside = self._aside, None
        if aside is not None:
            aside.close()

    def _learn_open(self, history: History, idle: Idle, sight: Sight | None) -> None:
        for event in still_open(history, idle, sight):
            self.learn(event)
        if sight is not None and sight.round_trip_s is not None:
            self.learn(RoundTrip(seconds=sight.round_trip_s))

    def _learn_death(self, history: History, idle: Idle) -> None:
        number, least_s = history.number, history.open_s
        most_s = max(idle.most_s, least_s)
        self.learn(Ended(connection=number, least_s=least_s, most_s=most_s))

    def _look_aside(self, at: float) -> None:
        aside = self._aside
        if aside is None:
            return
        events, goes_on = aside.look(at)
        for event in events:
            self.learn(event)
        if not goes_on and self._aside is aside:
            self._aside = None
            aside.close()

    def _set_aside(self, sock: Any, history: History) -> None:
        if self._aside is None and not self._is_closed:
            another = sockets.duplicate(sock, probes=self.known.probes_aside())
            if another is not None:
                self._aside = Aside(another, history)


def still_open(history: History, idle: Idle, sight: Sight | None) -> list[Event]:
    """What it says that this connection is open still; its history notes until when."""
    kept = evidence.kept_until(history.number, idle, sight)
    history.open_s = kept.idle_s
    remembered = evidence.remembered(idle, sight)
    return [kept] if remembered is None else [kept, remembered]


class Memory:
    """The routes of one adapter, by name."""

    def __init__(self) -> None:
        self._routes: dict[str, Route] = {}

    def route(self, name: str) -> Route:
        """The route of this name, made at first use."""
        route = self._routes.get(name)
        if route is None:
            route = self._routes.setdefault(name, Route())
            while len(self._routes) > ROUTES_KEPT:
                with _unchanged():
                    self._routes.pop(next(iter(self._routes))).close()
        return route

    def learned(self) -> dict[str, Learned]:
        """What is known of each route now."""
        return {name: route.learned() for name, route in list(self._routes.items())}

    def forget(self) -> None:
        """Forget everything, and close what was set aside."""
        routes, self._routes = self._routes, {}
        for route in list(routes.values()):
            route.close()


@contextmanager
def _unchanged() -> Iterator[None]:
    """Another thread may change the dict between two steps: it does the same then."""
    try:
        yield
    except (KeyError, RuntimeError, StopIteration):
        return


def route_name(pool: Any) -> str:
    """The origin of this pool, with its proxy; of a forward proxy, the proxy alone."""
    proxy = getattr(pool, "proxy", None)
    origin = _origin(pool.scheme, pool.host, pool.port)
    if proxy is None:
        return origin
    via = _origin(proxy.scheme, proxy.host, proxy.port)
    return f"{origin} through {via}" if pool.scheme == "https" else via


def _origin(scheme: str | None, host: str | None, port: int | None) -> str:
    host = f"[{host}]" if host and ":" in host and not host.startswith("[") else host
    default = port is None or port == {"http": 80, "https": 443}.get(scheme or "")
    return f"{scheme}://{host}" if default else f"{scheme}://{host}:{port}"
