"""A comparison in words: the verdict, in a sentence for each thing that matters.

The same sentences stand above the tables, in the Markdown and in the annotation of a CI.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath

from keptalive.bench.gate import Breach, Gate, Unjudged
from keptalive.compare.findings import BROKEN_GATE, REGRESSION, UNKNOWN, Findings, Source
from keptalive.compare.verdicts import (
    BETTER,
    NEW,
    NOT_SHOWN,
    TIME,
    WORSE,
    Row,
)
from keptalive.records.run import Interval
from keptalive.render.terminal.bench import milliseconds, short_title

NOTHING = "–"


def verdict(findings: Findings) -> list[str]:
    """The sentences, the most important first; there is always one."""
    told = []
    comparison = findings.comparison
    for scenario in _scenarios(comparison.regressions):
        rows = [row for row in comparison.regressions if row.scenario == scenario]
        told.append(f"REGRESSION{_where(findings, scenario)}: {_phrases(findings, rows)}.")
    told += faults_of(findings.gate, findings.labels)
    if findings.uncompared:
        told.append("NOT COMPARABLE: what is guarded could not be compared; see the reasons.")
    if not told:
        told.append(f"No regression{_reservation(findings)}.")
    told += [holds(findings.gate)] if findings.gate.holds else []
    if findings.faults and comparison.guard.reports_only:
        told.append("Nothing fails for it: this is a report only (--fail-on nothing).")
    unguarded = [
        row for row in comparison.rows if row.verdict == WORSE and row not in comparison.regressions
    ]
    for title, rows in (
        ("Worse, but not guarded", unguarded),
        ("Better", [row for row in comparison.rows if row.verdict == BETTER]),
    ):
        for scenario in _scenarios(rows):
            here = [row for row in rows if row.scenario == scenario]
            told.append(f"{title}{_where(findings, scenario)}: {_phrases(findings, here)}.")
    return told


def in_full(findings: Findings) -> list[str]:
    """The verdict, and why rows are not comparable: for where no table stands beside it."""
    scenarios = _scenarios(findings.comparison.rows)
    return [*verdict(findings), *(why for name in scenarios for why in reasons(findings, name))]


def headline(findings: Findings) -> str:
    """What a list of checks shows of it."""
    faults = findings.faults
    told = {
        REGRESSION: "a regression",
        BROKEN_GATE: "a broken gate",
        UNKNOWN: "not comparable" if len(faults) == 1 else "something not comparable",
    }
    kinds = [told[fault] for fault in faults] or ["fine"]
    return f"keptalive compare: {' and '.join(kinds)}"


def _scenarios(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(row.scenario for row in rows))


def _where(findings: Findings, scenario: str) -> str:
    """The scenario, where there are several."""
    if len(_scenarios(findings.comparison.rows)) == 1:
        return ""
    return _while(scenario)


def _while(scenario: str) -> str:
    if scenario == "as-is":  # the one scenario of a server that is not ours
        return ""
    title = short_title(scenario)
    return f", where {title[0].lower()}{title[1:]}"


def _reservation(findings: Findings) -> str:
    kinds = []
    for kind, of_time in (("times", True), ("counts", False)):
        rows = [row for row in findings.comparison.rows if (row.measure == TIME) == of_time]
        unsure = sum(row.verdict == NOT_SHOWN for row in rows)
        kinds += [f"{unsure} of {len(rows)} {kind}"] if unsure else []
    return f" is shown; {' and '.join(kinds)} vary too much to tell (~)" if kinds else ""


# -- What happened to a strategy -----------------------------------------------------------------

_VERBS = {
    "opened": ("opens", "connection"),
    "reopened": ("reopens", "connection"),
    "attempts": ("sends", "request"),
}


def _phrases(findings: Findings, rows: Sequence[Row]) -> str:
    told = []
    for strategy in dict.fromkeys(row.strategy for row in rows):
        mine = {row.measure: row for row in rows if row.strategy == strategy}
        phrases = {measure: _phrase(findings, row) for measure, row in mine.items()}
        if {"opened", "reopened"} <= mine.keys() and (
            mine["opened"].change == mine["reopened"].change
        ):
            del phrases["reopened"]
            phrases["opened"] += " (reopened)"
        told.append(f"{findings.labels[strategy]} {', '.join(phrases.values())}")
    return "; ".join(told)


def _phrase(findings: Findings, row: Row) -> str:
    change = row.change.median if row.change else 0.0
    if row.measure == TIME:
        longer = "longer" if change > 0 else "less long"
        comparison = findings.comparison
        against = "" if comparison.absolute else f" against {findings.labels[comparison.yardstick]}"
        return f"takes {abs(100 * change):.0f} % {longer}{against}"
    verb, noun = _VERBS[row.measure]
    more = "more" if change > 0 else "fewer"
    return f"{verb} {number(abs(change))} {more} {noun}{'' if abs(change) == 1 else 's'} a trial"


def holds(gate: Gate) -> str:
    """That all of a gate's limits hold, where they do."""
    return f"The plan's gate holds: {gate.limits} limit{'' if gate.limits == 1 else 's'}."


def faults_of(gate: Gate, labels: Mapping[str, str]) -> list[str]:
    """The limits of the plan's gate that are broken or could not be judged, each in a sentence."""
    return [
        *(_broken(labels, breach) for breach in gate.breaches),
        *(_unjudged(labels, limit) for limit in gate.unjudged),
    ]


def _broken(labels: Mapping[str, str], breach: Breach) -> str:
    return f"GATE{_while(breach.scenario)}: {labels[breach.strategy]} {_limit_told(breach)}."


def _unjudged(labels: Mapping[str, str], limit: Unjudged) -> str:
    where = _while(limit.scenario) if limit.scenario else ""
    who = "Whatever the strategy"
    if limit.strategy is not None:
        who = labels.get(limit.strategy, limit.strategy)
    allowed = _percent(limit.allowed) if limit.limit == "min_reuse" else f"{limit.allowed:g}"
    return f"GATE not judged{where}: {who}: {limit.limit} is {allowed}, but {limit.reason}."


def _limit_told(breach: Breach) -> str:
    if breach.limit == "max_opened":
        opened = f"{breach.found:g} connection{'' if breach.found == 1 else 's'}"
        return f"opened {opened} in a trial, max_opened is {breach.allowed:g}"
    if breach.limit == "min_reuse":
        perfect = breach.perfect
        beyond = "" if perfect is None else f"; perfect reuse would be {100 * perfect:.1f} %"
        return (
            f"reused a connection for {100 * breach.found:.1f} % of its requests, "
            f"min_reuse is {_percent(breach.allowed)}{beyond}"
        )
    return f"is {breach.found:.2f} times as fast, min_speedup is {breach.allowed:g}"


def _percent(share: float) -> str:
    return f"{100 * share:g} %"


# -- Around the numbers --------------------------------------------------------------------------


def sides(findings: Findings) -> str:
    """Which two are compared: "baseline 3f2a91c (2026-11-20), candidate 7be0d12 (2026-11-24)".

    Of the same commit, or of none, the files are named; of the same name, the paths.
    """
    both = (findings.baseline, findings.candidate)
    named = _names_of(*both)
    told = [f"{name} ({source.made[:10]})" for name, source in zip(named, both, strict=True)]
    return f"baseline {told[0]}, candidate {told[1]}"


def _names_of(*both: Source) -> list[str]:
    files = [PurePath(source.path).name for source in both]
    if files[0] == files[1]:
        files = [source.path for source in both]
    commits = [(source.commit or "")[:7] for source in both]
    if commits[0] != commits[1]:
        return [commit or file for commit, file in zip(commits, files, strict=True)]
    return [f"{commit} {file}".strip() for commit, file in zip(commits, files, strict=True)]


_SHORT = 24


def surroundings(findings: Findings) -> str:
    """What is and what is not the same around them: "same plan, urllib3 2.7.0 -> 2.8.0"."""
    told = [
        f"{difference.name} {difference.baseline} → {difference.candidate}"
        if max(len(difference.baseline), len(difference.candidate)) <= _SHORT
        else f"{difference.name}: not the same"
        for difference in findings.differences
    ]
    if findings.baseline.machine != findings.candidate.machine:
        told.append("another machine")
    if not any(difference.name.startswith("plan's") for difference in findings.differences):
        told.insert(0, "same plan")
    return ", ".join(told) if len(told) > 1 else f"{told[0]}, same versions"


def reasons(findings: Findings, scenario: str) -> list[str]:
    """Why rows of this scenario are not comparable, a sentence for each reason."""
    found: dict[str, dict[str, None]] = {}
    for row in findings.comparison.rows:
        if row.scenario == scenario and row.reason is not None:
            what = "" if _wholly(findings, row) else f" ({row.measure})"
            found.setdefault(row.reason, {})[f"{findings.labels[row.strategy]}{what}"] = None
    return [
        f"{', '.join(who)}: {'new, ' if reason == NEW else 'not comparable: '}{reason}."
        for reason, who in found.items()
    ]


def _wholly(findings: Findings, row: Row) -> bool:
    return all(
        other.reason == row.reason
        for other in findings.comparison.rows
        if (other.scenario, other.strategy) == (row.scenario, row.strategy)
    )


# -- Cells ---------------------------------------------------------------------------------------


def rows_to_show(findings: Findings, scenario: str) -> list[Row]:
    """What is opened and the times; other counts where they changed; one row for nothing known."""
    return [
        row
        for row in findings.comparison.rows
        if row.scenario == scenario
        and (
            row.measure == "opened"
            or (row.measure == TIME and not (row.reason and _wholly(findings, row)))
            or row.verdict in (WORSE, BETTER)
        )
    ]


def cells(findings: Findings, row: Row) -> tuple[str, str, str, str, str]:
    """The measure, the value on both sides, the change with its interval, the verdict."""
    absolute = findings.comparison.absolute
    measure = (
        row.measure
        if row.measure != TIME
        else "a request"
        if absolute
        else f"time/{findings.comparison.yardstick}"
    )
    shown = number if row.measure != TIME else milliseconds if absolute else _ratio
    values = [NOTHING if v is None else shown(v) for v in (row.baseline, row.candidate)]
    if row.change is None:
        change = NOTHING
    else:
        change = percent(row.change) if row.measure == TIME else f"{row.change.median:+g}"
    if row.measure != TIME and row.change is not None and not row.change.median:
        change = "0"
    verdict = "new" if row.reason == NEW else row.verdict
    return measure, values[0], values[1], change, verdict


def number(value: float) -> str:
    """A count, or a mean of counts with one decimal."""
    return f"{value:g}" if value == int(value) else f"{value:.1f}"


def _ratio(value: float) -> str:
    return f"{value:.3f}" if value < 1 else f"{value:.2f}"


def percent(change: Interval) -> str:
    """A relative change with its interval: "+4.1 % [-0.9, +9.0]"."""
    told = f"{_signed(change.median)} %"
    if change.low is None or change.high is None:
        return told
    return f"{told} [{_signed(change.low)}, {_signed(change.high)}]"


def _signed(share: float) -> str:
    value = 100 * share
    return f"{value:+.0f}" if abs(value) >= 9.95 else f"{value:+.1f}"
