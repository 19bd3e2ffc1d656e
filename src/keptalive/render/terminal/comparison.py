"""A comparison as rich tables: the verdict in sentences first, then a table for each part."""

from __future__ import annotations

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table as RichTable
from rich.text import Text

from keptalive.compare.verdicts import BETTER, NOT_COMPARABLE, SAME, WORSE
from keptalive.render.comparison_view import SIDES, Table, View
from keptalive.render.terminal.columns import Column, fitting

_STYLES = {WORSE: "bold red", BETTER: "green", SAME: "dim", NOT_COMPARABLE: "yellow"}


def screen(view: View, *, width: int) -> RenderableType:
    """Everything that a person sees of a comparison; on a narrow terminal without some columns."""
    parts: list[RenderableType] = [Text(view.sides), Text(view.surroundings, style="dim"), ""]
    style = "bold green" if view.is_fine else "bold red"
    if not view.is_fine and not view.fails:  # reported, and not to fail for
        style = "bold yellow"
    parts += [Text(line, style=style) for line in view.verdict]
    parts += [Text(f"! {warning}", style="yellow") for warning in view.warnings]
    for table in view.tables:
        parts += ["", _table(table, width)]
        parts += [Text(line, style="dim") for line in table.notes]
        parts += [Text(line, style="yellow") for line in table.reasons]
    parts += ["", *(Text(line, style="dim") for line in view.more)] if view.more else []
    return Group(*parts)


def _table(table: Table, width: int) -> RichTable:
    built = RichTable(
        title=table.title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        show_edge=False,
        padding=0,
        header_style="dim",
    )
    headers = ("",) * table.labels + SIDES
    columns = [
        Column(
            header=header,
            cells=[row[place] for row in table.rows],
            importance=_IMPORTANCE.get(header),
        )
        for place, header in enumerate(headers)
    ]
    kept = fitting(columns, width, beside=1)
    for place, column in enumerate(kept):
        built.add_column(
            column.header,
            justify="left" if place < table.labels else "right",
            no_wrap=place > 0,
            overflow="fold",
        )
    for *others, verdict in zip(*(column.cells for column in kept), strict=True):
        built.add_row(*others, Text(str(verdict), style=_STYLES.get(str(verdict), "")))
    return built


_IMPORTANCE = {"baseline": 1, "candidate": 2}
