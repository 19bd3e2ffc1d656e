"""Which route of one side is which of the other: by name, but for what differs by chance. Pure.

A test's own server has another port in each run, a proxy is there on one machine only, a staging
server has another name. A route that is on one side only is new, or gone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from keptalive.records.report import HostReport

ANY_PORT = "*"
# Linux gives ports from here on to whoever asks for none (ip_local_port_range)
FIRST_BY_CHANCE = 32_768
_LOOPBACK = ("localhost", "::1", "0.0.0.0")  # noqa: S104 - a name in a report


@dataclass(frozen=True, slots=True, order=True)
class Name:
    """A route's name: ``host`` and ``via`` as in `HostReport`; a port by chance is ``*``."""

    host: str
    via: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A route on both sides, or on one.

    Attributes:
        name: what it is called here; the candidate's, if the sides have different ones.
        was: what the baseline calls it, if it is something else.
        before, after: its entries in each report of a side; none where a report has it not.
    """

    name: Name
    was: Name | None = None
    before: tuple[tuple[HostReport, ...], ...]
    after: tuple[tuple[HostReport, ...], ...]


Hosts = Sequence[HostReport]


def matches(before: Sequence[Hosts], after: Sequence[Hosts]) -> tuple[Match, ...]:
    """All routes of two sides, the candidate's first, each in the order of the reports.

    Args:
        before: the routes of each report of the baseline.
        after: likewise, of the candidate.
    """
    names = _common_names(before, after)
    old, new = (dict.fromkeys(map(names.get, _routes(side))) for side in (before, after))
    renamed = _renamed([n for n in old if n not in new], [n for n in new if n not in old], old, new)
    former = {now: was for was, now in renamed.items()}
    sides = [[_by_name(hosts, names) for hosts in side] for side in (before, after)]
    found = []
    for name in [*new, *(n for n in old if n not in new and n not in renamed)]:
        was = former.get(name)
        found.append(
            Match(
                name=name,
                was=was,
                before=tuple(tuple(hosts.get(was or name, ())) for hosts in sides[0]),
                after=tuple(tuple(hosts.get(name, ())) for hosts in sides[1]),
            )
        )
    return tuple(found)


def _routes(side: Sequence[Hosts]) -> Iterable[Name]:
    return dict.fromkeys(_exact(host) for hosts in side for host in hosts)


def _exact(host: HostReport) -> Name:
    return Name(host.host, host.via or "")


def _by_name(hosts: Hosts, names: _Names) -> dict[Name, list[HostReport]]:
    found: dict[Name, list[HostReport]] = {}
    for host in hosts:
        found.setdefault(names.get(_exact(host)), []).append(host)
    return found


# -- Ports by chance -----------------------------------------------------------------------------


class _Names:
    """The name under which each route is compared."""

    def __init__(self, names: Mapping[Name, Name]) -> None:
        self._names = names

    def get(self, exact: Name) -> Name:
        return self._names[exact]


def _common_names(before: Sequence[Hosts], after: Sequence[Hosts]) -> _Names:
    """Exact names; without a port where it is by chance and not all of them are the same."""
    sides = [set(_routes(side)) for side in (before, after)]
    general = {one: _general(one, sides) for one in sides[0] | sides[1]}
    groups = [{(general[one], one) for one in side} for side in sides]
    differing = {name for name, _ in groups[0] ^ groups[1]}
    return _Names({one: general[one] if general[one] in differing else one for one in general})


def _general(exact: Name, sides: Sequence[set[Name]]) -> Name:
    on_both = all(exact in side for side in sides)
    return Name(
        _without_port(exact.host, keep_fixed=on_both), _without_port(exact.via, keep_fixed=on_both)
    )


def _without_port(url: str, *, keep_fixed: bool) -> str:
    """The URL with ``*`` for a port that is by chance: a high one, or any of this machine's own.

    Args:
        url: ``scheme://host:port``, or anything else, which comes back as it is.
        keep_fixed: this route is on both sides, so a low port is no chance.
    """
    try:
        port = urlsplit(url).port
    except ValueError:
        return url
    if port is None:
        return url
    own = is_loopback(url) and not keep_fixed
    return f"{url.rpartition(':')[0]}:{ANY_PORT}" if own or port >= FIRST_BY_CHANCE else url


def is_loopback(url: str) -> bool:
    """Whether a server is on the machine that asks it."""
    try:
        name = urlsplit(url).hostname or ""
    except ValueError:
        return False
    return name in _LOOPBACK or name.startswith("127.")


# -- Other names ---------------------------------------------------------------------------------


def _renamed(
    gone: Sequence[Name], came: Sequence[Name], old: Collection[Name], new: Collection[Name]
) -> dict[Name, Name]:
    """Which route that is gone came back under another name.

    The same host, once through a proxy or through another one; or the only route of each side.
    """
    if len(old) == len(new) == 1 and gone and came:
        return {gone[0]: came[0]}
    hosts = [Counter(name.host for name in names) for names in (gone, came)]
    by_host = {name.host: name for name in came}
    return {
        name: by_host[name.host] for name in gone if hosts[0][name.host] == hosts[1][name.host] == 1
    }
