"""A comparison as rich tables: the verdict in sentences first, then a table for each scenario."""

from __future__ import annotations

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from keptalive.bench.titles import scenario_title
from keptalive.compare.findings import FINE, Findings
from keptalive.compare.verdicts import BETTER, NOT_COMPARABLE, SAME, WORSE
from keptalive.render import cells, sentences
from keptalive.render.terminal.columns import Column, fitting

_STYLES = {WORSE: "bold red", BETTER: "green", SAME: "dim", NOT_COMPARABLE: "yellow"}


def screen(findings: Findings, *, width: int) -> RenderableType:
    """Everything that a person sees of a comparison; on a narrow terminal without some columns."""
    parts: list[RenderableType] = [
        Text(sentences.sides(findings)),
        Text(sentences.surroundings(findings), style="dim"),
        "",
    ]
    style = "bold green" if not findings.faults else "bold red"
    if findings.faults and findings.outcome == FINE:  # reported, and not to fail for
        style = "bold yellow"
    parts += [Text(line, style=style) for line in sentences.verdict(findings)]
    parts += [Text(f"! {warning}", style="yellow") for warning in findings.warnings]
    for scenario in dict.fromkeys(row.scenario for row in findings.comparison.rows):
        parts += ["", _table(findings, scenario, width)]
        parts += [Text(line, style="yellow") for line in sentences.reasons(findings, scenario)]
    return Group(*parts)


def _table(findings: Findings, scenario: str, width: int) -> Table:
    built = Table(
        title=scenario_title(scenario),
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        show_edge=False,
        padding=0,
        header_style="dim",
    )
    rows = cells.rows_to_show(findings, scenario)
    names = [row.strategy for row in rows]
    labels = [
        "" if place and names[place - 1] == name else findings.labels[name]
        for place, name in enumerate(names)
    ]
    figures = [cells.cells(findings, row) for row in rows]
    columns = [Column(header="", cells=labels)] + [
        Column(
            header=header, cells=[row[place] for row in figures], importance=_IMPORTANCE.get(header)
        )
        for place, header in enumerate(("", "baseline", "candidate", "change", "verdict"))
    ]
    kept = fitting(columns, width, beside=1)
    for place, column in enumerate(kept):
        built.add_column(
            column.header,
            justify="left" if place < 2 else "right",
            no_wrap=place > 0,
            overflow="fold",
        )
    for *others, verdict in zip(*(column.cells for column in kept), strict=True):
        built.add_row(*others, Text(str(verdict), style=_STYLES.get(str(verdict), "")))
    return built


_IMPORTANCE = {"baseline": 1, "candidate": 2}
