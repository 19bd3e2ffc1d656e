"""Answers that came over no connection that was watched: mocks, caches, other clients."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from keptalive.quantities import many
from keptalive.records.process import Circumstance
from keptalive.records.report import Finding, HostReport

MOCKED, CACHED = "mocked-answers", "cached-answers"
UNWATCHED_URLLIB3, UNWATCHED_CLIENT = "unwatched-urllib3", "unwatched-client"
MOST_HOSTS = 3


def mocked(hosts: Sequence[HostReport], noted: Sequence[Circumstance]) -> Iterator[Finding]:  # noqa: ARG001
    """Responses from a mock, a recording or a cache: they count nowhere else."""
    for kind, source in ((MOCKED, "a mock or a recording"), (CACHED, "a cache")):
        mine = [one for one in noted if one.kind == kind]
        if not mine:
            continue
        libraries = tuple(dict.fromkeys(one.detail for one in mine if one.detail))
        named = f" ({', '.join(libraries)})" if libraries else ""
        origins = _by_host(mine)
        count = sum(origins.values())
        yield Finding(
            finding=kind,
            host=None,
            facts={"answers": count, "libraries": libraries, "hosts": dict(origins)},
            evidence=f"{many(count, 'answer')} came from no socket, but from {source}{named}: "
            f"{_named(origins)}. Not counted as {'a request' if count == 1 else 'requests'}.",
            seconds=0.0,
        )


def unwatched_urllib3(
    hosts: Sequence[HostReport],  # noqa: ARG001
    noted: Sequence[Circumstance],
) -> Iterator[Finding]:
    """Copies of urllib3 that are parts of other packages, and were used."""
    mine = [one for one in noted if one.kind == UNWATCHED_URLLIB3]
    for name in dict.fromkeys(one.detail for one in mine):
        origins = _by_host([one for one in mine if one.detail == name])
        count = sum(origins.values())
        yield Finding(
            finding=UNWATCHED_URLLIB3,
            host=None,
            facts={"package": name, "connections": count, "hosts": dict(origins)},
            evidence=f"{name} was used and is not watched: a copy of urllib3, which opened "
            f"{many(count, 'connection')} to {_named(origins)}.",
            cure=f'For the causes: its debug log (logger "{name}.connectionpool") and '
            "keptalive explain.",
        )


def unwatched_clients(
    hosts: Sequence[HostReport], noted: Sequence[Circumstance]
) -> Iterator[Finding]:
    """Other clients that were imported, where no request was seen at all."""
    names = dict.fromkeys(
        one.detail for one in noted if one.kind == UNWATCHED_CLIENT and one.detail
    )
    if hosts or not names or any(one.kind in (MOCKED, CACHED) for one in noted):
        return
    verb = "is" if len(names) == 1 else "are"
    yield Finding(
        finding=UNWATCHED_CLIENT,
        host=None,
        facts={"clients": tuple(names)},
        evidence=f"{', '.join(names)} {verb} imported, and not watched: requests and urllib3 are.",
    )


def _by_host(noted: Sequence[Circumstance]) -> Mapping[str, int]:
    """How often, by host, the most frequent first."""
    counts: dict[str, int] = {}
    for one in noted:
        host = one.host or "unknown"
        counts[host] = counts.get(host, 0) + one.count
    return dict(sorted(counts.items(), key=lambda item: -item[1]))


def _named(origins: Mapping[str, int]) -> str:
    shown = [
        f"{host} ({count})" if len(origins) > 1 else host
        for host, count in list(origins.items())[:MOST_HOSTS]
    ]
    more = len(origins) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
