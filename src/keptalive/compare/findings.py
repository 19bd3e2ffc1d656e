"""Everything that a comparison found: verdicts, limits, causes, and what else differs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from keptalive.bench.gate import Gate
from keptalive.compare.forbidden import places_of
from keptalive.compare.sides import Key, plain
from keptalive.compare.verdicts import Comparison, Guard
from keptalive.quantities import listed
from keptalive.records.run import Run, Trace

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

    @property
    def reports(self) -> int:
        """A result is one file."""
        return 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Something around the two runs that is not the same, as each side has it."""

    name: str
    baseline: str
    candidate: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What `compare` found.

    Attributes:
        labels: the strategies' names for people.
        causes: by scenario and strategy: why more connections were opened than in the baseline;
            nothing where either side has no trace.
        of_programs: programs were run, instead of strategies.
    """

    baseline: Source
    candidate: Source
    comparison: Comparison
    gate: Gate
    differences: tuple[Difference, ...]
    warnings: tuple[str, ...]
    labels: Mapping[str, str]
    causes: Mapping[Key, tuple[str, ...]] = field(default_factory=dict)
    of_programs: bool = False

    @property
    def uncompared(self) -> bool:
        """Whether something that is guarded, or everything, could not be compared."""
        rows = self.comparison.rows
        return bool(self.comparison.unjudged) or all(row.reason is not None for row in rows)

    @property
    def faults(self) -> tuple[str, ...]:
        """What is wrong, whether or not anything shall fail for it.

        If it cannot be checked, it fails: what is guarded and in the baseline, but not comparable,
        is as little fine as a limit that could not be judged.
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
        return outcome_of(self.faults, self.comparison.guard)


def outcome_of(faults: Sequence[str], guard: Guard) -> str:
    """`FINE`, `UNKNOWN` where nothing is wrong but that something is not known, or `REGRESSION`."""
    if guard.reports_only or not faults:
        return FINE
    return UNKNOWN if set(faults) == {UNKNOWN} else REGRESSION


def labels(run: Run) -> dict[str, str]:
    """The strategies' names for people; in a sentence about a program, its own name is needed."""
    if not run.plan.get("program"):
        return run.labels
    tuned = "-tuned"  # the end of a name in `bench.programs.plan`
    return {
        name: f"{name.removesuffix(tuned)} (tuned)" if name.endswith(tuned) else name
        for name in run.strategies
    }


# -- What differs around the runs ----------------------------------------------------------------

TARGET = "plan's target"  # the name of a `Difference`
PROGRAM = "program"  # likewise, of reports
_VERSIONS = ("python", "requests", "urllib3", "keptalive", "openssl", "ca_certificates")
_IN_ROWS = ("strategies", "scenarios")


def differences(baseline: Run, candidate: Run) -> tuple[Difference, ...]:
    """Keys of the plans, versions and settings that are not the same on both sides."""
    keys = dict.fromkeys([*baseline.plan, *candidate.plan])
    sides = [
        (f"plan's {key}", baseline.plan.get(key), candidate.plan.get(key))
        for key in keys
        if key not in (*_IN_ROWS, "gate")
    ]
    gates = [_limits_in_words(run.plan.get("gate")) for run in (baseline, candidate)]
    sides.append(("plan's gate", gates[0], gates[1]))
    sides += versions(baseline.environment, candidate.environment)
    sides += [
        (
            f"{baseline.strategies[name].label}'s settings",
            baseline.strategies[name].settings,
            candidate.strategies[name].settings,
        )
        for name in baseline.strategies
        if name in candidate.strategies
    ]
    return tuple(
        Difference(name=name, baseline=_in_words(before), candidate=_in_words(after))
        for name, before, after in sides
        if plain(before) != plain(after)
    )


def versions(
    baseline: Mapping[str, object], candidate: Mapping[str, object]
) -> list[tuple[str, object, object]]:
    """The name of each version that counts, and its value in both environments."""
    return [(name.replace("_", " "), baseline.get(name), candidate.get(name)) for name in _VERSIONS]


def _limits_in_words(gate: object) -> str | None:
    """The limits of a plan as text, null being no limit."""
    listed = plain(gate)
    tables = listed if isinstance(listed, list) else [listed]
    limits = [
        ", ".join(f"{key} = {value}" for key, value in table.items() if value is not None)
        for table in tables
        if isinstance(table, Mapping)
    ]
    return "; ".join(limits) or None


def _in_words(value: object) -> str:
    if value is None:
        return "none"
    listed = plain(value)
    return " ".join(map(str, listed)) if isinstance(listed, list) else str(value)


def causes_of_more(baseline: Run, candidate: Run) -> dict[Key, tuple[str, ...]]:
    """By scenario and strategy: the causes that opened more connections in the candidate's trace.

    The one that grew most comes first.
    """
    traces = {(trace.scenario, trace.strategy): trace for trace in baseline.traces}
    found = {}
    for trace in candidate.traces:
        key = trace.scenario, trace.strategy
        if key in traces:
            more = _causes_in(trace)
            more.subtract(_causes_in(traces[key]))
            found[key] = tuple(
                _placed(cause, trace) for cause, count in more.most_common() if count > 0
            )
    return found


def _placed(name: str, trace: Trace) -> str:
    """A cause and where in the code it is; of our own strategies nowhere."""
    causes = [cause for host in trace.report.hosts for cause in host.causes if cause.cause == name]
    places = tuple(dict.fromkeys(place for cause in causes for place in places_of(cause)))
    return f"{name} at {listed(places)}" if places else name


def _causes_in(trace: Trace) -> Counter[str]:
    counts: Counter[str] = Counter()
    for host in trace.report.hosts:
        counts.update({cause.cause: cause.count for cause in host.causes})
    return counts


def warnings(
    baseline: tuple[Source, Run], candidate: tuple[Source, Run], *, absolute: bool
) -> tuple[str, ...]:
    """What limits the truth of a comparison of these two sides, each with what to do about it."""
    found = []
    if absolute and baseline[0].machine != candidate[0].machine:
        found.append(
            f"The machines differ ({baseline[0].machine}; {candidate[0].machine}): seconds say "
            "little. Without --absolute, times are relative to each side's own requests.get."
        )
    for name, (_, run) in (("baseline", baseline), ("candidate", candidate)):
        if not run.complete:
            found.append(f"The {name} did not come to its own end ({run.ended}): fewer rounds.")
    return tuple(found)
