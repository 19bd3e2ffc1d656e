"""Tables that fit: on a narrow terminal the least important columns are left out, never cut off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich import box
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

_FRAMED = 3  # what stands beside a cell of a framed table: two blanks and a line


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of figures: its header, a cell for each row, and when it is left out.

    ``importance``: the lowest is left out first; None never is.
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
    kept = list(columns)
    while sum(column.width + beside for column in kept) + 1 > width:
        droppable = [column for column in kept if column.importance is not None]
        if not droppable:
            break
        kept.remove(min(droppable, key=lambda column: column.importance or 0))
    return kept


def framed(title: str) -> Table:
    """An empty table as all of a run's are."""
    return Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=box.ROUNDED,
        header_style="dim",
    )
