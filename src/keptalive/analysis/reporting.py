"""Openings and numbers in, a report out: the shape that `watch`, `run` and `explain` share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from keptalive.analysis.causes import judged
from keptalive.analysis.cures import ROWS
from keptalive.evidence import Cause, Opening, Traffic

SCHEMA = 1


def causes_of(
    openings: Sequence[Opening], traffic: Mapping[str, Traffic]
) -> dict[str, list[Cause]]:
    """Each host's causes, the dearest first. Openings that no answer followed count for none."""
    groups: dict[str, dict[str, list[Opening]]] = {}
    for opening, cause in zip(openings, judged(openings, traffic), strict=True):
        if opening.answered:
            groups.setdefault(opening.host, {}).setdefault(cause, []).append(opening)
    return {
        host: sorted(
            (_cause(name, of, traffic.get(host, Traffic())) for name, of in causes.items()),
            key=lambda cause: (-cause.seconds, cause.cause),
        )
        for host, causes in groups.items()
    }


def _cause(name: str, openings: Sequence[Opening], traffic: Traffic) -> Cause:
    row = ROWS[name]
    return Cause(
        cause=name,
        count=len(openings),
        seconds=sum(opening.seconds for opening in openings),
        evidence=row.evidence(openings, traffic),
        cure=row.cure(openings, traffic),
    )


def report(
    *,
    source: str,
    hosts: Sequence[Mapping[str, Any]],
    causes: Mapping[str, Sequence[Cause]],
    left_open: int,
    warnings: Sequence[str],
) -> dict[str, Any]:
    """The report as JSON has it; the hosts with the most seconds of opening first."""
    rows = [
        {**host, "causes": [cause.as_json() for cause in causes.get(host["host"], ())]}
        for host in hosts
    ]
    rows.sort(key=lambda row: (-row["seconds_opening"], row["host"]))
    return {
        "schema": SCHEMA,
        "source": source,
        "hosts": rows,
        "left_open": left_open,
        "warnings": list(warnings),
    }
