"""What loading the CA bundle for each new connection costs, and who can load it once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from keptalive.causes.catalogue import CATALOGUE
from keptalive.causes.cures import cure, library_of
from keptalive.causes.rules import Judged
from keptalive.quantities import duration, many
from keptalive.records.connection import Connection
from keptalive.records.report import UNAVOIDABLE, Finding, HostReport

LARGE_SHARE, LARGE_S = 1 / 3, 0.05  # of opening connections; in all
SHORTEST_SAVING_S = 0.005


@dataclass(slots=True)
class Loads:
    """The connections of one library for which the CA bundle was loaded.

    Attributes:
        is_bare: it uses urllib3 without requests.
        remaining: those that the program cannot avoid.
        necessary: those that perfect reuse would have opened too.
    """

    library: str
    is_bare: bool
    all: list[Connection] = field(default_factory=list)
    remaining: list[Connection] = field(default_factory=list)
    necessary: list[Connection] = field(default_factory=list)

    def add(self, one: Judged) -> None:
        """One more, with its cause."""
        self.all.append(one.opening.connection)
        if one.cause is None or CATALOGUE[one.cause].mended_by != "program":
            self.remaining.append(one.opening.connection)
        if one.cause in UNAVOIDABLE:
            self.necessary.append(one.opening.connection)

    @property
    def routes(self) -> list[tuple[str, str | None]]:
        """Where they led."""
        return list(dict.fromkeys((one.host, one.via) for one in self.all))


def ca_bundle(hosts: Sequence[HostReport], judged: Sequence[Judged]) -> Iterator[Finding]:
    """One sum for each library, over all its routes, where the price is large."""
    by_library: dict[tuple[str, bool], Loads] = {}
    for one in judged:
        connection = one.opening.connection
        if connection.phases.get("ca_bundle") and connection.attempted_s is not None:
            key = library_of(connection.facts), connection.facts.is_bare
            by_library.setdefault(key, Loads(*key)).add(one)
    for loads in by_library.values():
        yield from _price(loads, hosts)


def _price(loads: Loads, hosts: Sequence[HostReport]) -> Iterator[Finding]:
    spent_s = sum(map(_load_s, loads.all))
    opening_s = sum(one.seconds for one in loads.all)
    saved_s, saved_beside_s = saved_by_one(loads.remaining), saved_by_one(loads.necessary)
    if saved_s < SHORTEST_SAVING_S or spent_s < min(LARGE_S, LARGE_SHARE * opening_s):
        return
    reuse_s = sum(
        host.seconds_saved or 0.0 for host in hosts if (host.host, host.via) in loads.routes
    )
    names = list(dict.fromkeys(host for host, _ in loads.routes))
    threads = ", all threads together" if are_at_once(loads.all) else ""
    yield Finding(
        finding="ca-bundle",
        host=names[0] if len(names) == 1 else None,
        facts={
            "library": loads.library,
            "loads": len(loads.all),
            "connections": len(loads.remaining),
            "seconds_ca_bundle": round(spent_s, 4),
            "seconds_opening": round(opening_s, 4),
            "seconds_saved_beside_reuse": round(saved_beside_s, 4),
            "hosts": names,
        },
        evidence=f"The CA bundle was loaded {len(loads.all)} times, once for each new connection: "
        f"{duration(spent_s)} of {duration(opening_s)} for opening them{threads}.",
        cure=_cure(loads, saved_s, opening_s) + _beside_reuse(saved_s, saved_beside_s, reuse_s),
        seconds=saved_s,
    )


def saved_by_one(connections: Iterable[Connection]) -> float:
    """The seconds that one load would save for all connections with the same TLS settings.

    Each process needs one of its own.
    """
    groups: dict[tuple[int, tuple[str, ...]], list[float]] = {}
    for one in connections:
        groups.setdefault((one.process, one.facts.tls), []).append(_load_s(one))
    return sum(sum(group) * (len(group) - 1) / len(group) for group in groups.values())


def are_at_once(connections: Iterable[Connection]) -> bool:
    """Whether several were being opened at the same time: then seconds are no wall time."""
    spans = sorted((one.attempted_s or 0.0, one.connected_s or 0.0) for one in connections)
    until_s = 0.0
    for began_s, connected_s in spans:
        if began_s < until_s:
            return True
        until_s = max(until_s, connected_s)
    return False


def _load_s(one: Connection) -> float:
    return one.phases["ca_bundle"]


def _cure(loads: Loads, saved_s: float, opening_s: float) -> str:
    one = _ONE_CONTEXT if loads.is_bare else _ONE_SESSION
    owners = len({(at.process, at.facts.owner) for at in loads.remaining})
    processes = len({at.process for at in loads.remaining})
    if owners > processes == 1 and not loads.is_bare:
        one = f"One {one} in place of {many(owners, 'Session')}"
    of_which = ""
    if len(loads.remaining) < len(loads.all):
        connections = many(len(loads.remaining), "connection")
        of_which = f", for the {connections} that the program cannot avoid"
    default = (
        f"{one} loads it once and would save about {duration(saved_s)} of these "
        f"{duration(opening_s)}{of_which}."
    )
    return cure("ca-bundle", {"through": {loads.library: len(loads.all)}}, default)


def _beside_reuse(saved_s: float, beside_s: float, reuse_s: float) -> str:
    """What remains of it if connections are reused as well: the same second is saved once."""
    if reuse_s < SHORTEST_SAVING_S or beside_s >= saved_s - SHORTEST_SAVING_S:
        return ""
    if beside_s < SHORTEST_SAVING_S:
        return " With perfect reuse, there would be nothing more to save here."
    return f" With perfect reuse, it would still save {duration(beside_s)}."


_ONE_SESSION = "tuned_session()"
_ONE_CONTEXT = (
    "One context for all, ssl.create_default_context(cafile=...), passed as "
    "PoolManager(ssl_context=...) in place of ca_certs,"
)
