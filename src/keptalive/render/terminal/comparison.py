"""A comparison as rich tables: the verdict in sentences first, then a table for each scenario."""

from __future__ import annotations

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from keptalive.compare.findings import FINE, Findings
from keptalive.compare.verdicts import BETTER, NOT_COMPARABLE, SAME, WORSE
from keptalive.render import sentences
from keptalive.render.terminal.bench import scenario_title

_STYLES = {WORSE: "bold red", BETTER: "green", SAME: "dim", NOT_COMPARABLE: "yellow"}


def screen(findings: Findings) -> RenderableType:
    """Everything that a person sees of a comparison; it fits 80 columns."""
    parts: list[RenderableType] = [
        Text(sentences.sides(findings)),
        Text(sentences.surroundings(findings), style="dim"),
        "",
    ]
    style = "bold green" if not findings.faults else "bold red"
    if findings.faults and findings.outcome == FINE:  # told, and asked not to fail
        style = "bold yellow"
    parts += [Text(line, style=style) for line in sentences.verdict(findings)]
    parts += [Text(f"! {warning}", style="yellow") for warning in findings.warnings]
    for scenario in dict.fromkeys(row.scenario for row in findings.comparison.rows):
        parts += ["", _table(findings, scenario)]
        parts += [Text(line, style="yellow") for line in sentences.reasons(findings, scenario)]
    return Group(*parts)


def _table(findings: Findings, scenario: str) -> Table:
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
    for column in ("", ""):
        built.add_column(column, no_wrap=True)
    for column in ("baseline", "candidate", "change", "verdict"):
        built.add_column(column, justify="right", no_wrap=True)
    told = None
    for row in sentences.rows_to_show(findings, scenario):
        label = "" if row.strategy == told else findings.labels[row.strategy]
        told = row.strategy
        *cells, verdict = sentences.cells(findings, row)
        built.add_row(label, *cells, Text(verdict, style=_STYLES.get(verdict, "")))
    return built
