"""Everything that a comparison found, for whoever shows it: verdicts, limits, what differs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from keptalive.analysis.comparing import Comparison, plain
from keptalive.analysis.gate import Breach
from keptalive.model import Run

FINE = "fine"
REGRESSION = "regression"
UNKNOWN = "not comparable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where one side comes from; ``commit`` is None outside of a repository."""

    path: str
    made: str
    commit: str | None
    machine: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Something around the two runs that is not the same, as each side has it."""

    name: str
    baseline: str
    candidate: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What `compare` found; ``labels`` are the strategies' names for people."""

    baseline: Source
    candidate: Source
    comparison: Comparison
    breaches: tuple[Breach, ...]
    differences: tuple[Difference, ...]
    warnings: tuple[str, ...]
    labels: Mapping[str, str]

    @property
    def outcome(self) -> str:
        """`REGRESSION` where anything guarded is worse, `UNKNOWN` where it could not be told.

        A gate that cannot look does not open: what is guarded and in the baseline, but not
        comparable, is as little fine as nothing to compare at all.
        """
        if self.comparison.regressions or self.breaches:
            return REGRESSION
        compared = any(row.reason is None for row in self.comparison.rows)
        return FINE if compared and not self.comparison.unjudged else UNKNOWN


# -- What differs around the runs ----------------------------------------------------------------

_VERSIONS = ("python", "requests", "urllib3", "keptalive", "openssl", "ca_certificates")
_TOLD_BY_ROWS = ("gate", "strategies", "scenarios")


def differences(baseline: Run, candidate: Run) -> tuple[Difference, ...]:
    """Keys of the plans, versions and settings that are not the same on both sides."""
    keys = dict.fromkeys([*baseline.plan, *candidate.plan])
    shared = [name for name in baseline.settings if name in candidate.settings]
    sides = [
        (f"plan's {key}", baseline.plan.get(key), candidate.plan.get(key))
        for key in keys
        if key not in _TOLD_BY_ROWS
    ]
    sides += [
        (name.replace("_", " "), baseline.environment.get(name), candidate.environment.get(name))
        for name in _VERSIONS
    ]
    sides += [
        (f"{baseline.labels[name]}'s settings", baseline.settings[name], candidate.settings[name])
        for name in shared
    ]
    return tuple(
        Difference(name=name, baseline=_told(before), candidate=_told(after))
        for name, before, after in sides
        if plain(before) != plain(after)
    )


def _told(value: object) -> str:
    if value is None:
        return "none"
    listed = plain(value)
    return " ".join(map(str, listed)) if isinstance(listed, list) else str(value)


def warnings(
    baseline: tuple[Source, Run], candidate: tuple[Source, Run], *, absolute: bool
) -> tuple[str, ...]:
    """What to bear in mind with these two sides, each with what to do about it."""
    found = []
    if absolute and baseline[0].machine != candidate[0].machine:
        found.append(
            f"The machines differ ({baseline[0].machine}; {candidate[0].machine}): seconds tell "
            "little. Without --absolute, each is measured by its own yardstick."
        )
    for name, (_, run) in (("baseline", baseline), ("candidate", candidate)):
        if not run.complete:
            found.append(f"The {name} did not come to its own end ({run.ended}): fewer rounds.")
    return tuple(found)
