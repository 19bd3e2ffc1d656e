"""A report of causes, from `watch`, `run` or `explain`, as a person reads it: one screen.

For each host its numbers, then why its connections were opened, in the order of what that cost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from keptalive.analysis.log_causes import means, members_of

OWED = ("first-use", "concurrency")  # what ideal reuse would have opened too
Report = Mapping[str, Any]


def screen(report: Report) -> RenderableType:
    """Everything that a person sees of a report."""
    parts: list[RenderableType] = []
    for host in report["hosts"]:
        parts += [_headline(host), *_cost(host), "", *map(_cause, host["causes"])]
    if not report["hosts"]:
        parts += [Text("No request of requests or urllib3 was seen."), ""]
    parts += _left(report["left_open"])
    parts += [Text(f"! {warning}", style="yellow") for warning in report["warnings"]]
    return Group(*parts)


def perfect(host: Mapping[str, Any]) -> int:
    """How many connections ideal reuse would have opened to this host."""
    owed = sum(cause["count"] for cause in host["causes"] if cause["cause"] in OWED)
    return max(owed, 1) if host["opened"] else 0


def _perfect_at_most(host: Mapping[str, Any]) -> int:
    """The same, if every cause that a log leaves open is one that is owed, where it may be."""
    maybe: int = sum(c["count"] for c in host["causes"] if {*members_of(c["cause"])} & {*OWED})
    return max(maybe, perfect(host))


def _headline(host: Mapping[str, Any]) -> Text:
    asked = _many(host["requests"], "request")
    wire = host["attempts"] - host["requests"]
    resent = f" ({host['attempts']} on the wire)" if wire > 0 else ""
    least, most = perfect(host), _perfect_at_most(host)
    ideal = f"{least}" if least == most else f"{least} to {most}"
    opened = f"{_many(host['opened'], 'connection')} opened, perfect reuse: {ideal}"
    style = "green" if host["opened"] <= least else "bold"
    return Text.assemble((host["host"], "bold"), f"   {asked}{resent}, ", (opened, style))


def _cost(host: Mapping[str, Any]) -> list[Text]:
    seconds = host["seconds_opening"]
    if seconds is None:
        return []
    owed = sum(c["seconds"] or 0 for c in host["causes"] if c["cause"] in OWED)
    spared = f"; perfect reuse would have spared {_time(seconds - owed)}" if seconds > owed else ""
    return [Text(f"{_time(seconds)} went into opening connections{spared}.")]


def _cause(cause: Mapping[str, Any]) -> RenderableType:
    line = Table.grid(padding=(0, 2), expand=True)
    line.add_column(justify="right", min_width=6)
    line.add_column(ratio=1)
    line.add_column(justify="right")
    seconds = "" if cause["seconds"] is None else _time(cause["seconds"])
    said = Text.assemble(means(cause["cause"]), (f"  {cause['cause']}", "dim"))
    line.add_row(f"{cause['count']} ×", said, seconds)
    owed = cause["cause"] in OWED
    more = [(cause["evidence"], ""), (cause["cure"], "cyan")]
    details = [Padding(Text(text, style=style), (0, 0, 0, 8)) for text, style in more if text]
    return Group(line, *([] if owed else details), "")


def _left(left_open: int | None) -> list[RenderableType]:
    if not left_open:
        return []
    end = "end it: session.close(), or with."
    return [Text(f"Left open at the end: {_many(left_open, 'connection')}; {end}")]


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}".replace(",", "\u202f")


def _time(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def one_line(report: Report) -> str:
    """The report in a sentence, for a log."""
    hosts: Sequence[Mapping[str, Any]] = report["hosts"]
    opened, owed = sum(h["opened"] for h in hosts), sum(map(perfect, hosts))
    return f"{_many(opened, 'connection')} opened, perfect reuse: {owed}"
