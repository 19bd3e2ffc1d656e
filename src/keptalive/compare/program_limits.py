"""Limits on somebody's own program: what of its report breaks them, and what cannot be judged.

Pure. A limit holds only if it was looked at: what may have gone unseen makes it unjudged. A number
that is too high without that is too high in any case.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from keptalive.compare.forbidden import ForbiddenOpening, openings_forbidden
from keptalive.compare.host_patterns import HostPattern
from keptalive.quantities import host_name, listed, many
from keptalive.records.report import HostReport, Report


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedLimit:
    """At most this many connections to each route of the hosts that are meant."""

    host: HostPattern
    at_most: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramLimits:
    """What a program may do; nothing is limited by default.

    Attributes:
        opened: limits on numbers; of those that mean one host, the most precise one counts.
        ignored: hosts to which no limit applies.
        forbidden: causes that no connection may have.
        opened_by, forbidden_by: where they are set, for sentences: "by --max-opened".
        of_project: ``opened`` is for several programs, so a host of it need not be seen.
    """

    opened: tuple[OpenedLimit, ...] = ()
    ignored: tuple[HostPattern, ...] = ()
    forbidden: frozenset[str] = frozenset()
    opened_by: str = "by --max-opened"
    forbidden_by: str = "by --forbid"
    of_project: bool = False

    def __bool__(self) -> bool:
        """Whether anything is limited."""
        return bool(self.opened or self.forbidden)


@dataclass(frozen=True, slots=True, kw_only=True)
class TooMany:
    """A route with more connections than are allowed, and how many processes opened them."""

    host: HostReport
    allowed: int
    processes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What became of the limits.

    Attributes:
        limits: these limits.
        broken: what breaks them, in the order of the report.
        unjudged: why they could not be judged, in sentences without a full stop.
        unseen: hosts of a project's limits from which no response came.
    """

    limits: ProgramLimits
    broken: tuple[TooMany | ForbiddenOpening, ...] = ()
    unjudged: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether all were looked at and hold."""
        return not self.broken and not self.unjudged


def judge(report: Report, limits: ProgramLimits, doubts: Iterable[str] = ()) -> Judgement:
    """Hold a program's report against these limits.

    Args:
        report: of all its processes.
        limits: at least one.
        doubts: why connections may be missing from the report, in sentences.
    """
    hosts = [host for host in report.hosts if not _is_ignored(host, limits)]
    found = openings_forbidden(hosts, limits.forbidden)
    doubts = list(doubts)  # where there are some, they say why nothing was seen
    reasons = [
        *(doubts or _nothing_seen(report, hosts, limits)),
        *(() if limits.of_project else _unseen(report, hosts, limits)),
        *(reason for host in hosts for reason in _unknown(host, limits)),
        *map(_left_open, (one for one in found if one.maybe)),
    ]
    return Judgement(
        limits=limits,
        broken=(*_too_many(report, hosts, limits), *(one for one in found if not one.maybe)),
        unjudged=tuple(dict.fromkeys(reasons)),
        unseen=tuple(_not_seen(hosts, limits)) if limits.of_project else (),
    )


def _is_ignored(host: HostReport, limits: ProgramLimits) -> bool:
    """Whether this route is, or leads to a proxy that was asked for such hosts only."""
    if _ignored_name(host.host, limits):
        return True
    return bool(host.origins) and all(_ignored_name(origin, limits) for origin in host.origins)


def _ignored_name(host: str, limits: ProgramLimits) -> bool:
    return any(pattern.matches(host) for pattern in limits.ignored)


# -- Numbers -------------------------------------------------------------------------------------


def _allowed(host: HostReport, limits: ProgramLimits) -> tuple[int | None, int | None]:
    """How many connections are fine for certain, and how many at most; None: any number.

    They differ for a proxy alone that was asked for several hosts, of which one connection served
    any: each of them may have its own limit.
    """
    own = _limit_of(host.host, limits)
    if own is not None and not own.host.is_any:
        return own.at_most, own.at_most
    each = [
        None if _ignored_name(origin, limits) else _limit_of(origin, limits)
        for origin in host.origins
    ] or [own]
    numbers = [one.at_most for one in each if one is not None]
    if not any(one is not None and not one.host.is_any for one in each):
        numbers = numbers[:1]  # each route may have so many, however many hosts it leads to
    least = min(numbers, default=None)
    return least, sum(numbers) if numbers and None not in each else None


def _limit_of(host: str, limits: ProgramLimits) -> OpenedLimit | None:
    matching = [limit for limit in limits.opened if limit.host.matches(host)]
    return max(matching, key=lambda limit: limit.host.precision, default=None)


def _too_many(
    report: Report, hosts: Iterable[HostReport], limits: ProgramLimits
) -> Iterator[TooMany]:
    for host in hosts:
        _, most = _allowed(host, limits)
        if most is not None and (host.opened or 0) > most:
            yield TooMany(host=host, allowed=most, processes=_processes(report, host))


def _processes(report: Report, host: HostReport) -> int:
    return len(
        {
            one.process
            for one in report.connections
            if (one.host, one.via) == (host.host, host.via) and one.served
        }
    )


def _unknown(host: HostReport, limits: ProgramLimits) -> Iterator[str]:
    """Why this route cannot be judged."""
    (least, most), opened, name = _allowed(host, limits), host.opened, host_name(host.host)
    if least is not None and opened is None:
        yield f"connections to {name} were not counted"
    elif (
        least is not None
        and opened is not None
        and least < opened
        and (most is None or opened <= most)
    ):
        yield (
            f"{name} is a proxy, and its {many(opened, 'connection')} served "
            f"{listed([*map(host_name, host.origins)])} together: limit {name} itself"
        )
    beyond = sum(cause.facts.get("not_recorded", 0) for cause in host.causes)
    if limits.forbidden and beyond:
        yield f"{many(beyond, 'connection')} to {name} are counted without a cause: too many"


# -- What was not seen ---------------------------------------------------------------------------


def _answered(hosts: Iterable[HostReport]) -> Iterator[str]:
    """The names of all from which a response came."""
    for host in hosts:
        if host.opened or host.reused:
            yield from (host.host, *host.origins)


def _not_seen(hosts: Iterable[HostReport], limits: ProgramLimits) -> Iterator[str]:
    """Hosts that have a limit above 0 of their own, and no response."""
    seen = list(_answered(hosts))
    for limit in limits.opened:
        if limit.at_most and not limit.host.is_any and not any(map(limit.host.matches, seen)):
            yield limit.host.written


def _unseen(report: Report, hosts: Sequence[HostReport], limits: ProgramLimits) -> Iterator[str]:
    names = [*map(host_name, dict.fromkeys(_answered(hosts)))]
    for written in _not_seen(hosts, limits):
        if written in _not_seen(report.hosts, limits):
            others = f"; responses came from {listed(names)}" if names else ""
            yield f"no response from {written} was seen{others}"
        else:
            yield f"{written} is ignored, and has a limit"


def _nothing_seen(
    report: Report, hosts: Sequence[HostReport], limits: ProgramLimits
) -> Iterator[str]:
    """That there was nothing to judge, unless no connection was what is wanted."""
    wants_none = limits.opened and not any(limit.at_most for limit in limits.opened)
    if wants_none or any(_answered(hosts)):
        return
    if any(_answered(report.hosts)):
        yield "every host that responded is ignored"
    else:
        yield (
            "no response through requests or urllib3 was seen; other clients and mocks are not "
            "watched"
        )


def _left_open(one: ForbiddenOpening) -> str:
    return (
        f"{many(one.count, 'connection')} to {host_name(one.host)} may have the forbidden cause "
        f"{listed(one.maybe)}, or another one"
    )
