"""What one report counted of one route, or of several that are compared as one. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields

from keptalive.records.report import UNAVOIDABLE, Cause, HostReport, Range, Report

# Causes that the program alone decides: how its threads take turns changes nothing about them
STEADY = frozenset(
    {
        *("first-use", "new-session", "new-adapter", "session-closed", "pool-evicted"),
        *("tls-settings-differ", "proxy-differs", "unread-body", "abandoned-body"),
        *("close-requested", "http-1.0", "redirect"),
    }
)
_AT_ONCE = "concurrency"
_NONE = Range(least=0, most=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """Counts as in `HostReport`, summed; what one of the routes does not know is None.

    Attributes:
        perfect: of a log, the least and the most.
        at_once: the most requests that were in flight at once in one process; of a log, as far as
            it shows that.
        processes: how many used it, as far as connections are listed.
        is_lower_bound: requests of a process that was killed are missing, but no connection is.
        causes: those of all these routes.
    """

    requests: int | None = 0
    attempts: int | None = 0
    opened: int | None = 0
    reopened: int | None = 0
    reused: int | None = 0
    in_flight: int | None = 0
    begun: int | None = None
    discarded: int | None = None
    seconds_opening: float | None = 0.0
    perfect: Range = _NONE
    at_once: int = 0
    processes: int = 0
    is_lower_bound: bool = False
    causes: tuple[Cause, ...] = ()

    @property
    def is_absent(self) -> bool:
        """Whether the report has nothing of this route."""
        return self == Counted()

    @property
    def answered(self) -> int | None:
        """Requests that got a response, those of redirects too; None if unknown."""
        if self.requests is None or self.opened is None or self.reused is None:
            return None
        responses = self.opened + self.reused
        return min(self.requests, responses) if self.requests else responses

    @property
    def excess(self) -> int:
        """Connections that perfect reuse would not have opened; of a log, at most."""
        return max((self.opened or 0) - self.perfect.least, 0)

    @property
    def unsteady(self) -> int:
        """Connections whose number depends on the order of events, or may.

        Without those that are necessary: these are as many as requests ran at once.
        """
        return sum(one.count for one in self.causes if one.cause != _AT_ONCE and not _steady(one))

    @property
    def steady_causes(self) -> tuple[Cause, ...]:
        """The causes of avoidable connections that the program alone decides."""
        return tuple(one for one in self.causes if _steady(one) and one.cause not in UNAVOIDABLE)

    @property
    def may_be_at_once(self) -> bool:
        """Whether requests were, or may have been, in flight at the same time."""
        return self.at_once > 1 or any(_AT_ONCE in _names(one) for one in self.causes)


def _names(cause: Cause) -> tuple[str, ...]:
    return cause.members or (cause.cause,)


def _steady(cause: Cause) -> bool:
    return STEADY.issuperset(_names(cause))


_EITHER_MAY_KNOW = ("begun", "discarded")
_SUMMED = tuple(
    one.name
    for one in fields(Counted)
    if one.name not in ("perfect", "at_once", "processes", "is_lower_bound", "causes")
)


def counted(
    hosts: Sequence[HostReport], processes: Mapping[tuple[str, str | None], int]
) -> Counted:
    """These routes of one report together.

    Args:
        hosts: none, if the report has none of them.
        processes: of `processes_of` this report.
    """
    if not hosts:
        return Counted()
    known = [one.perfect for one in hosts if one.perfect is not None]
    several = sum(processes.get((one.host, one.via), 0) for one in hosts)
    return Counted(
        **{name: _sum(name, hosts) for name in _SUMMED},  # type: ignore[arg-type]
        perfect=Range(least=sum(p.least for p in known), most=sum(p.most for p in known)),
        at_once=max(_at_once(one, processes.get((one.host, one.via), 1)) for one in hosts),
        processes=several,
        is_lower_bound=any(one.is_lower_bound for one in hosts),
        causes=tuple(cause for one in hosts for cause in one.causes),
    )


def _sum(name: str, hosts: Iterable[HostReport]) -> float | None:
    values = [getattr(one, name) for one in hosts]
    known = [value for value in values if value is not None]
    if len(known) < len(values) and name not in _EITHER_MAY_KNOW:
        return None
    return sum(known) if known else None


def _at_once(host: HostReport, processes: int) -> int:
    """``most_at_once`` is a sum over processes, in each of which it is at least 1."""
    most = host.most_at_once
    if most is None:
        most = host.perfect.least if host.perfect else 1
    return most - max(processes - 1, 0)


def processes_of(report: Report) -> dict[tuple[str, str | None], int]:
    """How many processes opened a connection to each route, of those that are listed."""
    seen = {(one.host, one.via, one.process) for one in report.connections}
    counts: dict[tuple[str, str | None], int] = {}
    for host, via, _ in seen:
        counts[host, via] = counts.get((host, via), 0) + 1
    return counts
