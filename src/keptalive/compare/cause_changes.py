"""Which causes of connections came, went, or have another number, and where in the code. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from keptalive.compare.counted import Counted
from keptalive.compare.forbidden import counted_places_of
from keptalive.records.report import UNAVOIDABLE, Cause


@dataclass(frozen=True, slots=True, kw_only=True)
class CauseChange:
    """One cause on both sides.

    Attributes:
        cause: as it stands in the reports; ``members`` of a set that a log leaves open, else None.
        baseline, candidate: connections with it, as the mean of the reports of a side.
        places: where in the program they come from, and how often, the most frequent first; the
            candidate's, or, if the cause went, the baseline's; empty if unknown.
    """

    cause: str
    members: tuple[str, ...] | None = None
    baseline: float
    candidate: float
    places: Mapping[str, int]

    @property
    def change(self) -> float:
        """How many more connections of the candidate have it."""
        return self.candidate - self.baseline


def cause_changes(before: Sequence[Counted], after: Sequence[Counted]) -> tuple[CauseChange, ...]:
    """Every cause of either side: those that grew most come first, necessary ones last."""
    sides = [_by_name(side) for side in (before, after)]
    found = []
    for name in dict.fromkeys([*sides[1], *sides[0]]):
        old, new = (side.get(name, ()) for side in sides)
        found.append(
            CauseChange(
                cause=name,
                members=next((one.members for one in (*new, *old)), None),
                baseline=sum(one.count for one in old) / len(before),
                candidate=sum(one.count for one in new) / len(after),
                places=_places(new or old),
            )
        )
    order = sorted(found, key=lambda one: (one.cause in UNAVOIDABLE, -one.change, one.cause))
    return tuple(one for one in order if one.baseline or one.candidate)


def _by_name(side: Iterable[Counted]) -> dict[str, list[Cause]]:
    causes: dict[str, list[Cause]] = {}
    for one in side:
        for cause in one.causes:
            causes.setdefault(cause.cause, []).append(cause)
    return causes


def _places(causes: Sequence[Cause]) -> dict[str, int]:
    """Of the report that has the most of them: several reports are of one program."""
    return max(map(counted_places_of, causes), key=lambda places: sum(places.values()))
