"""What one watch has recorded, apart for each Locust user: users share no connection.

So what perfect reuse would have opened is a sum over users, as it is over processes in other
programs. What no user sends is another part of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import replace
from typing import NamedTuple

from keptalive.records.connection import Connection
from keptalive.records.counts import HostCounts
from keptalive.records.process import ProcessRecord
from keptalive.watching.attempts import ConnectionAttempt
from keptalive.watching.recorder import Recorder
from keptalive.watching.routes import Route


class Part(NamedTuple):
    """Whose connections these are.

    Attributes:
        name: the class of the user; empty for what no user sends.
        number: of the user.
    """

    name: str = ""
    number: int = 0


class _Key(NamedTuple):
    """What tells routes to one host apart."""

    via: str | None
    part: Part


class UsersRecorder(Recorder):
    """A recorder with a route of its own for each user.

    Args:
        current_user: whose code runs now, by its class and its number; None if it is nobody's.
    """

    def __init__(self, current_user: Callable[[], tuple[str, int] | None]) -> None:
        super().__init__()
        self._current_user = current_user
        self._owners: dict[int, Part] = {}  # by the ids of attempts

    def route(self, host: str, via: str | None = None) -> Route:
        key = _Key(via, self._part())
        route = self.routes.get((host, key))
        if route is None:
            counts = HostCounts(host=host, via=via, discarded=0)
            route = self.routes.setdefault((host, key), Route(counts))
        return route

    def add(self, attempt: ConnectionAttempt) -> None:
        kept = len(self.attempts) + len(self.unconnected)
        super().add(attempt)
        if len(self.attempts) + len(self.unconnected) > kept:
            self._owners[attempt.id] = self._part()

    def _part(self) -> Part:
        user = self._current_user()
        return Part() if user is None else Part(*user)

    def used(self) -> Iterator[tuple[Part, Route]]:
        """The routes on which anything was seen, and whose each is."""
        for (_, key), route in list(self.routes.items()):
            if route.is_used():
                yield key.part, route

    def snapshot(self, began: float) -> tuple[tuple[Connection, ...], tuple[HostCounts, ...]]:
        # asked for when the watch has ended: nothing is added meanwhile
        attempts = sorted([*self.attempts, *self.unconnected], key=lambda attempt: attempt.id)
        return tuple([one.record(self, began) for one in attempts]), self.counts()

    def parts_of(self, record: ProcessRecord) -> list[tuple[Part, ProcessRecord]]:
        """This record of the whole process, which was made just now, as one for each user.

        What is to be said of the process stands in the first, which is nobody's.
        """
        nobody = Part()
        hosts: dict[Hashable, list[HostCounts]] = {nobody: []}
        owners = [part for part, _ in self.used()]
        for place, counts in enumerate(record.hosts):  # a leaked secret's host may come after them
            hosts.setdefault(owners[place] if place < len(owners) else nobody, []).append(counts)
        connections: dict[Hashable, list[Connection]] = {part: [] for part in hosts}
        for one in record.connections:
            connections.setdefault(self._owners.get(one.id, nobody), []).append(one)
        bare = replace(record, circumstances=(), warnings=(), connections_missing=0)
        # stopped users leave theirs open; that says nothing of a program
        first = replace(record, left_open=0, left_at=())
        return [
            (
                part,
                replace(
                    first if part == nobody else replace(bare, left_open=0, left_at=()),
                    hosts=tuple(hosts.get(part, ())),
                    connections=tuple(several),
                ),
            )
            for part, several in connections.items()
            if isinstance(part, Part)
        ]
