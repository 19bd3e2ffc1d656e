"""Everything that a comparison found, for whoever shows it: verdicts, limits, what differs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from keptalive.bench.gate import Gate
from keptalive.compare.verdicts import Comparison, plain
from keptalive.records.run import Run

FINE = "fine"
REGRESSION = "regression"
BROKEN_GATE = "broken gate"
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
    gate: Gate
    differences: tuple[Difference, ...]
    warnings: tuple[str, ...]
    labels: Mapping[str, str]

    @property
    def uncompared(self) -> bool:
        """Whether something that is guarded, or everything, could not be compared."""
        rows = self.comparison.rows
        return bool(self.comparison.unjudged) or all(row.reason is not None for row in rows)

    @property
    def faults(self) -> tuple[str, ...]:
        """What is wrong, whether or not anything shall fail for it.

        A gate that cannot look does not open: what is guarded and in the baseline, but not
        comparable, is as little fine as a limit that could not be judged.
        """
        found = {
            REGRESSION: bool(self.comparison.regressions),
            BROKEN_GATE: bool(self.gate.breaches),
            UNKNOWN: self.uncompared or bool(self.gate.unjudged),
        }
        return tuple(fault for fault, is_there in found.items() if is_there)

    @property
    def outcome(self) -> str:
        """`FINE`, `REGRESSION` where anything is worse or a limit broken, `UNKNOWN` else."""
        if self.comparison.guard.reports_only or not self.faults:
            return FINE
        return UNKNOWN if self.faults == (UNKNOWN,) else REGRESSION


# -- What differs around the runs ----------------------------------------------------------------

_VERSIONS = ("python", "requests", "urllib3", "keptalive", "openssl", "ca_certificates")
_TOLD_BY_ROWS = ("strategies", "scenarios")


def differences(baseline: Run, candidate: Run) -> tuple[Difference, ...]:
    """Keys of the plans, versions and settings that are not the same on both sides."""
    keys = dict.fromkeys([*baseline.plan, *candidate.plan])
    shared = [name for name in baseline.settings if name in candidate.settings]
    sides = [
        (f"plan's {key}", baseline.plan.get(key), candidate.plan.get(key))
        for key in keys
        if key not in (*_TOLD_BY_ROWS, "gate")
    ]
    gates = [_limits_told(run.plan.get("gate")) for run in (baseline, candidate)]
    sides.append(("plan's gate", gates[0], gates[1]))
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


def _limits_told(gate: object) -> str | None:
    """The limits of a plan as text, null being no limit, as in schema 1 no gate was none."""
    listed = plain(gate)
    tables = listed if isinstance(listed, list) else [listed]
    limits = [
        ", ".join(f"{key} = {value}" for key, value in table.items() if value is not None)
        for table in tables
        if isinstance(table, Mapping)
    ]
    return "; ".join(limits) or None


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
