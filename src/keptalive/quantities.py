"""One way to write plurals, lists of names, hosts and durations, for everything that is shown."""

from __future__ import annotations

from collections.abc import Sequence

_PORTS = {"http://": ":80", "https://": ":443"}
SHORTEST_S = 0.001  # less cannot be noticed
_ENDINGS = {"s": "es"}  # of plurals
NAMED = 3  # names of a list; of the others only how many


def many(count: int, noun: str) -> str:
    """A number and its noun: "1 connection", "2 connections", "2 tries", "2 processes"."""
    plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}{_ENDINGS.get(noun[-1], 's')}"
    return f"{number(count)} {noun if count == 1 else plural}"


def times(count: int) -> str:
    """How often, where it is more than once: " (3 times)"."""
    return f" ({number(count)} times)" if count > 1 else ""


def number(count: int) -> str:
    """A whole number, its thousands apart."""
    return f"{count:,}".replace(",", "\u202f")


def duration(seconds: float) -> str:
    """Seconds in the unit that suits them: "4.2 ms", "290 ms", "3.8 s", "15 min 40 s", "2 h"."""
    if round(seconds * 1000, 1) < 10:
        return f"{seconds * 1000:.1f} ms"
    if round(seconds * 1000) < 1000:
        return f"{seconds * 1000:.0f} ms"
    if round(seconds, 1) < 60:
        return f"{seconds:.1f} s"
    if round(seconds) < 3600:
        return _two_units(round(seconds), "min", "s")
    return _two_units(round(seconds / 60), "h", "min")


def host_name(host: str) -> str:
    """A report's host, without the port that its scheme implies."""
    for scheme, port in _PORTS.items():
        if host.startswith(scheme):
            return host.removesuffix(port)
    return host


def route_name(host: str, via: str | None) -> str:
    """A route: the host, and the proxy by which a tunnel leads there."""
    return f"{host_name(host)} via {host_name(via)}" if via else host_name(host)


def _two_units(count: int, large: str, small: str) -> str:
    whole, rest = divmod(count, 60)
    return f"{whole} {large} {rest} {small}" if rest else f"{whole} {large}"


def listed(names: Sequence[str], *, named: int = NAMED) -> str:
    """The first of these names: "a", "a and b", "a, b, c and 4 more"."""
    shown = list(names[:named])
    if len(names) > named:
        return f"{', '.join(shown)} and {len(names) - named} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)


def of_time(part_s: float, lasted_s: float | None) -> str:
    """A part of the time that something lasted, which threads together may exceed."""
    if lasted_s is None:
        return duration(part_s)
    if part_s > lasted_s:
        return f"{duration(part_s)}, all threads together,"
    return f"{duration(part_s)} of {duration(lasted_s)}"
