"""A window of time that moves with the watch, in slices: what happened in each of them.

A slice has the counts as they were when it began, so that what happened since is a difference, and
a request costs no more. The window moves by whole slices: it is up to one longer than asked for.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from keptalive.errors import UsageError
from keptalive.records.counts import HostCounts, perfect_reuse, since, total
from keptalive.records.process import SettledCause
from keptalive.records.report import UNAVOIDABLE

SLICES = 12
SHORTEST_S = 1.0
OTHER = ("other", None)  # the route that stands for all those that are counted together

Route = tuple[str, str | None]
# a `Circumstance`'s kind, host, where, detail, other
Noted = tuple[str, str | None, str | None, str | None, str | None]
Key = tuple[str, str | None, str]  # a route, and a cause


@dataclass(slots=True)
class Tally:
    """Openings with one cause: answered ones, those of them by "Resetting", and unanswered ones."""

    opened: int = 0
    reopened: int = 0
    unanswered: int = 0
    seconds: float = 0.0

    def add(self, other: Tally) -> None:
        """Count these too."""
        self.opened += other.opened
        self.reopened += other.reopened
        self.unanswered += other.unanswered
        self.seconds += other.seconds


Tallies = dict[Key, Tally]


def add_to(tallies: Tallies, key: Key, more: Tally) -> None:
    """Add to what is counted under this key."""
    tallies.setdefault(key, Tally()).add(more)


@dataclass(slots=True)
class Slice:
    """A part of the time.

    Attributes:
        began: by the observer's clock.
        counts: of each route, as they were then; a route that is missing had none.
        circumstances: how often each was noted by then.
        causes: the openings that were counted in this slice.
    """

    began: float
    counts: dict[Route, HostCounts] = field(default_factory=dict)
    circumstances: Mapping[Noted, int] = field(default_factory=dict)
    causes: Tallies = field(default_factory=dict)


class Window:
    """The last so many seconds; of an infinite one, all since it began.

    Args:
        seconds: its length.
        began: when the watch did.
    """

    def __init__(self, seconds: float, began: float) -> None:
        self.seconds = seconds
        self._step = seconds / SLICES
        self.slices: deque[Slice] = deque([Slice(began)])

    @property
    def began(self) -> float:
        """When the oldest slice that belongs to it did."""
        return self.slices[0].began

    @property
    def next_cut(self) -> float:
        """When the newest slice ends."""
        return self.slices[-1].began + self._step

    def cut(
        self,
        now: float,
        counts: Callable[[], dict[Route, HostCounts]],
        circumstances: Mapping[Noted, int],
    ) -> None:
        """Begin the slices that are due, and forget those that are too old.

        Args:
            now: since the newest slice ended nothing has been counted, but what was in flight.
            counts: gives the counts of each route as they are now.
            circumstances: how often each was noted by now.
        """
        if now < self.next_cut:
            return
        known = counts()
        for one in known.values():  # what is in flight comes to something in the next slice
            one.requests, one.in_flight = (one.requests or 0) - (one.in_flight or 0), 0
        known = _unchanged(known, self.slices[-1].counts)
        noted = dict(circumstances)
        due = math.floor((now - self.next_cut) / self._step)
        begins = self.next_cut + max(0, due - SLICES) * self._step
        while begins <= now:
            self.slices.append(Slice(begins, known, noted))
            begins += self._step
        while len(self.slices) > 1 and self.slices[1].began <= now - self.seconds:
            self.slices.popleft()

    def count(self, key: Key, more: Tally) -> None:
        """Openings are counted now."""
        add_to(self.slices[-1].causes, key, more)

    def causes(self) -> Tallies:
        """The openings that were counted in this window."""
        sums: Tallies = {}
        for one in self.slices:
            for key, tally in one.causes.items():
                add_to(sums, key, tally)
        return sums

    def settled(self) -> Iterator[SettledCause]:
        """The same, as records have it."""
        for (host, via, cause), one in self.causes().items():
            yield SettledCause(
                host=host,
                via=via,
                cause=cause,
                count=one.opened,
                unanswered=one.unanswered,
                seconds=one.seconds,
            )

    def counts(self, now: Mapping[Route, HostCounts]) -> Iterator[HostCounts]:
        """What each route has counted in this window, from its counts since the watch began."""
        before, causes = self.slices[0].counts, self.causes()
        for route, one in now.items():
            then = before.get(route, HostCounts())
            unavoidable = [causes.get((*route, cause), Tally()) for cause in UNAVOIDABLE]
            least = sum(tally.opened for tally in unavoidable)
            counts = since(one, then)
            perfect = (perfect_reuse([one]) or 0) - (perfect_reuse([then]) or 0)
            counts.necessary = min(counts.opened or 0, max(perfect, least))
            yield counts

    def fold(self, route: Route) -> None:
        """From now on this route is counted among the others, in all slices."""
        for one in {id(one.counts): one.counts for one in self.slices}.values():
            if route in one:
                one[OTHER] = together([*filter(None, [one.get(OTHER)]), one.pop(route)])
        for slice_ in self.slices:
            move(slice_.causes, route)


def checked_window(seconds: float | None, *, timeline: bool) -> float | None:
    """The length of a window, if it makes sense.

    Raises:
        UsageError: it does not.
    """
    if seconds is None:
        return None
    if timeline:
        raise UsageError("A timeline has no window. Next: leave out timeline or window_s.")
    is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if not is_number or not seconds >= SHORTEST_S:
        raise UsageError(
            f"window_s is {seconds!r}, and should be {SHORTEST_S:g} or more. Next: "
            "window_s=3600 is the last hour."
        )
    try:
        return float(seconds)
    except OverflowError:  # longer than any float
        return math.inf


def move(tallies: Tallies, route: Route) -> None:
    """Count what one route has among the others."""
    for key in [key for key in tallies if key[:2] == route]:
        add_to(tallies, (*OTHER, key[2]), tallies.pop(key))


def together(several: Iterable[HostCounts]) -> HostCounts:
    """Several routes as one, the other ones; perfect reuse is the sum of theirs."""
    counts = total([replace(one, necessary=perfect_reuse([one])) for one in several])
    counts.host, counts.via, counts.origins = *OTHER, []
    counts.first_responses, counts.kept_responses, counts.failed_addresses = [], [], {}
    return counts


def _unchanged(
    now: dict[Route, HostCounts], before: Mapping[Route, HostCounts]
) -> dict[Route, HostCounts]:
    """The same, with the objects of before where nothing has changed: so they take no memory."""
    return {route: before[route] if before.get(route) == one else one for route, one in now.items()}
