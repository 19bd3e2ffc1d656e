"""A comparison in words: the verdict, in a sentence for each thing that matters.

The same sentences stand above the tables, in the Markdown and in the annotation of a CI.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from keptalive.bench.gate import Breach, Gate, Unjudged
from keptalive.bench.titles import short_title
from keptalive.compare.findings import (
    BROKEN_GATE,
    REGRESSION,
    UNKNOWN,
    Findings,
)
from keptalive.compare.sides import NEW
from keptalive.compare.verdicts import (
    BETTER,
    CPU,
    NOT_SHOWN,
    THROUGHPUT,
    TIME,
    TIMED,
    WORSE,
    Row,
)
from keptalive.render.cells import number, signed_percent, wholly


def verdict(findings: Findings) -> list[str]:
    """The sentences, the most important first; there is always one."""
    said = []
    comparison = findings.comparison
    for scenario in _scenarios(comparison.regressions):
        rows = [row for row in comparison.regressions if row.scenario == scenario]
        said.append(f"REGRESSION{_where(findings, scenario)}: {_phrases(findings, rows)}.")
    said += faults_of(findings.gate, findings.labels)
    if findings.uncompared:
        said.append(
            "NOT COMPARABLE: something that is guarded cannot be compared; see the reasons."
        )
    if not said:
        said.append(f"No regression{_reservation(findings)}.")
    said += [holds(findings.gate)] if findings.gate.holds else []
    if findings.faults and comparison.guard.reports_only:
        said.append("Nothing fails for it: --fail-on nothing makes a report only.")
    unguarded = [
        row for row in comparison.rows if row.verdict == WORSE and row not in comparison.regressions
    ]
    for title, rows in (
        ("Worse, but not guarded", unguarded),
        ("Better", [row for row in comparison.rows if row.verdict == BETTER]),
    ):
        for scenario in _scenarios(rows):
            here = [row for row in rows if row.scenario == scenario]
            said.append(f"{title}{_where(findings, scenario)}: {_phrases(findings, here)}.")
    return said


def in_full(findings: Findings) -> list[str]:
    """The verdict, and why rows are not comparable: for where no table stands beside it."""
    scenarios = _scenarios(findings.comparison.rows)
    return [*verdict(findings), *(why for name in scenarios for why in reasons(findings, name))]


def headline(findings: Findings) -> str:
    """What a list of checks shows of it."""
    faults = findings.faults
    names = {
        REGRESSION: "a regression",
        BROKEN_GATE: "a broken gate",
        UNKNOWN: "not comparable" if len(faults) == 1 else "something not comparable",
    }
    kinds = [names[fault] for fault in faults] or ["fine"]
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
    for kind, of_time in (("timings", True), ("counts", False)):
        rows = [row for row in findings.comparison.rows if (row.measure in TIMED) == of_time]
        unsure = sum(row.verdict == NOT_SHOWN for row in rows)
        kinds += [f"{unsure} of {len(rows)} {kind}"] if unsure else []
    return f"; {' and '.join(kinds)} inconclusive (~)" if kinds else ""


# -- What happened to a strategy -----------------------------------------------------------------

_VERBS = {
    "opened": ("opens", "connection"),
    "reopened": ("reopens", "connection"),
    "attempts": ("sends", "request"),
}


_OF_TIMED = {
    TIME: ("takes {} longer", "takes {} less time"),
    THROUGHPUT: ("has {} more requests a second", "has {} fewer requests a second"),
    CPU: ("takes {} more CPU time", "takes {} less CPU time"),
}


def _phrases(findings: Findings, rows: Sequence[Row]) -> str:
    said = []
    for strategy in dict.fromkeys(row.strategy for row in rows):
        mine = {row.measure: row for row in rows if row.strategy == strategy}
        phrases = {measure: _phrase(findings, row) for measure, row in mine.items()}
        if {"opened", "reopened"} <= mine.keys() and (
            mine["opened"].change == mine["reopened"].change
        ):
            del phrases["reopened"]
            phrases["opened"] += _why_more(findings, mine["opened"]) or " (reopened)"
        elif "opened" in mine:
            phrases["opened"] += _why_more(findings, mine["opened"])
        said.append(f"{findings.labels[strategy]} {', '.join(phrases.values())}")
    return "; ".join(said)


def _why_more(findings: Findings, row: Row) -> str:
    """The causes of the connections that are more, in brackets, where they were traced."""
    causes = findings.causes.get((row.scenario, row.strategy), ())
    return f" ({', '.join(causes)})" if causes and row.verdict == WORSE else ""


def _phrase(findings: Findings, row: Row) -> str:
    change = row.change.median if row.change else 0.0
    if row.measure in TIMED:
        more, fewer = _OF_TIMED[row.measure]
        comparison = findings.comparison
        label = findings.labels[comparison.reference]
        relative = "" if comparison.absolute else f" relative to {label}"
        return f"{(more if change > 0 else fewer).format(f'{abs(100 * change):.0f} %')}{relative}"
    verb, noun = _VERBS[row.measure]
    more = "more" if change > 0 else "fewer"
    return f"{verb} {number(abs(change))} {more} {noun}{'' if abs(change) == 1 else 's'} a run"


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
    return f"GATE{_while(breach.scenario)}: {labels[breach.strategy]} {_broken_limit(breach)}."


def _unjudged(labels: Mapping[str, str], limit: Unjudged) -> str:
    where = _while(limit.scenario) if limit.scenario else ""
    who = "" if limit.strategy is None else f"{labels.get(limit.strategy, limit.strategy)}: "
    allowed = _percent(limit.allowed) if limit.limit == "min_reuse" else f"{limit.allowed:g}"
    return f"GATE not judged{where}: {who}{limit.limit} is {allowed}, but {limit.reason}."


def _broken_limit(breach: Breach) -> str:
    if breach.limit == "max_opened":
        opened = f"{breach.found:g} connection{'' if breach.found == 1 else 's'}"
        return f"opened {opened} in a run, max_opened is {breach.allowed:g}"
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


# -- Below the tables ---------------------------------------------------------------------------


def of_changes(findings: Findings) -> list[str]:
    """From what changes are computed, where the columns beside them would give other ones."""
    rows = findings.comparison.rows
    differing = {row.measure in TIMED for row in rows if not _columns_agree(row)}
    said = []
    if False in differing:
        said.append(f"Counts: the columns are means; {OF_DIFFERENCES}.")
    if True in differing:
        said.append(
            "Times: the columns are medians; the change is the median of all ratios of a round of "
            "the candidate to a round of the baseline."
        )
    return said


OF_DIFFERENCES = "the change is the median of all differences between the two sides"


def _columns_agree(row: Row) -> bool:
    """Whether the change, as it is shown, follows from the columns."""
    if row.change is None or row.baseline is None or row.candidate is None:
        return True
    change = row.change.median
    if row.measure not in TIMED:
        return number(row.candidate - row.baseline) == number(change)
    return signed_percent(row.candidate / row.baseline - 1) == signed_percent(change)


def reasons(findings: Findings, scenario: str) -> list[str]:
    """Why rows of this scenario are not comparable, a sentence for each reason."""
    found: dict[str, dict[str, None]] = {}
    for row in findings.comparison.rows:
        if row.scenario == scenario and row.reason is not None:
            what = "" if wholly(findings, row) else f" ({row.measure})"
            found.setdefault(row.reason, {})[f"{findings.labels[row.strategy]}{what}"] = None
    return [
        f"{', '.join(who)}: {'new, ' if reason == NEW else 'not comparable: '}{reason}."
        for reason, who in found.items()
    ]
