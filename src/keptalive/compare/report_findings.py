"""Everything that a comparison of reports found: verdicts, and what else differs. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from keptalive.compare.findings import (
    PROGRAM,
    REGRESSION,
    UNKNOWN,
    Difference,
    outcome_of,
    versions,
)
from keptalive.compare.reports import LOG, Comparison, compare
from keptalive.compare.verdicts import Guard
from keptalive.quantities import many
from keptalive.records.report import LEFT, Report

SOURCE = "source"  # the name of a `Difference`
_SAID = 4  # warnings of the reports that are repeated here
_SIDES = ("baseline", "candidate")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportSource:
    """Where one side comes from.

    Attributes:
        path: of its file, or its folder.
        made: when the program began, ISO 8601; None of a log without times.
        reports: how many there are.
        commit: a report does not have it.
    """

    path: str
    made: str | None
    machine: str
    reports: int = 1
    commit: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFindings:
    """What `compare` found of reports; each property is as in `findings.Findings`."""

    baseline: ReportSource
    candidate: ReportSource
    comparison: Comparison
    differences: tuple[Difference, ...]
    warnings: tuple[str, ...]

    @property
    def uncompared(self) -> bool:
        """Whether something that is guarded, or every route, could not be compared."""
        rows = [row for route in self.comparison.routes for row in route.rows]
        return bool(self.comparison.unjudged) or all(row.reason is not None for row in rows)

    @property
    def faults(self) -> tuple[str, ...]:
        """What is wrong, whether or not anything shall fail for it."""
        found = {REGRESSION: bool(self.comparison.regressions), UNKNOWN: self.uncompared}
        return tuple(fault for fault, is_there in found.items() if is_there)

    @property
    def outcome(self) -> str:
        """`FINE`, `REGRESSION` where anything is worse, `UNKNOWN` else."""
        return outcome_of(self.faults, self.comparison.guard)


def found(
    before: tuple[str, Sequence[Report]],
    after: tuple[str, Sequence[Report]],
    *,
    guard: Guard,
) -> ReportFindings:
    """Compare two sides.

    Args:
        before: the path of the baseline, and its reports.
        after: likewise, of the candidate.
        guard: what is a regression.
    """
    sides = before[1], after[1]
    return ReportFindings(
        baseline=_source(*before),
        candidate=_source(*after),
        comparison=compare(*sides, guard=guard),
        differences=differences(*sides),
        warnings=(*_of_logs(*sides), *_of_other_names(*sides), *_of_each(*sides)),
    )


def _source(path: str, reports: Sequence[Report]) -> ReportSource:
    first = reports[0]
    environment = first.environment
    processors = environment.get("processors")
    named = (environment.get("system"), f"{processors} processors" if processors else None)
    return ReportSource(
        path=path,
        made=first.started_at,
        machine=", ".join(str(part) for part in named if part),
        reports=len(reports),
    )


def differences(before: Sequence[Report], after: Sequence[Report]) -> tuple[Difference, ...]:
    """The program, who watched it, and versions, where they are not the same on both sides."""
    old, new = before[0], after[0]
    sides = [
        (PROGRAM, " ".join(old.command) or None, " ".join(new.command) or None),
        (SOURCE, old.source, new.source),
        *versions(old.environment, new.environment),
    ]
    return tuple(
        Difference(name=name, baseline=str(was), candidate=str(now))
        for name, was, now in sides
        if was is not None and now is not None and was != now
    )


# -- What limits the truth of it -----------------------------------------------------------------


def _of_logs(before: Sequence[Report], after: Sequence[Report]) -> Iterator[str]:
    logs = [{one.source == LOG for one in side} for side in (before, after)]
    if logs[0] != logs[1]:
        yield (
            "Only one side was read from a log, which shows less: compare two logs, or two reports "
            "of keptalive run."
        )
    ranges = (
        host.perfect is not None and host.perfect.least < host.perfect.most
        for one in (*before, *after)
        if one.source == LOG
        for host in one.hosts
    )
    if any(ranges):
        yield "The log does not show which requests ran in parallel: here, as few as it shows."


# As `run --anonymize` calls hosts: by numbers, in the order in which a report meets them
_ANONYMOUS = re.compile(r"\w+://host\d+\.example(:\d+)?")


def _of_other_names(before: Sequence[Report], after: Sequence[Report]) -> Iterator[str]:
    sides = [
        any(_ANONYMOUS.fullmatch(host.host) for one in side for host in one.hosts)
        for side in (before, after)
    ]
    if all(sides):
        yield (
            "Both sides are anonymised: a host may have another number on the other side. "
            "Compare the reports as they were."
        )
    elif any(sides):
        yield (
            f"Only the {_SIDES[sides[1]]} is anonymised, so its hosts have other names. "
            "Compare the reports as they were."
        )


def _of_each(before: Sequence[Report], after: Sequence[Report]) -> Iterator[str]:
    """The reports' own warnings, and on which side."""
    old, new = (
        dict.fromkeys(said for one in side for said in _said_by(one)) for side in (before, after)
    )
    every = {**old, **new}
    for said in [*every][:_SAID]:
        where = "both sides" if said in old and said in new else _SIDES[said in new]
        yield f"{where}: {said}"
    if len(every) > _SAID:
        yield f"And {len(every) - _SAID} more warnings: the reports have them."


def _said_by(report: Report) -> Iterator[str]:
    """Its warnings; of lost processes only how many, since their numbers differ from run to run."""
    lost = len(report.lost)
    if lost:
        its = "its" if lost == 1 else "their"
        yield f"{many(lost, 'process')} {LEFT}: {its} last requests may be missing."
    yield from (said for said in report.warnings if not (lost and LEFT in said))
