"""A comparison as everybody shows it: sentences and tables, for a terminal, Markdown and a CI."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from keptalive.bench.titles import scenario_title
from keptalive.compare.findings import FINE, Findings
from keptalive.render import cells, sentences
from keptalive.render.comparison_sides import sides, surroundings

SIDES = ("baseline", "candidate", "change", "verdict")  # the last columns of every table


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table of a comparison.

    Attributes:
        title: of what.
        labels: how many columns stand before `SIDES`; none of them has a header.
        rows: their cells.
        notes: sentences below it: how it was compared.
        reasons: why something of it is not comparable.
    """

    title: str
    labels: int
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A comparison, in the order in which one asks.

    Attributes:
        headline: what a list of checks shows of it.
        verdict: in sentences; there is always one.
        in_full: the verdict, and why something is not comparable: for where no table stands.
        is_fine: nothing is wrong.
        fails: something is, and shall fail for it.
        sides, surroundings: which two are compared, and what else differs.
        more: last lines.
        place: the line of code that is at fault, as far as it is known.
    """

    headline: str
    verdict: tuple[str, ...]
    in_full: tuple[str, ...]
    is_fine: bool
    fails: bool
    sides: str
    surroundings: str
    warnings: tuple[str, ...]
    tables: tuple[Table, ...]
    more: tuple[str, ...] = ()
    place: str = ""


def of_results(findings: Findings) -> View:
    """Of two results of `bench`."""
    scenarios = dict.fromkeys(row.scenario for row in findings.comparison.rows)
    return View(
        headline=sentences.headline(findings),
        verdict=tuple(sentences.verdict(findings)),
        in_full=tuple(sentences.in_full(findings)),
        is_fine=not findings.faults,
        fails=findings.outcome != FINE,
        sides=sides(findings.baseline, findings.candidate),
        surroundings=surroundings(findings),
        warnings=findings.warnings,
        tables=tuple(_table(findings, scenario) for scenario in scenarios),
        more=tuple(sentences.of_changes(findings)),
    )


def _table(findings: Findings, scenario: str) -> Table:
    return Table(
        title=scenario_title(scenario, of_programs=findings.of_programs),
        labels=2,
        rows=tuple(_rows(findings, scenario)),
        reasons=tuple(sentences.reasons(findings, scenario)),
    )


def _rows(findings: Findings, scenario: str) -> Iterator[tuple[str, ...]]:
    last = None
    for row in cells.rows_to_show(findings, scenario):
        label = "" if row.strategy == last else findings.labels[row.strategy]
        last = row.strategy
        yield label, *cells.cells(findings, row)
