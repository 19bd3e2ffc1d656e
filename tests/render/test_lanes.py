"""The lanes of connections in a terminal."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console
from tests.timelines import connection, timeline

from keptalive.render.terminal.lanes import Lanes, lines


def drawn(report, width=80):
    return [line.plain.rstrip() for line in lines(report, width)]


def test_each_connection_has_a_line_from_its_opening_to_its_end():
    first, second, axis, legend, blank = drawn(timeline())
    assert first.startswith("  #1  ▒█")
    assert "✕" in first
    assert first.endswith("idle-timeout")
    assert second.startswith("  #2 ")
    assert second.rstrip().endswith("─")
    assert axis.split() == ["0", "s", "10.0", "s"]
    assert "█ request" in legend
    assert "1 more connection" in legend  # it was open before: when it was opened is not known
    assert blank == ""


def test_without_a_timeline_lanes_show_when_connections_were_open():
    first, _, _, legend, _ = drawn(replace(timeline(), exchanges=None))
    assert "█" not in first
    assert "─ open" in legend


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_lanes_fit_their_terminal(width):
    assert all(len(line) <= width for line in drawn(timeline(), width))


def test_lanes_need_room():
    assert drawn(timeline(), 25) == []


def test_one_connection_needs_no_picture():
    assert drawn(replace(timeline(), connections=(connection(1, 0.0),))) == []


def test_the_costliest_dozen_is_shown_in_the_order_of_opening():
    many = tuple(
        connection(number, number / 10, phases={"tls": float(number % 20)})
        for number in range(1, 41)
    )
    report = replace(timeline(), connections=many, exchanges=None)
    shown = [line.split()[0] for line in drawn(report)[:-3]]
    assert shown == [f"#{n}" for n in (14, 15, 16, 17, 18, 19, 34, 35, 36, 37, 38, 39)]
    assert "28 more connections" in drawn(report)[-2]


def test_a_pipe_and_a_dumb_terminal_get_no_lanes(monkeypatch):
    file = io.StringIO()
    Console(file=file, width=80).print(Lanes(timeline()))
    assert file.getvalue().strip() == ""
    monkeypatch.setenv("TERM", "dumb")
    Console(file=file, width=80, force_terminal=True).print(Lanes(timeline()))
    assert file.getvalue().strip() == ""


def test_lanes_take_the_columns_that_no_name_of_an_end_needs():
    still_open = replace(timeline(), connections=(connection(1, 0.0), connection(2, 1.0)))
    assert len(drawn(still_open, 80)[0]) >= 78
