"""A report of causes, from `watch`, `run` or `explain`, as a person reads it: one screen.

For each host its numbers, then why its connections were opened, in the order of what that cost.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from keptalive.causes.log_sets import means, members_of
from keptalive.causes.reporting import OWED, PROGRAMS

MOST_FINE = 5  # hosts that have nothing to tell, by name
PHASES = {"ca_bundle": "CA bundle", "dns": "DNS", "connect": "connect", "tls": "TLS"}
Report = Mapping[str, Any]


def screen(report: Report, *, hosts_shown: int | None = None) -> RenderableType:
    """Everything that a person sees of a report.

    Args:
        report: what was found.
        hosts_shown: only so many of its hosts have their details shown; the first line sums all.
    """
    every: Sequence[Report] = report["hosts"]
    lasted_s = report.get("seconds")
    parts: list[RenderableType] = []
    if len(every) > 1:
        parts += _verdict(every, lasted_s)
    hosts = every[:hosts_shown]
    for host in hosts:
        if _to_tell(host):
            parts += [_headline(host), *_cost(host, lasted_s if len(hosts) == 1 else None)]
            parts += ["", *map(_cause, host["causes"])]
    parts += [*_bundle(hosts), *_fine([host for host in hosts if not _to_tell(host)])]
    if not hosts:
        parts.append(
            Text("No request of requests or urllib3 was seen; other clients are not watched.")
        )
        parts.append("")
    parts += _left(report["left_open"], report.get("left_at", ()))
    parts += [Text(f"! {warning}", style="yellow") for warning in report["warnings"]]
    return Group(*parts)


def _fine(hosts: Sequence[Report]) -> Iterator[RenderableType]:
    """Hosts that nothing is to be changed for, a line each."""
    for host in hosts[:MOST_FINE]:
        yield _headline(host)
    if len(hosts) > MOST_FINE:
        yield Text(f"and {len(hosts) - MOST_FINE} more hosts, as well.")
    if hosts and all(host["opened"] for host in hosts):
        yield Text("Nothing to change." if len(hosts) == 1 else "Nothing to change for these.")
    if hosts:
        yield ""


def perfect(host: Report) -> int:
    """How many connections ideal reuse would have opened to this host.

    What is owed, and as many as had requests on their way at once.
    """
    owed = sum(cause["count"] for cause in host["causes"] if cause["cause"] in OWED)
    most: int = max(owed, host.get("at_once", 1), 1)
    return most if most < host["opened"] else int(host["opened"])


def _verdict(hosts: Sequence[Report], lasted_s: float | None) -> Iterator[RenderableType]:
    """What all hosts together come to."""
    opened = sum(host["opened"] for host in hosts)
    ideal = _range(sum(map(perfect, hosts)), sum(map(_perfect_at_most, hosts)))
    seconds = sum(host["seconds_opening"] or 0.0 for host in hosts)
    to = f"{many(opened, 'connection')} opened to {many(len(hosts), 'host')}"
    yield Text(f"{to}, perfect reuse: {ideal}.")
    if seconds:
        yield Text(f"{_share(seconds, lasted_s)} went into opening them.")
    yield ""


def _bundle(hosts: Sequence[Report]) -> Iterator[RenderableType]:
    """What helps with connections that remain when all else is mended."""
    seconds = sum(host["seconds_opening"] or 0.0 for host in hosts)
    causes = {cause["cause"] for host in hosts for cause in host["causes"]}
    if causes.difference(PROGRAMS, OWED) and _phase(hosts, "ca_bundle") > seconds / 3:
        cure = (
            "For what remains: tuned_session() loads the CA bundle once, not for each connection."
        )
        yield Text(f"→ {cure}", style="cyan")
        yield ""


def _share(seconds: float, lasted_s: float | None) -> str:
    """Of several threads or processes, the seconds may be more than passed."""
    if lasted_s is None:
        return _time(seconds)
    if seconds > lasted_s:
        return f"{_time(seconds)}, all threads together,"
    return f"{_time(seconds)} of {_time(lasted_s)}"


def _phase(hosts: Sequence[Report], name: str) -> float:
    return float(sum(host.get("phases", {}).get(name, 0.0) for host in hosts))


def _perfect_at_most(host: Report) -> int:
    """The same, if every cause that a log leaves open is one that is owed, where it may be."""
    maybe: int = sum(c["count"] for c in host["causes"] if {*members_of(c["cause"])} & {*OWED})
    return max(maybe, perfect(host))


def _range(least: int, most: int) -> str:
    return f"{least}" if least == most else f"{least} to {most}"


def _to_tell(host: Report) -> bool:
    """Whether more was opened than is owed."""
    return any(cause["cause"] not in OWED for cause in host["causes"])


def _headline(host: Report) -> Text:
    asked = many(host["requests"], "request")
    wire = host["attempts"] - host["requests"]
    resent = f" ({host['attempts']} on the wire)" if wire > 0 else ""
    ideal = _range(perfect(host), _perfect_at_most(host))
    opened = f"{many(host['opened'], 'connection')} opened, perfect reuse: {ideal}"
    style = "bold" if _to_tell(host) or not host["opened"] else "green"
    silent = host["attempts"] - host["opened"] - host["reused"]
    errors = ", ".join(host.get("errors", {}))
    why = f" ({errors})" if errors else ""
    unanswered = f", {many(silent, 'try')} without an answer{why}" if silent > 0 else ""
    return Text.assemble(
        (host["host"], "bold"), f"   {asked}{resent}, ", (opened, style), unanswered
    )


def _cost(host: Report, lasted_s: float | None) -> list[Text]:
    seconds = host["seconds_opening"]
    if not seconds:
        return []
    spare = sum(c["seconds"] or 0 for c in host["causes"] if c["cause"] not in OWED)
    spared_of = sum(c["count"] for c in host["causes"] if c["cause"] not in OWED)
    spare *= min(1.0, (host["opened"] - perfect(host)) / max(spared_of, 1))
    shares = sorted(((_phase([host], name), words) for name, words in PHASES.items()), reverse=True)
    parts = [f"{words} {_time(took)}" for took, words in shares if took > seconds / 20]
    told = f" ({', '.join(parts)})" if parts else ""
    spared = f"; perfect reuse would have spared {_time(spare)}" if spare else ""
    return [Text(f"{_share(seconds, lasted_s)} went into opening them{told}{spared}.")]


def _cause(cause: Mapping[str, Any]) -> RenderableType:
    line = Table.grid(padding=(0, 2), expand=True)
    line.add_column(justify="right", min_width=6)
    line.add_column(ratio=1)
    line.add_column(justify="right")
    seconds = "" if cause["seconds"] is None else _time(cause["seconds"])
    said = Text.assemble(means(cause["cause"]), (f"  {cause['cause']}", "dim"))
    line.add_row(f"{cause['count']} ×", said, seconds)
    owed = cause["cause"] in OWED
    more = [(cause["evidence"], ""), (f"→ {cause['cure']}" if cause["cure"] else "", "cyan")]
    details = [
        Padding(Text(text, style=style), (0, 0, 0, 8), expand=False) for text, style in more if text
    ]
    return Group(line, *([] if owed else details), "")


def _indented(text: Text) -> Padding:
    return Padding(text, (0, 0, 0, 8), expand=False)


def _left(left_open: int | None, places: Sequence[str]) -> list[RenderableType]:
    if not left_open:
        return []
    made = f" (Session made at {', '.join(places)})" if places else ""
    end = "end it: session.close(), or with."
    return [Text(f"Left open at the end: {many(left_open, 'connection')}{made}; {end}")]


def many(count: int, noun: str) -> str:
    """A number and its noun: "1 connection", "2 connections"."""
    plural = noun[:-1] + "ies" if noun.endswith("y") else f"{noun}s"
    return f"{count:,} {noun if count == 1 else plural}".replace(",", "\u202f")


def _time(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
