"""The records of several processes on one time line, their connections numbered in one row."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace

from keptalive.records.connection import Connection, Exchange
from keptalive.records.process import EXCHANGES_KEPT, ProcessRecord
from keptalive.records.report import ExchangeColumns

_TIMES = re.compile(r"(?P<sentence>.*) \((?P<count>\d{1,9}) times\)", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """All processes together; times are seconds since the first of them began.

    Attributes:
        started_ns: the wall clock then; None without any process.
        seconds: until the last of them ended.
        connections: of each process, numbered over all of them in the order of their attempts;
            `shared` holds for every process that has the connection.
        starts_s, ends_s: of each process, when its record begins, and when its watch ended.
        exchanges: in the order of their start; None if nobody recorded any.
        exchanges_missing: how many are not among them.
    """

    started_ns: int | None
    seconds: float
    connections: tuple[tuple[Connection, ...], ...]
    starts_s: tuple[float, ...]
    ends_s: tuple[float, ...]
    exchanges: tuple[Exchange, ...] | None
    exchanges_missing: int


def merge(records: Sequence[ProcessRecord]) -> Merged:
    """These processes as one."""
    started_ns = min((record.started_ns for record in records), default=None)
    shifts = [(record.started_ns - (started_ns or 0)) / 1e9 for record in records]
    ids = _numbered(records, shifts)
    shared = {(c.process, c.id) for record in records for c in record.connections if c.shared}
    connections = tuple(
        tuple(_moved(one, number, shift, ids, shared) for one in record.connections)
        for number, (record, shift) in enumerate(zip(records, shifts, strict=True))
    )
    ends_s = tuple(s + record.seconds for record, s in zip(records, shifts, strict=True))
    exchanges, missing = _exchanges(records, shifts, ids)
    return Merged(
        started_ns=started_ns,
        seconds=max(ends_s, default=0.0),
        connections=connections,
        starts_s=tuple(shifts),
        ends_s=ends_s,
        exchanges=exchanges,
        exchanges_missing=missing,
    )


Ids = Mapping[tuple[int, int], int]  # (index of the process, id there) -> id in the report


def _numbered(records: Sequence[ProcessRecord], shifts: Sequence[float]) -> Ids:
    order = sorted(
        (-math.inf if one.attempted_s is None else one.attempted_s + shifts[number], number, one.id)
        for number, record in enumerate(records)
        for one in record.connections
    )
    return {(number, id_): new for new, (_, number, id_) in enumerate(order, start=1)}


def _moved(
    one: Connection, number: int, shift: float, ids: Ids, shared: Set[tuple[int, int]]
) -> Connection:
    return replace(
        one,
        shared=(one.process, one.id) in shared,
        id=ids[number, one.id],
        replaces=None if one.replaces is None else ids.get((number, one.replaces)),
        attempted_s=_later(one.attempted_s, shift),
        connected_s=_later(one.connected_s, shift),
        ended_s=_later(one.ended_s, shift),
    )


def _later(time_s: float | None, shift: float) -> float | None:
    return None if time_s is None else time_s + shift


def _exchanges(
    records: Sequence[ProcessRecord], shifts: Sequence[float], ids: Ids
) -> tuple[tuple[Exchange, ...] | None, int]:
    recorded = [
        (number, one) for number, record in enumerate(records) for one in record.exchanges or ()
    ]
    missing = sum(record.exchanges_missing for record in records)
    if all(record.exchanges is None for record in records):
        return None, missing
    moved = [
        replace(
            one,
            connection=ids[number, one.connection],
            started_s=one.started_s + shifts[number],
            head_s=_later(one.head_s, shifts[number]),
            released_s=_later(one.released_s, shifts[number]),
        )
        for number, one in recorded
        if (number, one.connection) in ids
    ]
    moved.sort(key=lambda one: (one.started_s, one.connection))
    kept = tuple(moved[:EXCHANGES_KEPT])
    return kept, missing + len(recorded) - len(kept)


def columns_of(exchanges: Iterable[Exchange]) -> tuple[ExchangeColumns, tuple[str, ...]]:
    """A timeline as columns, and the places in the program to which they refer."""
    exchanges = tuple(exchanges)
    places = tuple(dict.fromkeys(one.where for one in exchanges if one.where is not None))
    index = {place: number for number, place in enumerate(places)}
    columns = ExchangeColumns(
        connection=tuple(one.connection for one in exchanges),
        started_s=tuple(one.started_s for one in exchanges),
        head_s=tuple(one.head_s for one in exchanges),
        released_s=tuple(one.released_s for one in exchanges),
        method=tuple(one.method for one in exchanges),
        path=tuple(one.path for one in exchanges),
        status=tuple(one.status for one in exchanges),
        thread=tuple(one.thread for one in exchanges),
        where=tuple(None if one.where is None else index[one.where] for one in exchanges),
    )
    return columns, places


def each_once(sentences: Iterable[str]) -> tuple[str, ...]:
    """Every sentence once; of one that came several times, how often: "... (3 times)"."""
    counts: Counter[str] = Counter()
    for sentence in sentences:
        several = _TIMES.fullmatch(sentence)
        counts[several["sentence"] if several else sentence] += (
            int(several["count"]) if several else 1
        )
    return tuple(f"{said} ({n} times)" if n > 1 else said for said, n in counts.items())
