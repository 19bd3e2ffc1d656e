"""How many connections a test may open, and which hosts of a report went beyond that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from keptalive.causes.reporting import OWED
from keptalive.errors import UsageError

Host = Mapping[str, Any]  # one of a report's


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A number of connections, for all hosts together or for each.

    Attributes:
        at_most: no more than so many.
        exactly: neither more nor fewer.
        per_host: whether each host that was asked may have so many.

    Raises:
        UsageError: unless one of the two is a number that can be held.
    """

    at_most: int | None = None
    exactly: int | None = None
    per_host: bool = False

    def __post_init__(self) -> None:
        if (self.at_most is None) == (self.exactly is None):
            raise UsageError("say at_most=N or exactly=N, one of them")
        name = "exactly" if self.at_most is None else "at_most"
        if type(self.number) is not int or self.number < 0:
            raise UsageError(f"{name} is a whole number, zero or more, not {self.number!r}")
        if type(self.per_host) is not bool:
            raise UsageError(f"per_host is True or False, not {self.per_host!r}")

    @property
    def number(self) -> int:
        """Whichever of the two was said."""
        return self.exactly if self.at_most is None else self.at_most  # type: ignore[return-value]

    def allows(self, opened: int) -> bool:
        """Whether so many are within it."""
        return opened <= self.number if self.exactly is None else opened == self.number


def limit_of(positional: Sequence[object], named: Mapping[str, Any]) -> Limit:
    """The limit that somebody's arguments say.

    Raises:
        UsageError: for arguments that it does not know, or that make no sense.
    """
    known = [field.name for field in fields(Limit)]
    unknown = [name for name in named if name not in known]
    if positional or unknown:
        what = repr(positional[0]) if positional else unknown[0]
        raise UsageError(f"what is {what}? say at_most=N or exactly=N, and per_host=True or not")
    return Limit(**named)


def beyond(limit: Limit, hosts: Sequence[Host]) -> list[Host] | None:
    """The hosts to which connections count against the limit, or None if it was kept.

    The list is empty if the limit asks for connections and there were none.
    """
    opened = [host for host in hosts if host["opened"]]
    if not limit.per_host or not hosts:
        total = sum(host["opened"] for host in opened)
        return None if limit.allows(total) else opened
    return [host for host in hosts if not limit.allows(host["opened"])] or None


def causes_of_all(hosts: Sequence[Host]) -> dict[str, int]:
    """How many connections each cause accounts for, over all hosts.

    Those that could be spared come first, the dearest of them before the others; then what was
    owed.
    """
    counts: dict[str, int] = {}
    seconds: dict[str, float] = {}
    for cause in (cause for host in hosts for cause in host["causes"]):
        name = cause["cause"]
        counts[name] = counts.get(name, 0) + cause["count"]
        seconds[name] = seconds.get(name, 0.0) + cause["seconds"]
    order = sorted(counts, key=lambda name: (name in OWED, -seconds[name], name))
    return {name: counts[name] for name in order}
