"""Openings and numbers in, a report out: the shape that `watch`, `run` and `explain` share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from keptalive.causes.catalogue import ROWS
from keptalive.causes.judge import judged
from keptalive.records.evidence import Cause, Opening, Traffic

SCHEMA = 1
OWED = ("first-use", "concurrency")  # what ideal reuse would have opened too
# What the program itself can mend, so that no such connection remains
PROGRAMS = (
    *("new-session", "session-closed", "pool-evicted", "tls-settings-differ", "proxy-differs"),
    *("pool-too-small", "unread-body", "abandoned-body", "close-requested"),
)
COUNTED = (
    *("requests", "attempts", "opened", "opened_unanswered", "reopened", "reused"),
    "seconds_opening",
)


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
    seconds: float,
    hosts: Sequence[Mapping[str, Any]],
    causes: Mapping[str, Sequence[Cause]],
    left_open: int,
    left_at: Sequence[str],
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
        "seconds": seconds,
        "hosts": rows,
        "left_open": left_open,
        "left_at": list(left_at),
        "warnings": list(warnings),
    }


def merged(reports: Sequence[Mapping[str, Any]], *, source: str) -> dict[str, Any]:
    """The reports of several processes as one: what they did adds up, sentences stand once.

    How long it took is how long the longest took.
    """
    hosts: dict[str, dict[str, Any]] = {}
    for report_ in reports:
        for host in report_["hosts"]:
            _add_host(hosts.setdefault(host["host"], {"host": host["host"], "causes": []}), host)
    for host in hosts.values():
        host["causes"].sort(key=lambda cause: (-cause["seconds"], cause["cause"]))
    return {
        "schema": SCHEMA,
        "source": source,
        "seconds": max((report_["seconds"] for report_ in reports), default=0.0),
        "hosts": sorted(hosts.values(), key=lambda row: (-row["seconds_opening"], row["host"])),
        "left_open": sum(report_["left_open"] for report_ in reports),
        "left_at": _each_once(reports, "left_at"),
        "warnings": _each_once(reports, "warnings"),
    }


def _each_once(reports: Sequence[Mapping[str, Any]], key: str) -> list[str]:
    return list(dict.fromkeys(line for report_ in reports for line in report_.get(key, ())))


def _add_host(total: dict[str, Any], host: Mapping[str, Any]) -> None:
    for name in COUNTED:
        total[name] = total.get(name, 0) + host[name]
    for name in ("phases", "errors"):
        sums = total.setdefault(name, {})
        for key, value in host[name].items():
            sums[key] = sums.get(key, 0) + value
    # processes may have asked at once or one after the other: at least so many
    total["at_once"] = max(total.get("at_once", 0), host["at_once"])
    for cause in host["causes"]:
        same = next((c for c in total["causes"] if c["cause"] == cause["cause"]), None)
        if same is None:
            total["causes"].append(dict(cause))
            continue
        for name in ("count", "seconds"):
            same[name] += cause[name]
        if cause["evidence"] not in same["evidence"]:
            same["evidence"] = f"{same['evidence']} {cause['evidence']}".strip()
