"""Counts of users of one class, from their routes and their response times. No Locust, no I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from keptalive.locust.messages import ClassCounts
from keptalive.locust.recorder import Part
from keptalive.records.counts import HostCounts
from keptalive.watching.routes import Route


@dataclass(slots=True)
class Times:
    """The response times of one class, and how many requests failed."""

    ms: Counter[int] = field(default_factory=Counter)
    failed: int = 0

    def add(self, ms: float, *, failed: bool) -> None:
        """A request took so long."""
        self.ms[rounded(ms)] += 1
        self.failed += failed


def rounded(ms: float) -> int:
    """The time with two digits, as Locust keeps it: so there are few different ones."""
    whole = round(ms)
    digits = len(str(whole)) - 2
    return round(whole, -digits) if digits > 0 else whole


def percentile_ms(times: Mapping[int, int], share: float) -> int | None:
    """The time within which this share of the requests ended; None without any."""
    left = sum(times.values()) * share
    for ms in sorted(times):
        left -= times[ms]
        if left <= 0:
            return ms
    return max(times, default=None)


def classes_of(
    used: Iterable[tuple[Part, Route]], times: Mapping[str, Times]
) -> dict[str, ClassCounts]:
    """The counts of each class; cheap, since it is done again and again while users wait."""
    users: dict[str, set[int]] = {}
    hosts: dict[str, dict[tuple[str, str | None], HostCounts]] = {}
    for part, route in used:
        users.setdefault(part.name, set()).add(part.number)
        one = route.counts
        sums = hosts.setdefault(part.name, {}).setdefault(
            (one.host, one.via), HostCounts(host=one.host, via=one.via, discarded=0)
        )
        _add(sums, route)
    return {
        name: ClassCounts(
            users=len(users.get(name, ())) if name else 0,
            failed=times[name].failed if name in times else 0,
            times_ms=dict(times[name].ms) if name in times else {},
            hosts=tuple(hosts.get(name, {}).values()),
        )
        for name in dict.fromkeys([*hosts, *times])
    }


def _add(sums: HostCounts, route: Route) -> None:
    """Add what a route has: as `Route.snapshot` counts it, as far as it is needed here."""
    one, opened = route.counts, route.counts.opened or 0
    unanswered, in_flight = sum(one.errors.values()), _in_flight(route)
    tries = opened + (one.reused or 0) + unanswered + in_flight
    # mypy: these fields may be None of other sources
    sums.opened = (sums.opened or 0) + opened
    sums.opened_unanswered = (sums.opened_unanswered or 0) + max(0, route.connected - opened)
    sums.connects = (sums.connects or 0) + (one.connects or 0)
    sums.reopened = (sums.reopened or 0) + (one.reopened or 0)
    sums.reused = (sums.reused or 0) + (one.reused or 0)
    sums.unanswered = (sums.unanswered or 0) + unanswered
    sums.in_flight = (sums.in_flight or 0) + in_flight
    sums.requests = (sums.requests or 0) + tries + route.unseen - route.repeated
    sums.most_at_once = (sums.most_at_once or 0) + min(opened, max(1, route.most_at_once()))
    sums.discarded = (sums.discarded or 0) + (one.discarded or 0)
    sums.seconds_opening = (sums.seconds_opening or 0.0) + (one.seconds_opening or 0.0)
    for error, count in one.errors.items():
        sums.errors[error] = sums.errors.get(error, 0) + count


def _in_flight(route: Route) -> int:
    return sum(one.is_sending() for one in route.in_flight.values())


def together(several: Iterable[ClassCounts]) -> ClassCounts:
    """The counts of one class on several workers."""
    counts = list(several)
    times: Counter[int] = Counter()
    for one in counts:
        times.update(one.times_ms)
    return ClassCounts(
        users=sum(one.users for one in counts),
        failed=sum(one.failed for one in counts),
        times_ms=dict(times),
        hosts=tuple(host for one in counts for host in one.hosts),
    )
