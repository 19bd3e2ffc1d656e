"""What became of a program's limits, in sentences: what broke, and where in the code. Pure text."""

from __future__ import annotations

from collections.abc import Iterator

from keptalive.compare.forbidden import ForbiddenOpening, places_of
from keptalive.compare.program_limits import Judgement, OpenedLimit, ProgramLimits, TooMany
from keptalive.quantities import listed, many, number, route_name
from keptalive.records.report import UNAVOIDABLE, Cause, HostReport

NAMED = 2  # causes of a route, places of a cause
SHOWN = 5  # broken limits; of the others only how many

BROKEN, UNJUDGED, HOLDS = "limit broken", "limits not judged", "limits hold"


def lines(judgement: Judgement, *, exit_code: int = 0) -> list[str]:
    """A line for each broken limit, or one that says why they were not judged, or that they hold.

    Args:
        judgement: of a report.
        exit_code: the program's own: if it is not 0 it stays, which the last line says.
    """
    said = list(_lines(judgement))
    if exit_code and not judgement.holds:
        said[-1] += f" The exit code {exit_code} is the program's own."
    return said


def _lines(judgement: Judgement) -> Iterator[str]:
    limits, broken = judgement.limits, judgement.broken
    for one in broken[:SHOWN]:
        yield f"{BROKEN}: {_broken(one, limits)}."
    if len(broken) > SHOWN:
        yield f"{BROKEN}: {number(len(broken) - SHOWN)} more."
    if judgement.unjudged and not broken:
        first, *others = judgement.unjudged
        more = f" (and {many(len(others), 'other reason')})" if others else ""
        yield f"{UNJUDGED}: {first.removesuffix('.')}{more}."
    elif judgement.holds:
        yield f"{HOLDS}: {_all(limits)}.{_unseen(judgement)}"


def cures(judgement: Judgement) -> list[str]:
    """What to change, each once: where little is to be saved, the report itself shows none."""
    found = [_cure(one) for one in judgement.broken[:SHOWN]]
    return [cure for cure in dict.fromkeys(found) if cure]


def _cure(one: TooMany | ForbiddenOpening) -> str:
    if isinstance(one, ForbiddenOpening):
        return one.cure
    return next((cause.cure for cause in _mendable(one.host) if cause.cure), "")


def _mendable(host: HostReport) -> list[Cause]:
    return [cause for cause in host.causes if cause.count and cause.cause not in UNAVOIDABLE]


# -- What broke ----------------------------------------------------------------------------------


def _broken(one: TooMany | ForbiddenOpening, limits: ProgramLimits) -> str:
    if isinstance(one, TooMany):
        opened = many(one.host.opened or 0, "connection")
        allowed = f"{number(one.allowed)} allowed {limits.opened_by}"
        return f"{opened} to {route_name(one.host.host, one.host.via)}, {allowed}{_why(one)}"
    where = f": {listed(one.places, named=NAMED)}" if one.places else ""
    return (
        f"{number(one.count)} × {one.cause} to {route_name(one.host, one.via)}, "
        f"forbidden {limits.forbidden_by}{where}"
    )


def _why(one: TooMany) -> str:
    """The causes that can be mended, with their places, and what is necessary in any case."""
    host = one.host
    causes = [*map(_cause, _mendable(host))]
    parts = [f": {listed(causes, named=NAMED)}"] if causes else []
    necessary = host.perfect.least if host.perfect is not None else 0
    if necessary > one.allowed:
        are = "is" if necessary == 1 else "are"
        parts.append(f"; {number(necessary)} {are} necessary{_necessary(one)}")
    return "".join(parts)


def _necessary(one: TooMany) -> str:
    if one.processes > 1:
        return f", since {number(one.processes)} processes cannot share them"
    at_once = one.host.most_at_once or 0
    return f", since {number(at_once)} requests ran at once" if at_once > 1 else ""


def _cause(cause: Cause) -> str:
    places = places_of(cause)
    where = f" at {listed(places, named=1)}" if places else ""
    return f"{number(cause.count)} × {cause.cause}{where}"


# -- What holds ----------------------------------------------------------------------------------


def _all(limits: ProgramLimits) -> str:
    parts = [*map(_number, limits.opened)]
    forbidden = sorted(limits.forbidden)
    parts += [f"no {' or '.join(forbidden)}"] if forbidden else []
    return listed(parts, named=SHOWN)


def _number(limit: OpenedLimit) -> str:
    name = "" if limit.host.is_any else limit.host.written
    if not limit.at_most:
        return f"no connection to {name or 'any host'}"
    return f"at most {many(limit.at_most, 'connection')} to {name or 'each host'}"


def _unseen(judgement: Judgement) -> str:
    if not judgement.unseen:
        return ""
    return f" No response came from {listed(judgement.unseen)}."
