"""What processes have to do with each other: connections over a fork, and those of a short life."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from statistics import median
from typing import NamedTuple

from keptalive.causes.sentences import lines
from keptalive.quantities import many
from keptalive.records.connection import CloseReason, Connection
from keptalive.records.process import Circumstance, ProcessRecord
from keptalive.records.report import Finding

FORK = "session-after-fork"
FORK_CURE = (
    "Make the Session in each process, after the fork (in multiprocessing's initializer, or "
    "gunicorn's post_fork); or call os.register_at_fork(after_in_child=session.close). "
    "tuned_session() begins anew in each process by itself."
)
FEWEST = 3  # processes, before it is worth to ask why they are so many
MOST_REQUESTS = 10  # of a process whose first connection is a large part of its cost


# -- Sessions that are used on both sides of a fork ------------------------------------------------


def after_fork(records: Sequence[ProcessRecord]) -> Iterator[Finding]:
    """A Session with open connections was used in the child of a fork."""
    every = [one for record in records for one in record.connections]
    shared = {(one.process, one.id) for one in every if one.shared}
    copies = [one for one in every if (one.process, one.id) in shared]
    noted = [one for record in records for one in record.circumstances if one.kind == FORK]
    for host in dict.fromkeys(one.host for one in noted):
        children = sum(
            any(one.kind == FORK and one.host == host for one in record.circumstances)
            for record in records
        )
        yield _after_fork(
            [one for one in noted if one.host == host],
            [one for one in copies if one.host == host],
            children,
        )


def _after_fork(
    noted: Sequence[Circumstance], copies: Sequence[Connection], children: int
) -> Finding:
    """Of one route; every process that has used a shared connection has a copy of its record."""
    made, used = _places(one.detail for one in noted), _places(one.where for one in noted)
    shared = len({(one.process, one.id) for one in copies})
    errors = Counter(
        one.end.error or "an error"
        for one in copies
        if one.end is not None and one.end.how is CloseReason.FAILED
    )
    return Finding(
        finding=FORK,
        host=noted[0].host,
        facts={
            "processes": children,
            "connections_shared": shared,
            "errors": dict(errors),
            "sessions_at": dict(made),
            "requests_at": dict(used),
        },
        evidence=" ".join(
            filter(None, (_used(made, used, children), _shared(shared, children), _failed(errors)))
        ),
        cure=FORK_CURE,
    )


def _places(places: Iterable[str | None]) -> Counter[str]:
    return Counter(place for place in places if place)


def _used(made: Counter[str], used: Counter[str], children: int) -> str:
    session = (
        f"The Session made at {lines(dict(made.most_common()))}"
        if made
        else "A Session or PoolManager"
    )
    where = f" (at {lines(dict(used.most_common()))})" if used else ""
    in_ = "the child process" if children == 1 else f"{children} child processes"
    return f"{session} had open connections at a fork, and was then used in {in_}{where}."


def _shared(shared: int, children: int) -> str:
    both = "both" if children == 1 else "several processes"
    if not shared:
        return f"By luck, none of these connections was used by {both}."
    were = "was" if shared == 1 else "were"
    return (
        f"{many(shared, 'connection')} {were} used by {both}: their requests and responses can "
        "get mixed up."
    )


def _failed(errors: Counter[str]) -> str:
    if not errors:
        return ""
    names = ", ".join(f"{name} ({count})" for name, count in errors.items())
    return f"{many(sum(errors.values()), 'request')} failed on them: {names}."


# -- Processes of a short life ---------------------------------------------------------------------


class _Life(NamedTuple):
    """One process that opened connections to a route: when, how many, and what that took."""

    began_ns: int
    ended_ns: int
    opened: int
    requests: int
    seconds: float


def short_lived(records: Sequence[ProcessRecord]) -> Iterator[Finding]:
    """Processes that ran one after the other, each with a first connection of its own."""
    routes: dict[tuple[str, str | None], list[_Life]] = {}
    for record in records:
        for counts in record.hosts:
            if counts.opened:
                ended_ns = record.started_ns + int(record.seconds * 1e9)
                life = _Life(
                    began_ns=record.started_ns - int(record.earlier_s * 1e9),
                    ended_ns=ended_ns,
                    opened=counts.opened,
                    requests=counts.requests or 0,
                    seconds=counts.seconds_opening or 0.0,
                )
                routes.setdefault((counts.host, counts.via), []).append(life)
    for (host, _), lives in routes.items():
        at_once = _most_at_once(lives)
        are_short = median(life.requests for life in lives) <= MOST_REQUESTS
        if are_short and len(lives) >= FEWEST and len(lives) > 2 * at_once:
            yield _short_lived(host, lives, at_once)


def _most_at_once(lives: Sequence[_Life]) -> int:
    """How many of these processes lived at the same time, at most."""
    changes = sorted(
        [*((one.began_ns, 1) for one in lives), *((one.ended_ns, -1) for one in lives)]
    )
    now = most = 0
    for _, change in changes:
        now += change
        most = max(most, now)
    return max(1, most)


def _short_lived(host: str, lives: Sequence[_Life], at_once: int) -> Finding:
    number, opened = len(lives), sum(life.opened for life in lives)
    # of each process one connection, which perfect reuse within it needs too
    saved_s = sum(life.seconds / life.opened for life in lives) * (number - at_once) / number
    at_most = "one after the other" if at_once == 1 else f"at most {at_once} at a time"
    work = (
        "Do the work in one process, with one Session."
        if at_once == 1
        else f"Do the work in {at_once} processes that stay, each with one Session."
    )
    return Finding(
        finding="short-lived-processes",
        host=host,
        facts={"processes": number, "connections": opened, "processes_at_once": at_once},
        evidence=f"{number} processes, {at_most}, opened {many(opened, 'connection')} to {host}: "
        "no process can reuse another's connection.",
        cure=work,
        seconds=saved_s,
    )
