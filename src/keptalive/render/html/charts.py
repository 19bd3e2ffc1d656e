"""The geometry of the small charts: shares of a width, in per cent. Pure."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from keptalive.quantities import duration, number
from keptalive.records.report import ConnectionReport
from keptalive.render.report_sentences import PHASES

# The phases of a request as the benchmark measures them: what the page shows together
BENCH_PHASES_OF = {
    "pool": ("blocked",),
    "ca_bundle": ("ca_bundle",),
    "dns": ("dns",),
    "connect": ("connect",),
    "tls": ("tls",),
    "waiting": ("wait",),
    "receiving": ("receive",),
    "rest": ("send", "rest"),
}
BENCH_PHASES = {
    "pool": "wait for the pool",
    "ca_bundle": "CA bundle",
    "dns": "DNS",
    "connect": "connect",
    "tls": "TLS",
    "waiting": "wait for the response",
    "receiving": "download",
    "rest": "rest",
}
MOST_BINS = 12
LARGE_RATIO = 16  # of the largest to the smallest: then columns grow
LARGEST_RATIO = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part of a bar.

    Attributes:
        name: what it is: a class of the style sheet, and a key of a legend.
        value: how large it is, in the bar's unit.
        start, share: where it begins and how wide it is, in per cent of the whole width.
    """

    name: str
    value: float
    start: float
    share: float


def stacked(values: Mapping[str, float], whole: float | None = None) -> list[Part]:
    """Parts one after the other, in the order given; the whole width is their sum, or ``whole``."""
    whole = whole or sum(values.values()) or 1.0
    parts, start = [], 0.0
    for name, value in values.items():
        share = 100 * value / whole
        if value > 0:
            parts.append(Part(name=name, value=value, start=round(start, 3), share=round(share, 3)))
        start += share
    return parts


def percent(value: float, whole: float) -> str:
    """A length as a share of the whole width, as SVG has it; never more than all of it."""
    share = min(max(100 * value / whole, 0.0), 100.0) if whole else 0.0
    return f"{share:.4g}%"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """One column of a distribution: from ``low`` to less than ``high``."""

    low: float
    high: float
    count: int
    share: float  # of the highest column, in per cent


def distribution(values: Sequence[float], *, whole: bool) -> list[Bin]:
    """How values are spread, in at most twelve columns.

    Args:
        values: each 0 or more.
        whole: they are whole numbers: while there are few different ones, each has its column.
    """
    if not values:
        return []
    if whole and max(values) < MOST_BINS:
        counts = Counter(int(value) for value in values)
        edges = [(float(n), float(n + 1)) for n in range(min(counts), max(counts) + 1)]
        return _bins([(low, high, counts[int(low)]) for low, high in edges])
    low, high = min(values), max(values)
    bounds = _logarithmic(low, high) if high > LARGE_RATIO * low else _linear(low, high, whole)
    places = Counter(min(bisect_right(bounds, value), len(bounds) - 1) - 1 for value in values)
    return _bins([(a, b, places[n]) for n, (a, b) in enumerate(pairwise(bounds))])


def _linear(low: float, high: float, whole: bool) -> list[float]:
    width = (high - low) / MOST_BINS or 1.0
    width = float(math.ceil(width)) if whole else width
    columns = max(math.ceil((high - low) / width), 1)
    return [low + n * width for n in range(columns + 1)]


def _logarithmic(low: float, high: float) -> list[float]:
    """Each column is as many times as large as the one before: for times from ms to hours."""
    low = max(low, high / LARGEST_RATIO)
    times = (high / low) ** (1 / MOST_BINS)
    return [0.0, *(low * times**n for n in range(1, MOST_BINS)), high]


def _bins(columns: Sequence[tuple[float, float, int]]) -> list[Bin]:
    highest = max(count for _, _, count in columns)
    return [
        Bin(low=low, high=high, count=count, share=100 * count / highest)
        for low, high, count in columns
    ]


def lifetimes(connections: Sequence[ConnectionReport], until_s: float | None) -> list[float]:
    """How long each connection was open, in seconds; one that is open still, until the end."""
    ends = [(one, one.ended_s if one.ended_s is not None else until_s) for one in connections]
    return [
        max(end - one.attempted_s, 0.0)
        for one, end in ends
        if one.attempted_s is not None and one.connected_s is not None and end is not None
    ]


def served(connections: Sequence[ConnectionReport]) -> list[float]:
    """How many responses came on each connection that had one."""
    return [float(one.served) for one in connections if one.served]


def in_numbers(column: Bin) -> str:
    """The bounds of a column of whole numbers: "3", "4 to 7"."""
    low, high = math.ceil(column.low), math.ceil(column.high) - 1
    return number(low) if low >= high else f"{number(low)} to {number(high)}"


def in_seconds(column: Bin) -> str:
    """The bounds of a column of times: "0.5 s to 1.0 s"."""
    return f"{duration(column.low)} to {duration(column.high)}"


def phases(seconds: Mapping[str, float]) -> dict[str, float]:
    """The phases of opening connections, in the order in which they happen."""
    return {name: seconds.get(name, 0.0) for name in PHASES}


def named_phases(seconds: Mapping[str, float]) -> dict[str, str]:
    """Those that took any time, in words."""
    return {name: PHASES[name] for name, took in phases(seconds).items() if took > 0}


def timeline_legend(with_requests: bool) -> dict[str, str]:
    """What the colours of a timeline mean."""
    requests = {"waiting": "request, until its first byte", "receiving": "download"}
    return {
        **PHASES,
        **(requests if with_requests else {}),
        "open": "open, idle" if with_requests else "open",
        "end": "✕ its end",
    }
