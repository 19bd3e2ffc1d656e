"""A line for each connection: when it was opened, used and idle, and how it ended."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from textwrap import wrap

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from keptalive.quantities import duration, many
from keptalive.records.report import ConnectionReport, Report
from keptalive.render.report_sentences import ends_of

MOST = 12  # lines: those of the connections that cost most to open
NARROWEST = 24  # columns of a lane
_BESIDE = 26  # columns for what ended it, at most
OPENING, REQUEST, IDLE, END = "▒", "█", "─", "✕"
_STYLES = {OPENING: "yellow", REQUEST: "blue", IDLE: "dim", END: "red"}

Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Lanes:
    """The connections of a report as lines; nothing, if there is no room or not two of them.

    Attributes:
        report: what was found.
    """

    report: Report

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw them to the width that there is, if the terminal can."""
        if not console.is_terminal or console.is_dumb_terminal or options.ascii_only:
            return
        yield from lines(self.report, options.max_width)


def lines(report: Report, width: int) -> Iterator[Text]:
    """The lines, their explanation and the axis; none if they would not help.

    Args:
        report: what was found.
        width: of the screen, in columns.
    """
    shown = _costliest(report.connections)
    until_s = _until(report)
    numbers = [f"#{one.id}" for one in shown]
    gutter = max(map(len, numbers), default=0) + 4
    ends = ends_of(report.connections)
    longest = max((len(ends.get(one.id, "")) for one in shown), default=0)
    beside = min(longest + 1, _BESIDE)
    beside = beside if width >= gutter + NARROWEST + beside else 0
    room = width - gutter - beside
    if len(shown) < 2 or room < NARROWEST or until_s <= 0:
        return
    requests = _requests(report)
    for number, one in zip(numbers, shown, strict=True):
        lane = _lane(one, requests.get(one.id, ()), until_s, room)
        end = f" {ends.get(one.id, '')}" if beside else ""
        yield Text.assemble(f"  {number:<{gutter - 2}}", lane, (end[:beside], "red"))
    yield _axis(gutter, room, until_s)
    for line in wrap(_legend(report, len(shown)), width - gutter):
        yield Text(" " * gutter + line, style="dim")
    yield Text("")


def _costliest(connections: Sequence[ConnectionReport]) -> list[ConnectionReport]:
    """Those that cost most to open, in the order in which they were opened."""
    timed = [one for one in connections if one.attempted_s is not None and one.connected_s]
    costliest = sorted(timed, key=lambda one: sum(one.phases.values()), reverse=True)[:MOST]
    return sorted(costliest, key=lambda one: one.attempted_s or 0.0)


def _until(report: Report) -> float:
    ends = [one.ended_s for one in report.connections if one.ended_s is not None]
    return max([report.seconds or 0.0, *ends])


def _requests(report: Report) -> Mapping[int, list[Span]]:
    """By the connection's id: from when to when each request had it."""
    found: dict[int, list[Span]] = defaultdict(list)
    columns = report.exchanges
    if columns is not None:
        for number, id_ in enumerate(columns.connection):
            started_s = columns.started_s[number]
            ends = (columns.released_s[number], columns.head_s[number], started_s)
            found[id_].append((started_s, next(one for one in ends if one is not None)))
    return found


def _lane(one: ConnectionReport, requests: Sequence[Span], until_s: float, room: int) -> Text:
    """What happened in each column: what a person looks for first wins over the rest."""
    ended_s = until_s if one.ended_s is None else one.ended_s
    attempted_s, connected_s = one.attempted_s or 0.0, one.connected_s or 0.0
    cells = [" "] * room
    _fill(cells, (attempted_s, ended_s), until_s, IDLE)
    for span in requests:
        _fill(cells, (max(span[0], connected_s), max(span[1], connected_s)), until_s, REQUEST)
    _fill(cells, (attempted_s, connected_s), until_s, OPENING)
    if one.ended_s is not None:
        _fill(cells, (ended_s, ended_s), until_s, END)
    return Text.assemble(
        *(("".join(alike), _STYLES.get(mark, "")) for mark, alike in groupby(cells))
    )


def _fill(cells: list[str], span: Span, until_s: float, mark: str) -> None:
    last = len(cells) - 1
    first = min(int(span[0] / until_s * len(cells)), last)
    for place in range(first, min(int(span[1] / until_s * len(cells)), last) + 1):
        cells[place] = mark


def _axis(gutter: int, room: int, until_s: float) -> Text:
    end = duration(until_s)
    return Text(f"{'':{gutter}}0 s{end:>{room - 3}}", style="dim")


def _legend(report: Report, shown: int) -> str:
    marks = f"{OPENING} opening  {IDLE} open"
    if report.exchanges is not None:
        marks = f"{OPENING} opening  {REQUEST} request  {IDLE} idle"
    left = len(report.connections) - shown
    more = f"; {many(left, 'more connection')}" if left else ""
    return f"{marks}  {END} end{more}"
