"""The classes of users side by side, as `bench` shows strategies."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

from rich.table import Table
from rich.text import Text

from keptalive.locust.rows import Row
from keptalive.render.terminal.columns import Column, side_by_side

_NOTHING = "–"
_TIGHT = "\xa0"  # where a line is not broken


def table(found: Sequence[Row], *, width: int) -> Table:
    """A row for each class; a column for each figure that fits."""
    failed_importance = 6 if any(one.failed for one in found) else 1
    columns = [
        Column(header="", cells=[one.name for one in found]),
        Column(header="users", cells=[_users(one.users) for one in found], importance=2),
        Column(header="requests", cells=[f"{one.requests:,}" for one in found], importance=3),
        Column(
            header="failed",
            cells=[f"{one.failed:,}" for one in found],
            importance=failed_importance,
        ),
        Column(header="opened", cells=[_opened(one) for one in found]),
        Column(header="enough", cells=[f"{one.enough:,}" for one in found]),
        Column(header="reused", cells=[_percent(one.reused_percent) for one in found]),
        Column(header="median", cells=[_ms(one.median_ms) for one in found], importance=5),
        Column(header="p95", cells=[_ms(one.p95_ms) for one in found], importance=4),
    ]
    return side_by_side("Connections of each class of users", columns, width)


def reasons(found: Sequence[Row], causes: Mapping[str, Mapping[str, int]], *, width: int) -> Text:
    """Why the users of each class opened their connections, as `bench` says it below its tables."""
    said = [f"{one.name} opened {one.opened:,}{_why(causes.get(one.of, {}))}" for one in found]
    lines = textwrap.wrap(f"{'; '.join(said)}.", width, break_on_hyphens=False)
    return Text("\n".join(lines).replace(_TIGHT, " ") if said else "")


def _why(causes: Mapping[str, int]) -> str:
    listed = ", ".join(f"{count:,}{_TIGHT}×{_TIGHT}{cause}" for cause, count in causes.items())
    return listed and f": {listed}"


def _opened(one: Row) -> Text:
    return Text(f"{one.opened:,}", style="green" if one.opened <= one.enough else "yellow")


def _users(number: int | None) -> str:
    return _NOTHING if number is None else f"{number:,}"


def _percent(share: float | None) -> str:
    return _NOTHING if share is None else f"{share:.0f} %"


def _ms(ms: int | None) -> str:
    return _NOTHING if ms is None else f"{ms:,} ms"
