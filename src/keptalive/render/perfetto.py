"""A report as a Perfetto trace: a track for each connection and each thread.

Needs the extra ``trace`` (the package `perfetto`). The trace opens in ui.perfetto.dev and in its
trace processor, which queries it with SQL.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib import util
from typing import TYPE_CHECKING, Any

from keptalive.errors import UsageError
from keptalive.quantities import host_name
from keptalive.records.report import ConnectionReport, ExchangeColumns, Report
from keptalive.render.report_sentences import PHASES

if TYPE_CHECKING:
    from perfetto.trace_builder.proto_builder import TraceProtoBuilder

SEQUENCE = 1
_PROCESS, _THREAD, _CONNECTION = 1 << 40, 2 << 40, 3 << 40  # ids of tracks: of each kind their own


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """Something that lasted, on a track.

    Attributes:
        begin_ns, end_ns: since the report began.
        depth: of slices that begin together, the outer one has the smaller.
        notes: shown beside it.
        flow_to, flow_from: the numbers of arrows that leave it, or lead to it.
    """

    name: str
    begin_ns: int
    end_ns: int
    depth: int = 0
    notes: dict[str, str | int] = field(default_factory=dict)
    flow_to: int | None = None
    flow_from: int | None = None


def check_installed() -> None:
    """Find out whether traces can be made here.

    Raises:
        UsageError: the package `perfetto` is not installed.
    """
    if util.find_spec("perfetto") is None:
        raise UsageError(
            "A Perfetto trace needs the package perfetto. Next: install keptalive[trace]."
        )


def trace(report: Report) -> bytes:
    """The report as the bytes of a trace.

    Raises:
        UsageError: the package `perfetto` is not installed.
    """
    check_installed()
    from perfetto.trace_builder.proto_builder import TraceProtoBuilder

    builder = TraceProtoBuilder()
    processes = sorted({one.process for one in report.connections})
    for process in processes:
        _describe_process(builder, process, report)
    threads = sorted(thread_slices(report).items())
    for number, ((process, thread), slices) in enumerate(threads):
        _describe_track(builder, _THREAD + number, f"thread {thread}", _PROCESS + process)
        _add(builder, _THREAD + number, slices)
    for one in report.connections:
        track = _CONNECTION + one.id
        name = f"#{one.id} {host_name(one.host)}"
        _describe_track(builder, track, name, _PROCESS + one.process)
    for id_, slices in connection_slices(report).items():
        _add(builder, _CONNECTION + id_, slices)
    return bytes(builder.serialize())


# -- What lasted how long ------------------------------------------------------------------------


def connection_slices(report: Report) -> dict[int, list[Slice]]:
    """By the connection's id: its life, within it its requests, and the phases of opening it."""
    replaced = {one.replaces for one in report.connections if one.replaces is not None}
    requests = _requests(report.exchanges, report.places)
    until_ns = _ns(report.seconds or 0.0)
    return {
        one.id: [*_of_connection(one, requests.get(one.id, []), one.id in replaced, until_ns)]
        for one in report.connections
    }


def _of_connection(
    one: ConnectionReport, requests: list[Slice], is_replaced: bool, until_ns: int
) -> Iterator[Slice]:
    phases = list(_phases(one))
    begins = [slice_.begin_ns for slice_ in (*phases, *requests)]
    ends = [slice_.end_ns for slice_ in (*phases, *requests)]
    begin_ns = min([*begins, _ns(one.attempted_s or 0.0)])
    ended_ns = until_ns if one.ended_s is None else _ns(one.ended_s)
    notes: dict[str, str | int] = {"host": host_name(one.host), "responses": one.served}
    notes |= {"cause": one.cause} if one.cause else {}
    notes |= {"place": one.where} if one.where else {}
    notes |= {"end": one.end.how} if one.end else {}
    yield Slice(
        name=one.cause or "not connected",
        begin_ns=begin_ns,
        end_ns=max([*ends, ended_ns, begin_ns]),
        notes=notes,
        flow_to=one.id if is_replaced else None,
        flow_from=one.replaces,
    )
    yield from requests
    yield from phases


def _phases(one: ConnectionReport) -> Iterator[Slice]:
    """Those of opening it, one after the other."""
    at_s = one.attempted_s or 0.0
    for name in PHASES:
        if took_s := one.phases.get(name, 0.0):
            yield Slice(
                name=name.replace("_", " "), begin_ns=_ns(at_s), end_ns=_ns(at_s + took_s), depth=2
            )
            at_s += took_s


def thread_slices(report: Report) -> dict[tuple[int, int], list[Slice]]:
    """By process and thread: from when a request was made until the head of its response came.

    Not until the connection was given back: a thread may read two responses in turn.
    """
    found: dict[tuple[int, int], list[Slice]] = defaultdict(list)
    exchanges = report.exchanges
    processes = {one.id: one.process for one in report.connections}
    for number, id_ in enumerate(exchanges.connection if exchanges else ()):
        if exchanges is None or id_ not in processes:
            continue
        made = _request(exchanges, number, report.places)
        head_s = exchanges.head_s[number]
        end_ns = made.end_ns if head_s is None else max(_ns(head_s), made.begin_ns)
        slices = found[processes[id_], exchanges.thread[number]]
        begin_ns = max(made.begin_ns, slices[-1].end_ns if slices else 0)
        notes = {**made.notes, "connection": id_}
        slices.append(
            Slice(name=made.name, begin_ns=begin_ns, end_ns=max(end_ns, begin_ns), notes=notes)
        )
    return dict(found)


def _requests(exchanges: ExchangeColumns | None, places: tuple[str, ...]) -> dict[int, list[Slice]]:
    found: dict[int, list[Slice]] = defaultdict(list)
    for number, id_ in enumerate(exchanges.connection if exchanges else ()):
        if exchanges is not None:
            found[id_].append(_request(exchanges, number, places))
    return found


def _request(exchanges: ExchangeColumns, number: int, places: tuple[str, ...]) -> Slice:
    started_s, where = exchanges.started_s[number], exchanges.where[number]
    ends = (exchanges.released_s[number], exchanges.head_s[number], started_s)
    notes: dict[str, str | int] = {}
    if (status := exchanges.status[number]) is not None:
        notes["status"] = status
    if where is not None:
        notes["place"] = places[where]
    return Slice(
        name=f"{exchanges.method[number]} {exchanges.path[number]}",
        begin_ns=_ns(started_s),
        end_ns=max(_ns(started_s), *(_ns(one) for one in ends if one is not None)),
        depth=1,
        notes=notes,
    )


def _ns(seconds: float) -> int:
    return round(seconds * 1e9)


# -- Packets -------------------------------------------------------------------------------------


def _describe_process(builder: TraceProtoBuilder, process: int, report: Report) -> None:
    packet = builder.add_packet()
    packet.track_descriptor.uuid = _PROCESS + process
    packet.track_descriptor.process.pid = process
    command = " ".join(report.command) or "program"
    packet.track_descriptor.process.process_name = command


def _describe_track(builder: TraceProtoBuilder, track: int, name: str, parent: int) -> None:
    packet = builder.add_packet()
    packet.track_descriptor.uuid = track
    packet.track_descriptor.parent_uuid = parent
    packet.track_descriptor.name = name


def _add(builder: TraceProtoBuilder, track: int, slices: list[Slice]) -> None:
    """The begin and the end of each."""
    from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import TrackEvent

    for time_ns, one in moments(slices):
        packet = builder.add_packet()
        packet.timestamp = time_ns
        packet.trusted_packet_sequence_id = SEQUENCE
        packet.track_event.track_uuid = track
        if one is None:
            packet.track_event.type = TrackEvent.TYPE_SLICE_END
            continue
        packet.track_event.type = TrackEvent.TYPE_SLICE_BEGIN
        packet.track_event.name = one.name
        if one.flow_to is not None:
            packet.track_event.flow_ids.append(one.flow_to)
        if one.flow_from is not None:
            packet.track_event.terminating_flow_ids.append(one.flow_from)
        for name, value in one.notes.items():
            _note(packet.track_event.debug_annotations.add(), name, value)


def moments(slices: Sequence[Slice]) -> Iterator[tuple[int, Slice | None]]:
    """The begin of each slice, and as None the end of the one that began last, in their order.

    A slice that would overlap another one, without one containing the other, is cut: Perfetto ends
    the innermost slice first, so that an overlap would change both.
    """
    ends: list[int] = []  # of those that have begun, the innermost last
    for one in sorted(slices, key=lambda each: (each.begin_ns, each.depth, -each.end_ns)):
        while ends and ends[-1] <= one.begin_ns:
            yield ends.pop(), None
        yield one.begin_ns, one
        ends.append(min([one.end_ns, *ends[-1:]]))
    while ends:
        yield ends.pop(), None


def _note(annotation: Any, name: str, value: str | int) -> None:
    annotation.name = name
    if isinstance(value, int):
        annotation.int_value = value
    else:
        annotation.string_value = value
