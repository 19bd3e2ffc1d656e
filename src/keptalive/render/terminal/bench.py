"""A run as rich tables: the verdict in a sentence first, then the numbers, then the witnesses.

Everything fits its terminal: from 100 columns on, the first request and the 95th percentile stand
apart; below 80, columns are left out.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import replace

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from keptalive.bench.summary import reference_strategy, too_few
from keptalive.bench.titles import full_title, short_title
from keptalive.quantities import many
from keptalive.records.run import Run, StrategySummary, Trace
from keptalive.render import bench_figures as figures
from keptalive.render.bench_verdict import verdict
from keptalive.render.terminal import bars
from keptalive.render.terminal.columns import Column, fitting, framed, side_by_side


def report(run: Run, *, width: int) -> RenderableType:
    """Everything that a person sees of a finished run."""
    parts: list[RenderableType] = []
    if run.summary:
        parts += [Text(verdict(run), style="bold"), ""]
    for scenario in dict.fromkeys(row.scenario for row in run.summary):
        rows = [row for row in run.summary if row.scenario == scenario]
        parts += [table(run, scenario, rows, width=width)]
        parts += [*_reasons(run, scenario, width), *_delays(run, scenario, width)]
        parts += [*warnings(run, rows), ""]
    if run.summary:
        parts += [phases_table(run, width=width), ""]
    if run.trials or not run.valid:
        style = "green" if run.valid else "bold red"
        parts.append(Text(figures.witnesses_line(run), style=style))
    return Group(*parts, Text(figures.ended_line(run), style="dim"))


def headline(requests: str, facts: Sequence[str]) -> Text:
    """The first lines: which requests, to what server."""
    return Text.assemble(("keptalive bench", "bold"), "   ", ", ".join(facts), "\n", requests)


# -- The tables ----------------------------------------------------------------------------------


def table(run: Run, scenario: str, rows: Sequence[StrategySummary], *, width: int) -> Table:
    """The strategies side by side in one scenario; a cell for each column that fits."""
    threads = figures.threads_of(run)
    labels = Column(header="", cells=[run.labels[row.strategy] for row in rows])
    columns = _of_a_thread(rows) if threads == 1 else _of_threads(rows)
    reference = run.labels[reference_strategy(run.strategies)]
    speed = Column(header=f"speed vs\n{reference}", cells=[figures.speed(run, row) for row in rows])
    return side_by_side(_title(run, scenario, rows[0]), [labels, *columns, speed], width)


def _of_a_thread(rows: Sequence[StrategySummary]) -> list[Column]:
    return [
        Column(header="opened", cells=[_opened(row) for row in rows]),
        _reused_column(rows, 4),
        _times_column("a request", [row.seconds_per_request.median for row in rows], 5),
        _times_column("first", [row.first_request_s.median for row in rows], 2),
        _times_column("p95", [row.p95_s for row in rows], 1),
        _times_column("CPU", [row.cpu_seconds_per_request for row in rows], 3),
    ]


def _of_threads(rows: Sequence[StrategySummary]) -> list[Column]:
    """How many connections are enough is as measured for each, and throughput beside latency."""
    rates = [figures.a_second(row.requests_per_second.median) for row in rows]
    enough = [_opened(row).append(f" ({row.perfect:,})", style="") for row in rows]
    return [
        Column(header="opened\n(enough)", cells=enough),
        _reused_column(rows, 2),
        _times_column("a\nrequest", [row.seconds_per_request.median for row in rows], 5),
        _times_column("p95", [row.p95_s for row in rows], 1),
        Column(header="in a\nsecond", cells=rates, importance=4),
        _times_column("CPU", [row.cpu_seconds_per_request for row in rows], 3),
    ]


def _reused_column(rows: Sequence[StrategySummary], importance: int) -> Column:
    cells = [figures.percent_reused(row.counts) for row in rows]
    return Column(header="reused", cells=cells, importance=importance)


def _times_column(header: str, seconds: Sequence[float], importance: int) -> Column:
    cells = [figures.milliseconds(value) for value in seconds]
    return Column(header=header, cells=cells, importance=importance)


def _title(run: Run, scenario: str, row: StrategySummary) -> str:
    named = f"{scenario}: " if "=" in scenario else ""
    one_each = row.perfect == row.rounds
    enough = "1 connection a run is" if one_each else f"{row.perfect} connections are"
    said = figures.threads_in_words(run) or f"{enough} enough"
    return (
        f"{full_title(scenario)}\n"
        f"{named}{many(row.rounds, 'run')} of {many(row.requests // row.rounds, 'request')}; {said}"
    )


def _opened(row: StrategySummary) -> Text:
    opened = row.counts.opened
    if opened is None:
        return Text(figures.NOTHING)
    return Text(f"{opened:,}", style="green" if opened <= row.perfect else "yellow")


def _reasons(run: Run, scenario: str, width: int) -> list[RenderableType]:
    """Why connections were opened, in the one run of each strategy that was traced."""
    said = [_opened_because(run, one) for one in run.traces if one.scenario == scenario]
    lines = textwrap.wrap(f"In one traced run: {'; '.join(said)}.", width, break_on_hyphens=False)
    return [Text("\n".join(lines).replace(_TIGHT, " "))] if said else []


_TIGHT = "\xa0"  # where a line is not broken


def _opened_because(run: Run, trace: Trace) -> str:
    causes = [cause for host in trace.report.hosts for cause in host.causes if cause.count]
    opened = sum(cause.count for cause in causes)
    why = ", ".join(f"{cause.count}{_TIGHT}×{_TIGHT}{cause.cause}" for cause in causes)
    return f"{run.labels[trace.strategy]} opened {opened}{why and f': {why}'}"


def _delays(run: Run, scenario: str, width: int) -> list[RenderableType]:
    """Where keep-alive makes it slower, as the traced runs show; the cure once."""
    found = [
        (run.labels[trace.strategy], finding)
        for trace in run.traces
        if trace.scenario == scenario
        for finding in trace.report.findings
        if finding.finding == "delayed-ack"
    ]
    lines = [f"{label}: {finding.evidence}" for label, finding in found]
    lines += dict.fromkeys(f"→ {finding.cure}" for _, finding in found)
    return [Text(textwrap.fill(line, width, break_on_hyphens=False)) for line in lines]


def warnings(run: Run, rows: Sequence[StrategySummary]) -> list[RenderableType]:
    """What limits what these rows show."""
    by_sentence: dict[str, list[str]] = {}
    for row in rows:
        for sentence in row.warnings:
            if sentence == too_few(row.rounds):
                continue  # the verdict says it, once for all
            by_sentence.setdefault(sentence, []).append(run.labels[row.strategy])
    return [
        Text(f"{', '.join(labels)}: {sentence}.", style="yellow")
        for sentence, labels in by_sentence.items()
    ]


# -- Where the time goes -------------------------------------------------------------------------

# Which phases a column adds up, and its importance
_PHASES = {
    "pool": (("blocked",), 6),
    "CA bundle": (("ca_bundle",), 5),
    "connect": (("dns", "connect"), 2),
    "TLS": (("tls",), 3),
    "wait": (("wait",), 4),
    "receive": (("receive",), 4),
    "rest": (("send", "rest"), 1),
}
_SELDOM_LARGE = {"pool": "blocked", "receive": "receive"}
_WIDEST_TITLE = 33  # of 80 columns, beside figures below 100 ms


def phases_table(run: Run, *, width: int) -> Table:
    """The phases of a request, medians in ms, for each scenario and strategy."""
    labels = Column(header="", cells=[f"  {run.labels[row.strategy]}" for row in run.summary])
    phases = _phases_shown(run.summary)
    columns = [
        Column(
            header=header,
            cells=[_phase([row.phases.get(name) for name in names]) for row in run.summary],
            importance=importance,
        )
        for header, (names, importance) in phases.items()
    ]
    drawn = Column(header="", cells=_bars(run.summary, phases), importance=0)
    headers = {str(bars.header(name)): bars.header(name) for name in phases}
    marked = [replace(one, header=name) for one, name in zip(columns, headers, strict=True)]
    kept = fitting([labels, *marked, drawn], width)[1:]
    if drawn not in kept:
        kept = fitting([labels, *columns], width)[1:]
    built = framed("Where a request's time goes (ms)")
    # a long title goes on in a second line, so that the figures have room
    built.add_column("", max_width=_WIDEST_TITLE, overflow="fold")
    for column in kept:
        header = headers.get(column.header, column.header)
        built.add_column(header, justify="left" if column is drawn else "right", no_wrap=True)
    for place, row in enumerate(run.summary):
        if place == 0 or run.summary[place - 1].scenario != row.scenario:
            if place:
                built.add_section()
            built.add_row(Text(short_title(row.scenario), style="dim"))
        built.add_row(labels.cells[place], *(column.cells[place] for column in kept))
    return built


def _bars(
    rows: Sequence[StrategySummary], phases: Mapping[str, tuple[tuple[str, ...], int]]
) -> list[Text]:
    """A stacked bar for each row; in all of them, a column is as long a time."""
    parts = [
        [
            (header, sum(row.phases.get(name) or 0.0 for name in names))
            for header, (names, _) in phases.items()
        ]
        for row in rows
    ]
    longest = max((sum(value for _, value in one) for one in parts), default=0.0)
    return [bars.bar(one, longest) for one in parts]


def _phases_shown(rows: Sequence[StrategySummary]) -> dict[str, tuple[tuple[str, ...], int]]:
    """The columns: what is seldom large is part of the rest, unless it takes much of the time."""
    shown = dict(_PHASES)
    for header, phase in _SELDOM_LARGE.items():
        if not figures.is_large(rows, phase):
            names, importance = shown["rest"]
            shown["rest"] = ((*shown.pop(header)[0], *names), importance)
    return shown


def _phase(seconds: Sequence[float | None]) -> str:
    known = [value for value in seconds if value is not None]
    return f"{1000 * sum(known):.1f}" if known else figures.NOTHING
