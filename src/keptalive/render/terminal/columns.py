"""Tables that fit: on a narrow terminal the least important columns are left out, never cut off."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rich import box
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

_FRAMED = 3  # what stands beside a cell of a framed table: two blanks and a line


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Column:
    """A column of figures: its header, a cell for each row, and when it is left out.

    ``importance``: the highest gets room first; what is None is always there.
    """

    header: str
    cells: Sequence[str | Text]
    importance: int | None = None

    @property
    def width(self) -> int:
        """How wide its widest line is."""
        texts = [self.header, *(str(cell) for cell in self.cells)]
        return max(cell_len(line) for text in texts for line in text.split("\n"))


def fitting(columns: Sequence[Column], width: int, *, beside: int = _FRAMED) -> list[Column]:
    """The columns that fit beside one another within this width, in their order.

    ``beside`` is what each takes besides its cells; a framed table has one more line.
    """
    left = width - 1
    kept: list[Column] = []
    for column in sorted(columns, key=_least_droppable_first):
        if column.importance is None or column.width + beside <= left:
            kept.append(column)
            left -= column.width + beside
    return [column for column in columns if column in kept]


def _least_droppable_first(column: Column) -> float:
    return -math.inf if column.importance is None else -column.importance


def framed(title: str) -> Table:
    """An empty table as all of a run's are."""
    return Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=box.ROUNDED,
        header_style="dim",
    )


def side_by_side(title: str, columns: Sequence[Column], width: int) -> Table:
    """A framed table of those columns that fit: the first has the names of the rows."""
    built = framed(title)
    kept = fitting(columns, width)
    built.add_column("", overflow="fold")
    for column in kept[1:]:
        built.add_column(column.header, justify="right", no_wrap=True)
    for cells in zip(*(column.cells for column in kept), strict=True):
        built.add_row(*cells)
    return built
