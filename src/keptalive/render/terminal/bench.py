"""A run as rich tables: the verdict in a sentence first, then the numbers, then the witnesses.

Everything fits 80 columns; from 100 on, the first request and the 95th percentile stand apart.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from keptalive.bench.summary import yardstick
from keptalive.records.run import Counts, Interval, Run, StrategySummary

NOTHING = "–"

_TITLES = {
    "keep-alive": "The server keeps connections",
    "close-announced": "The server closes after every response, and says so",
    "http-1.0": "The server speaks HTTP/1.0: one request a connection",
    "idle-timeout": 'The server drops idle connections ("Resetting dropped connection")',
    "idle-reset": "The server resets idle connections",
    "request-limit": "The server closes unannounced after so many requests",
    "request-limit-announced": "The server closes after so many requests, and says so",
    "timeout-408": "The server sends a 408 to idle connections, and closes them",
    "stray-bytes": "The server sends bytes that belong to no response",
    "stale": "The server closes on receiving a request on a kept connection",
    "truncated-body": "The server breaks off in the middle of a body",
    "as-is": "The server as it is",
}

_ENDED = {
    "narrow": "every interval is narrower than 5 % of its value",
    "budget": "the time budget is used up",
    "rounds": "as many rounds as were asked for",
    "interrupted": "interrupted: incomplete, and marked so",
    "stopped": "the target stopped it: incomplete, and marked so",
    "disagreement": "the witnesses disagree",
}


def report(run: Run, *, width: int) -> RenderableType:
    """Everything that a person sees of a finished run."""
    parts: list[RenderableType] = []
    if run.summary:
        parts += [Text(verdict(run), style="bold"), ""]
    for scenario in dict.fromkeys(row.scenario for row in run.summary):
        rows = [row for row in run.summary if row.scenario == scenario]
        parts += [table(run, scenario, rows, wide=width >= 100), *_warnings(run, rows), ""]
    if run.summary:
        parts += [phases_table(run), ""]
    parts.append(Text(witnesses_line(run), style="green" if run.valid else "bold red"))
    parts.append(Text(_ended_line(run), style="dim"))
    return Group(*parts)


def headline(run_rounds: str, facts: Sequence[str]) -> Text:
    """The first lines: what is asked, of whom, over what."""
    return Text.assemble(("keptalive bench", "bold"), "   ", ", ".join(facts), "\n", run_rounds)


# -- The verdict ---------------------------------------------------------------------------------


def verdict(run: Run) -> str:
    """In a sentence for each scenario: is a Session faster, and is that shown?"""
    sentences = [f"Against {run.labels[yardstick(run.labels)]}:"]
    for scenario in dict.fromkeys(row.scenario for row in run.summary):
        rows = [r for r in run.summary if r.scenario == scenario and r.speedup_vs_fresh]
        if rows:
            told = ", ".join(_faster(run, row) for row in rows)
            sentences.append(f"{short_title(scenario)}: {told}.")
    return "\n".join(sentences)


def _faster(run: Run, row: StrategySummary) -> str:
    label = run.labels[row.strategy]
    speedup = row.speedup_vs_fresh
    if row.counts.errors:
        return f"{label} failed {row.counts.errors} times"
    if speedup is None or speedup.low is None or speedup.high is None:
        return f"{label} has too few rounds for a verdict"
    if speedup.low <= 1 <= speedup.high:
        return f"{label} not shown to be faster"
    return f"{label} {speedup.median:.1f} times as fast"


def scenario_title(scenario: str) -> str:
    """What the server does, and the scenario where it has a number of its own."""
    title = short_title(scenario)
    return f"{title} ({scenario})" if "=" in scenario else title


def short_title(scenario: str) -> str:
    """What the server does, in a few words."""
    return _TITLES.get(name := scenario.partition("=")[0], name).partition(" (")[0]


# -- The tables ----------------------------------------------------------------------------------


def table(run: Run, scenario: str, rows: Sequence[StrategySummary], *, wide: bool) -> Table:
    """The strategies side by side in one scenario."""
    built = Table(
        title=_title(scenario, rows),
        title_justify="left",
        title_style="bold",
        box=box.ROUNDED,
        header_style="dim",
    )
    built.add_column("", no_wrap=True)
    columns = ["opened", "reused", "a request"]
    columns += ["first", "p95"] if wide else []
    columns += ["CPU", f"against {yardstick(run.labels)}"]
    for column in columns:
        built.add_column(column, justify="right", no_wrap=True)
    for row in rows:
        opened_style = "green" if row.counts.opened <= row.perfect else "yellow"
        built.add_row(
            run.labels[row.strategy],
            Text(f"{row.counts.opened:,}", style=opened_style),
            percent_reused(row.counts),
            milliseconds(row.seconds_per_request.median),
            *([milliseconds(row.first_request_s.median)] if wide else []),
            *([milliseconds(row.p95_s)] if wide else []),
            milliseconds(row.cpu_seconds_per_request),
            _against(run, row),
        )
    return built


def _title(scenario: str, rows: Sequence[StrategySummary]) -> str:
    name, _, number = scenario.partition("=")
    row = rows[0]
    each = row.counts.requests // row.rounds
    about = f"{scenario}: " if number else ""
    return (
        f"{_TITLES[name]}\n{about}{row.rounds * each} requests each way, "
        f"perfect reuse would open {row.perfect}"
    )


def percent_reused(counts: Counts) -> str:
    """The share of the tries that went over a kept connection."""
    return f"{100 * counts.reused / counts.attempts:.0f} %" if counts.attempts else NOTHING


def milliseconds(seconds: float | None) -> str:
    """A time in ms, with three digits at most."""
    if seconds is None:
        return NOTHING
    ms = 1000 * seconds
    return f"{ms:.0f} ms" if ms >= 100 else f"{ms:.1f} ms"


def _against(run: Run, row: StrategySummary) -> str:
    if row.speedup_vs_fresh is None:
        return "1" if row.strategy == yardstick(run.labels) else NOTHING
    return times(row.speedup_vs_fresh)


def times(interval: Interval) -> str:
    """A ratio with its interval: "3.9× [3.8, 4.0]"; "~" before one that is not shown."""
    digits = 2 if interval.median < 10 else 1
    median = f"{interval.median:.{digits}f}×"
    if interval.low is None or interval.high is None:
        return f"~ {median}"
    shown = "~ " if interval.low <= 1 <= interval.high else ""
    return f"{shown}{median} [{interval.low:.{digits}f}, {interval.high:.{digits}f}]"


def _warnings(run: Run, rows: Sequence[StrategySummary]) -> list[RenderableType]:
    by_sentence: dict[str, list[str]] = {}
    for row in rows:
        for sentence in row.warnings:
            by_sentence.setdefault(sentence, []).append(run.labels[row.strategy])
    return [
        Text(f"{', '.join(labels)}: {sentence}.", style="yellow")
        for sentence, labels in by_sentence.items()
    ]


# -- Where the time goes -------------------------------------------------------------------------

_PHASES = {
    "CA bundle": ("ca_bundle",),
    "connect": ("dns", "connect"),
    "TLS": ("tls",),
    "wait": ("wait",),
    "rest": ("blocked", "send", "receive", "rest"),
}
_WIDEST_TITLE = 33  # of 80 columns, beside figures below 100 ms


def phases_table(run: Run) -> Table:
    """The phases of a request, medians in ms, for each scenario and strategy."""
    built = Table(
        title="Where a request's time goes (ms)",
        title_justify="left",
        title_style="bold",
        box=box.ROUNDED,
        header_style="dim",
    )
    # a long title goes on in a second line, so that the figures have room
    built.add_column("", max_width=_WIDEST_TITLE)
    for column in _PHASES:
        built.add_column(column, justify="right", no_wrap=True)
    for scenario in dict.fromkeys(row.scenario for row in run.summary):
        rows = [row for row in run.summary if row.scenario == scenario]
        built.add_row(Text(short_title(scenario), style="dim"))
        for row in rows:
            built.add_row(
                f"  {run.labels[row.strategy]}",
                *(_phase([row.phases.get(name) for name in names]) for names in _PHASES.values()),
            )
        if scenario != run.summary[-1].scenario:
            built.add_section()
    return built


def _phase(seconds: Sequence[float | None]) -> str:
    known = [value for value in seconds if value is not None]
    return f"{1000 * sum(known):.1f}" if known else NOTHING


# -- The last lines ------------------------------------------------------------------------------


def witnesses_line(run: Run) -> str:
    """Whether every count agrees, with the sums over all trials, warm-up included."""
    if not run.valid:
        return "INVALID: " + " ".join(run.disagreements)
    log = sum(trial.witnesses.pool_log for trial in run.trials)
    sockets = sum(trial.witnesses.sockets for trial in run.trials)
    servers = [t.witnesses.server for t in run.trials if t.witnesses.server is not None]
    server = f" = server {sum(servers)}" if servers else " (the server is not ours to ask)"
    in_doubt = "" if log == sockets else " (less what failed before an answer)"
    return f"Every count agrees: pool log {log}{in_doubt} = sockets {sockets}{server}."


def _ended_line(run: Run) -> str:
    rounds = max((row.rounds for row in run.summary), default=0)
    counted = f"{rounds} round{'' if rounds == 1 else 's'} and a warm-up"
    return f"{counted} in {run.seconds:.0f} s; ended because: {_ENDED[run.ended]}."
