"""Counts connections by cause while a watch goes on for weeks, and forgets the old ones.

Each connection is judged once, soon after it was opened: when somebody asks for numbers, when a
slice of the window ends, or when many have come together. Only the newest stay, for evidence. A
request on a kept connection has nothing to do with all this.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from keptalive.causes.failures import with_failures
from keptalive.causes.patterns import Pattern, pattern_of
from keptalive.causes.settling import RouteJudge
from keptalive.errors import UsageError
from keptalive.records.connection import Connection
from keptalive.watching.attempts import ConnectionAttempt
from keptalive.watching.entries import Entry, Recorded
from keptalive.watching.route_counts import RouteCounts
from keptalive.watching.windows import Route, Tally, Window

if TYPE_CHECKING:
    from keptalive.watching.recorder import Recorder

KEPT = 500  # connections that have ended, besides one of each route and cause
BATCH = 250  # so many more are opened before they are looked at
OPEN_KEPT = 20_000  # connections whose end is not seen
ROUTES_KEPT = 1000
PATIENCE_S = 5.0  # for another thread that counts; a fork's child has a lock of its own

OnEnd = Callable[[Route, float], None]


class Ledger:
    """What one recorder knows of connections that it need not keep.

    Args:
        recorder: whose connections and routes these are.
        window_s: the seconds that its record covers; `math.inf` for all.
        began: when the watch did.
        look: sees which connections have ended meanwhile.

    Attributes:
        routes: what each route has counted since the watch began.
        on_end: is called with each connection whose end is seen: its route, and how long it was
            open.
        pinned: routes that are never counted together with others.

    Raises:
        UsageError: the recorder has a timeline.
    """

    def __init__(
        self, recorder: Recorder, *, window_s: float, began: float, look: Callable[[], object]
    ) -> None:
        if recorder.exchanges is not None:
            raise UsageError(
                "This watch has a timeline, which needs every connection. Next: start another one."
            )
        self._recorder = recorder
        self._look = look
        self.window = Window(window_s, began)
        self.routes = RouteCounts(recorder, self.window)
        self.on_end: list[OnEnd] = []
        self.pinned: set[Route] = set()
        self._judges: dict[Route, RouteJudge] = {}
        self._entries: dict[int, Entry] = {}
        self._failed: dict[int, ConnectionAttempt] = {}
        self._locks = {os.getpid(): threading.Lock()}
        self._holder: tuple[int, int] | None = None  # the process and the thread
        self.settles_at = KEPT + BATCH

    @contextmanager
    def _locked(self, patience_s: float) -> Iterator[bool]:
        here = os.getpid(), threading.get_ident()
        lock = self._locks.setdefault(here[0], threading.Lock())
        waits = patience_s and self._holder != here  # a signal handler would wait for itself
        is_ours = lock.acquire(timeout=patience_s) if waits else lock.acquire(blocking=False)
        try:
            if is_ours:
                self._holder = here
            yield is_ours
        finally:
            if is_ours:
                self._holder = None
                lock.release()

    # -- while the watch goes on

    def grows(self) -> None:
        """A connection was added: are there too many? If another thread looks, it will do."""
        if len(self._recorder.attempts) >= self.settles_at:
            with self._locked(0) as is_ours:
                if is_ours:
                    self._settle()

    def has_dropped(self, attempt: ConnectionAttempt) -> bool:
        """Whether this connection was counted, and is not among those that stay."""
        return attempt.cause_by(self) is not None and attempt.id not in self._entries

    def cut(self, now: float) -> None:
        """A slice of the window has ended."""
        with self._locked(0) as is_ours:
            if is_ours:
                self._cut(now)

    def _cut(self, now: float) -> None:
        if now >= self.window.next_cut:
            self._settle()
            self.window.cut(now, self.routes.counts, self._recorder.circumstances)

    # -- when somebody asks

    @contextmanager
    def settled(self) -> Iterator[None]:
        """All connections are judged and counted, and no thread counts others within the block."""
        with self._locked(PATIENCE_S) as is_ours:
            if is_ours:
                self._settle()
            yield

    def record(self, now: float) -> Recorded:
        """What happened in the window until now."""
        with self._locked(PATIENCE_S) as is_ours:
            if is_ours:
                self._cut(now)
                self._settle()
            pending: dict[Route, int] = {}
            for one in list(self._entries.values()):
                if not one.is_counted:
                    route = self.routes.name(one.attempt)
                    pending[route] = pending.get(route, 0) + 1
            counts = tuple(self.window.counts(self.routes.counts()))
            for counted in counts:
                route = counted.host, counted.via
                counted.opened_unanswered = (counted.opened_unanswered or 0) + pending.get(route, 0)
            connections, settled = tuple(self._connections()), tuple(self.window.settled())
        number = sum((one.opened or 0) + (one.opened_unanswered or 0) for one in counts)
        listed = sum(
            one.cause is not None and one.attempted_s is not None and one.attempted_s >= 0
            for one in connections
        )
        return Recorded(
            connections=connections,
            hosts=counts,
            settled=settled,
            missing=max(0, number - listed),
            began=self.window.began,
        )

    def _connections(self) -> Iterator[Connection]:
        """Those that stay, and the attempts that failed."""
        failed = [Entry(one, None) for one in list(self._recorder.unconnected)]
        known = [*self._entries.values(), *failed]
        for one in sorted(known, key=lambda entry: entry.attempt.id):
            route = self.routes.name(one.attempt)
            yield one.record(self._recorder, self.window.began, route)

    # -- judging and counting; the lock is held

    def _settle(self) -> None:
        self._look()
        attempts, known = list(self._recorder.attempts), self._entries
        self._failed = {one.id: one for one in list(self._recorder.unconnected)}
        by_route: dict[Route, list[ConnectionAttempt]] = {}
        for one in attempts:
            by_route.setdefault((one.host, one.via), []).append(one)
        for route, several in by_route.items():
            if new := {one.id: one for one in several if one.id not in known}:
                self._judge(route, new, self._pattern(route, several))
        for entry in list(known.values()):
            self._count(entry)
        if len(attempts) >= self.settles_at:
            self._drop(len(attempts))
        if len(self._recorder.routes) > ROUTES_KEPT:
            self._fold()

    def _judge(self, route: Route, new: dict[int, ConnectionAttempt], pattern: Pattern) -> None:
        """Find the causes of these connections to one route."""
        judge = self._judges.setdefault(route, RouteJudge())
        for _, one in sorted(new.items()):
            before = one.cause_by(self)
            connection = one.record(self._recorder, self.window.began)
            if before is not None:  # it was dropped, and is another's predecessor now
                entry = Entry(one, before, is_counted=True, has_ended=True)
            elif connection.attempted_s is None:  # it was open before the watch
                entry = Entry(one, None, is_counted=True, has_ended=True)
            else:
                entry = Entry(one, judge.judge(connection, self._found, pattern))
            self._entries[one.id] = entry  # last: the program's own exception may strike before

    def _pattern(self, route: Route, attempts: list[ConnectionAttempt]) -> Pattern:
        began, known = self.window.began, self._recorder.routes.get(route)
        alone = [one.record(self._recorder, began) for one in attempts if not one.shared]
        return with_failures(pattern_of(alone, [known.snapshot()] if known else []), alone)

    def _found(self, number: int) -> Connection | None:
        entry = self._entries.get(number)
        if entry is not None:
            return entry.attempt.record(self._recorder, self.window.began)
        failed = self._failed.get(number)
        return None if failed is None else failed.record(self._recorder, self.window.began)

    def _count(self, entry: Entry) -> None:
        """Count this one as answered or not, and see its end, as soon as they are known."""
        one = entry.attempt
        if not entry.is_counted and entry.cause is not None and (one.answered or one.end):
            opened = int(one.answered)
            tally = Tally(
                opened=opened,
                reopened=opened * one.facts.reconnect,
                unanswered=1 - opened,
                seconds=sum(one.phases.values()),
            )
            key = (*self.routes.name(one), entry.cause)
            one.settled = (*one.settled, (self, entry.cause))
            entry.is_counted = True
            self.routes.add(key, tally)
        if not entry.has_ended and one.end is not None:
            entry.has_ended = True
            self._judges.setdefault((one.host, one.via), RouteJudge()).ends(
                one.record(self._recorder, self.window.began)
            )
            if one.connected_at is not None and one.ended_at is not None:
                for call in self.on_end:
                    call(self.routes.name(one), max(0.0, one.ended_at - one.connected_at))

    # -- forgetting

    def _drop(self, number: int) -> None:
        """Of the first so many connections, keep the newest, and what is evidence."""
        attempts = self._recorder.attempts
        first, spare = attempts[:number], self._evidence()
        most = max(0, number - OPEN_KEPT)
        kept = []
        for place, one in enumerate(first):
            entry = self._entries.get(one.id)
            is_over = entry is not None and entry.is_counted and entry.has_ended
            is_old = place < number - KEPT and one.id not in spare
            if (is_over and is_old) or place < most:
                self._forget(one.id)
            else:
                kept.append(one)
        attempts[:number] = kept  # others may append meanwhile
        self.settles_at = max(KEPT, len(kept)) + BATCH

    def _evidence(self) -> set[int]:
        """The newest connection of each route and cause, and the one that it replaces."""
        newest = {
            (one.attempt.host, one.attempt.via, one.cause): one.attempt
            for one in sorted(self._entries.values(), key=lambda entry: entry.attempt.id)
        }
        replaced = {one.replaces for one in newest.values() if one.replaces is not None}
        return {one.id for one in newest.values()} | replaced

    def _forget(self, number: int) -> None:
        entry = self._entries.pop(number, None)
        judge = self._judges.get((entry.attempt.host, entry.attempt.via)) if entry else None
        if judge is not None:
            judge.forget(number)

    def _fold(self) -> None:
        """Count the oldest routes together whose pools are no more."""
        entries, attempts = self._entries, list(self._recorder.attempts)
        used = {(one.host, one.via) for one in attempts if one.id not in entries} | {
            (one.attempt.host, one.attempt.via)
            for one in entries.values()
            if not (one.is_counted and one.has_ended)
        }
        over = self.routes.fold(used | self.pinned, at_most=ROUTES_KEPT * 9 // 10)
        if over:
            gone = [one for one in attempts if (one.host, one.via) in over]
            for one in gone:
                self._forget(one.id)
            self._recorder.attempts[: len(attempts)] = [
                one for one in attempts if (one.host, one.via) not in over
            ]
        for route in over:
            self._judges.pop(route, None)
