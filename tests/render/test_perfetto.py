"""A Perfetto trace: slices nest, and its tracks have the report's counts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.timelines import timeline

from keptalive.render.perfetto import Slice, connection_slices, moments, thread_slices


def test_the_life_of_a_connection_contains_its_requests_and_the_phases_of_opening_it():
    slices = connection_slices(timeline())[1]
    life, *inner = slices
    assert (life.name, life.begin_ns, life.end_ns) == ("first-use", 0, 5_000_000_000)
    assert [one.name for one in inner] == [
        "GET /user",
        "GET /repos?page",
        "dns",
        "connect",
        "ca bundle",
        "tls",
    ]
    assert all(life.begin_ns <= one.begin_ns <= one.end_ns <= life.end_ns for one in inner)
    assert life.notes["end"] == "FIN"


def test_an_arrow_leads_from_a_connection_to_the_one_that_replaces_it():
    slices = connection_slices(timeline())
    assert (slices[1][0].flow_to, slices[2][0].flow_from) == (1, 1)


def test_the_requests_of_a_thread_are_on_its_track_with_their_place():
    slices = thread_slices(timeline())
    assert {key: len(found) for key, found in slices.items()} == {(1, 7): 4, (2, 9): 2}
    assert slices[1, 7][0].notes == {"status": 200, "place": "sync.py:3", "connection": 1}


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20), st.integers(0, 2))))
def test_each_end_belongs_to_the_slice_that_began_last(rows):
    slices = [
        Slice(name=str(n), begin_ns=b, end_ns=b + d, depth=k) for n, (b, d, k) in enumerate(rows)
    ]
    open_slices: list[Slice] = []
    times, begun = [], []
    for time_ns, one in moments(slices):
        times.append(time_ns)
        if one is None:
            assert time_ns <= open_slices.pop().end_ns
        else:
            open_slices.append(one)
            begun.append(one)
    assert open_slices == []
    assert times == sorted(times)
    assert sorted(one.name for one in begun) == sorted(one.name for one in slices)


def test_a_slice_that_overlaps_the_one_around_it_is_cut():
    outer, inner = (
        Slice(name="outer", begin_ns=0, end_ns=5),
        Slice(name="inner", begin_ns=3, end_ns=9, depth=1),
    )
    assert list(moments([inner, outer])) == [(0, outer), (3, inner), (5, None), (5, None)]


def test_the_trace_has_a_track_for_each_connection_and_thread():
    perfetto = pytest.importorskip("perfetto.protos.perfetto.trace.perfetto_trace_pb2")
    from keptalive.render.perfetto import trace

    read = perfetto.Trace()
    read.ParseFromString(trace(timeline()))
    names = [
        packet.track_descriptor.name
        for packet in read.packet
        if packet.HasField("track_descriptor") and packet.track_descriptor.name
    ]
    assert names == [
        "thread 7",
        "thread 9",
        "#1 https://api.example.com",
        "#2 https://api.example.com",
        "#3 https://cdn.example.com",
    ]
    events = [packet.track_event.type for packet in read.packet if packet.HasField("track_event")]
    assert events.count(1) == events.count(2)  # begins and ends
