"""What the records show of connections with one cause: numbers and names, no sentences.

Each function takes the openings that have the cause and the route's pattern, and gives a dict of
plain data, without what was not seen. Times are in seconds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from keptalive.causes.patterns import (
    CLOSED_BY_SERVER,
    SHORTEST_SURVIVED_S,
    Pattern,
    announced_timeout_s,
    safe_max_idle_s,
)
from keptalive.records.connection import Connection, ConnectionEnd

LOCATIONS_KEPT = 10


class Opening(NamedTuple):
    """A connection, and the one whose end made it necessary, if there is one.

    Attributes:
        differs: by which TLS settings its pool differs from an earlier one of the same owner.
    """

    connection: Connection
    predecessor: Connection | None = None
    differs: tuple[str, ...] = ()

    @property
    def end(self) -> ConnectionEnd | None:
        """How the predecessor ended."""
        return None if self.predecessor is None else self.predecessor.end


Openings = Sequence[Opening]
Place = tuple[
    str | None, str | None, str | None
]  # line of the program, of a library, entered there
Facts = dict[str, Any]
FactsOf = Callable[[Openings, Pattern], Facts]


def nothing(_openings: Openings, _pattern: Pattern) -> Facts:
    """The cause says it all."""
    return {}


def idle(openings: Openings, pattern: Pattern) -> Facts:
    """How long connections had been idle, what others survived, how they were closed."""
    ends = [end for opening in openings if (end := opening.end) is not None]
    idle_s = [end.idle_s for end in ends if end.idle_s is not None]
    died_s = [end.idle_s for end in ends if end.idle_s and end.how in CLOSED_BY_SERVER]
    announced_s = announced_timeout_s(ends)
    facts: Facts = {
        **_range("idle", "s", idle_s),
        "closed_by": sorted({end.how.value for end in ends if end.how in CLOSED_BY_SERVER}),
        "keep_alive": next((end.keep_alive for end in ends if end.keep_alive), None),
        **tuned(openings),
        **requested(openings, pattern),
    }
    if died_s or announced_s:
        shortest_s = min([*died_s, *([announced_s] if announced_s else [])])
        survived_s = pattern.survived_below_s(shortest_s)
        facts["died_s"] = _rounded(shortest_s)
        facts["survived_s"] = _rounded(survived_s) if survived_s >= SHORTEST_SURVIVED_S else None
        facts["max_idle_s"] = safe_max_idle_s(shortest_s, survived_s, announced_s)
        if pattern.servers_differ:
            facts["servers_differ"] = True
            facts["longest_survived_s"] = _rounded(pattern.longest_survived_s)
    return known(facts)


def idle_range(idle_s: Sequence[float]) -> Facts:
    """The shortest and the longest of these idle times."""
    return _range("idle", "s", idle_s)


def replaced(openings: Openings, pattern: Pattern) -> Facts:
    """How long connections had been idle when the Session replaced them, and what servers do.

    They were open then: the server keeps connections at least as long.
    """
    ends = [end for opening in openings if (end := opening.end) is not None]
    idle_s = [end.idle_s for end in ends if end.idle_s is not None and not end.too_old]
    announced_s, closed_s = announced_timeout_s(ends), pattern.closed_after_s
    facts = {
        **_range("idle", "s", idle_s),
        "too_old": sum(end.too_old for end in ends) or None,
        **tuned(openings),
        "keep_alive": next((end.keep_alive for end in ends if end.keep_alive), None),
        **requested(openings, pattern),
    }
    known_s = [limit for limit in (announced_s, closed_s) if limit is not None]
    if known_s:
        facts["died_s"] = _rounded(min(known_s))
        survived_s = max((one for one in idle_s if one < min(known_s)), default=0.0)
        survived_s = max(survived_s, pattern.survived_below_s(min(known_s)))
        facts["max_idle_s"] = safe_max_idle_s(min(known_s), survived_s, announced_s)
    return known(facts)


def tuned(openings: Openings) -> Facts:
    """Whether all these connections were a tuned Session's, and its ``max_idle``."""
    settings = [opening.connection.facts for opening in openings]
    if not settings or not all(one.is_tuned for one in settings):
        return {}
    own_s = min((one.max_idle_s for one in settings if one.max_idle_s is not None), default=None)
    learns = all(one.learns for one in settings)
    return known({"tuned": True, "own_max_idle_s": own_s, "learns": learns or None})


def served(openings: Openings, _pattern: Pattern) -> Facts:
    """How many responses the predecessors had served."""
    return _range("served", "", [o.predecessor.served for o in openings if o.predecessor])


def sessions(openings: Openings, pattern: Pattern) -> Facts:
    """Where the Sessions were made, or else the requests."""
    made = [o.connection.facts for o in openings]
    places = ((f.session_location, f.session_library, f.session_entered) for f in made)
    return _placed("sessions", places) or requested(openings, pattern)


def closed(openings: Openings, pattern: Pattern) -> Facts:
    """Where the Sessions were made that had been closed, and by whom."""
    at_exit = sum(o.connection.facts.at_exit for o in openings)
    more = {"at_exit": at_exit, **requested(openings, pattern)} if at_exit else {}
    return {**more, **sessions(openings, pattern)}


def mounted(openings: Openings, pattern: Pattern) -> Facts:
    """Where the adapters were mounted, or else where requests were made."""
    made = [o.connection.facts for o in openings]
    places = ((f.session_location, f.session_library, f.session_entered) for f in made)
    return _placed("mounted", places) or requested(openings, pattern)


def pools(openings: Openings, pattern: Pattern) -> Facts:
    """How many pools the Session keeps, needs, and has for this route alone."""
    seen = [opening.connection.facts for opening in openings]
    alike = max(one.pools_alike for one in seen)
    return {
        **known(
            {
                "pools_kept": max((one.pools_kept or 0 for one in seen), default=0) or None,
                "pools_needed": max(one.pools_needed for one in seen) or None,
                "pools_alike": alike or None,
            }
        ),
        **sessions(openings, pattern),
    }


# The settings of urllib3's pools in the words of requests
_IN_REQUESTS = {
    **dict.fromkeys(("cert_reqs", "ca_certs", "ca_cert_dir", "ca_cert_data"), "verify"),
    **dict.fromkeys(("cert_file", "key_file"), "cert"),
}


def tls(openings: Openings, pattern: Pattern) -> Facts:
    """By which settings their pools differ from earlier ones."""
    names = dict.fromkeys(_IN_REQUESTS.get(name, name) for o in openings for name in o.differs)
    return known({"differs": sorted(names), "openings": len(openings)}) | requested(
        openings, pattern
    )


def peer(openings: Openings) -> Facts:
    """Who is at the other end, if it is a proxy; of a tunnel, what its scheme is."""
    one = openings[0].connection
    if one.via is not None:
        return {"proxy": one.via, "tunnel": one.host.partition(":")[0]}
    return {} if one.facts.proxy is None else {"proxy": one.host}


def requested(openings: Openings, _pattern: Pattern) -> Facts:
    """Where the requests were made, or else the Sessions by which they were."""
    sent = [o.connection.facts for o in openings]
    placed = [f for f in sent if f.request_location or not f.session_location]
    places = ((f.request_location, f.request_library, f.request_entered) for f in placed)
    others = (f.session_location for f in sent if not f.request_location)
    return {**_placed("requests", places), **_located("requests_of", others)}


def unread(openings: Openings, pattern: Pattern) -> Facts:
    """Where the responses were requested that nobody has read."""
    places = [
        (f.unread_location, f.unread_library, f.unread_entered)
        if any((f.unread_location, f.unread_entered)) or end is None
        else _of_end(end)
        for f, end in ((o.connection.facts, o.end) for o in openings)
    ]
    return _placed("unread", places) or sessions(openings, pattern)


def abandoned(openings: Openings, _pattern: Pattern) -> Facts:
    """Where the responses were requested that were closed unread."""
    return _placed("unread", (_of_end(o.end) for o in openings if o.end))


def _of_end(end: ConnectionEnd) -> Place:
    return end.request_location, end.request_library, end.request_entered


def at_once(openings: Openings, _pattern: Pattern) -> Facts:
    """How many requests were in flight at once."""
    return {"most_at_once": max(o.connection.facts.most_at_once for o in openings)}


def pool(openings: Openings, pattern: Pattern) -> Facts:
    """How many connections the pool keeps, and how many are needed."""
    sizes = [size for o in openings if (size := o.connection.facts.pool_size) is not None]
    size = max(sizes, default=None)
    at_once = max([pattern.most_at_once, *(o.connection.facts.most_at_once for o in openings)])
    # A pool that was full and as large as this would have to be larger still
    needed = at_once if size is None else max(at_once, size + 1)
    found = known({"most_at_once": at_once, "pool_size": size, "needed": needed})
    return {**found, **sessions(openings, pattern)}


def known(facts: Facts) -> Facts:
    """Without what was not seen."""
    return {name: value for name, value in facts.items() if value not in (None, [], {}, "")}


def _placed(name: str, places: Iterable[Place]) -> Facts:
    """Where in the program, through which library, and where in a library if only there."""
    known = [place for place in places if any(place)]
    return {
        **_located(name, (line for line, _, _ in known)),
        **_located(f"{name}_through", (library for _, library, _ in known)),
        **_located(f"{name}_in", (entered for line, _, entered in known if not line)),
    }


def _located(name: str, locations: Iterable[str | None]) -> Facts:
    """Where in the program, and how often, the most frequent first; bounded."""
    most = list(by_frequency(locations).items())
    facts: Facts = {f"{name}_at": dict(most[:LOCATIONS_KEPT])} if most else {}
    if len(most) > LOCATIONS_KEPT:
        facts[f"{name}_at_more"] = len(most) - LOCATIONS_KEPT
    return facts


def by_frequency(locations: Iterable[str | None]) -> dict[str, int]:
    """How often each location is there, the most frequent first, then in the order of lines."""

    def order(item: tuple[str, int]) -> tuple[int, str, int]:
        file, _, line = item[0].rpartition(":")
        return -item[1], file, int(line) if line.isdecimal() else 0

    counts = Counter(location for location in locations if location)
    return dict(sorted(counts.items(), key=order))


def _range(name: str, unit: str, values: Sequence[float]) -> Facts:
    if not values:
        return {}
    suffix = f"_{unit}" if unit else ""
    return {
        f"{name}_least{suffix}": _rounded(min(values)),
        f"{name}_most{suffix}": _rounded(max(values)),
    }


def _rounded(value: float) -> float:
    return value if isinstance(value, int) else round(value, 3)
