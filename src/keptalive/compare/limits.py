"""How many connections a test may open, and which routes of a report went beyond that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from keptalive.errors import UsageError
from keptalive.records.report import UNAVOIDABLE, HostReport


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A number of connections, for all hosts together or for each.

    Attributes:
        at_most: no more than this.
        exactly: neither more nor fewer.
        per_host: whether each host that had a request may have this many.

    Raises:
        UsageError: unless one of the two is a number that can be kept.
    """

    at_most: int | None = None
    exactly: int | None = None
    per_host: bool = False

    def __post_init__(self) -> None:
        if (self.at_most is None) == (self.exactly is None):
            raise UsageError("use at_most=N or exactly=N, one of them")
        name = "exactly" if self.at_most is None else "at_most"
        if type(self.number) is not int or self.number < 0:
            raise UsageError(f"{name} is a whole number, zero or more, not {self.number!r}")
        if type(self.per_host) is not bool:
            raise UsageError(f"per_host is True or False, not {self.per_host!r}")

    @property
    def number(self) -> int:
        """Whichever of the two was given."""
        return self.exactly if self.at_most is None else self.at_most  # type: ignore[return-value]

    def allows(self, opened: int) -> bool:
        """Whether this many are within it."""
        return opened <= self.number if self.exactly is None else opened == self.number


def beyond(limit: Limit, hosts: Sequence[HostReport]) -> list[HostReport] | None:
    """The routes whose connections count against the limit, or None if it was kept.

    The list is empty if the limit asks for connections and there were none.
    """
    opened = [host for host in hosts if host.opened]
    if not limit.per_host or not hosts:
        return None if limit.allows(opened_by_all(hosts)) else opened
    return [host for host in hosts if not limit.allows(host.opened or 0)] or None


def opened_by_all(hosts: Sequence[HostReport]) -> int:
    """Connections opened to all of them."""
    return sum(host.opened or 0 for host in hosts)


def numbers_of_all(hosts: Sequence[HostReport]) -> dict[str, int]:
    """What was counted of all of them: opened, perfect (the least, of a range), reused, reopened.

    ``perfect`` is how many connections perfect reuse would have opened.
    """
    return {
        "opened": opened_by_all(hosts),
        "perfect": sum(host.perfect.least for host in hosts if host.perfect is not None),
        "reused": sum(host.reused or 0 for host in hosts),
        "reopened": sum(host.reopened or 0 for host in hosts),
    }


def causes_of_all(hosts: Sequence[HostReport]) -> dict[str, int]:
    """How many connections each cause accounts for, over all routes.

    The most expensive cause comes first, unavoidable ones last.
    """
    counts: dict[str, int] = {}
    seconds: dict[str, float] = {}
    for cause in (cause for host in hosts for cause in host.causes if cause.count):
        counts[cause.cause] = counts.get(cause.cause, 0) + cause.count
        seconds[cause.cause] = seconds.get(cause.cause, 0.0) + (cause.seconds or 0.0)
    order = sorted(counts, key=lambda name: (name in UNAVOIDABLE, -seconds[name], name))
    return {name: counts[name] for name in order}
