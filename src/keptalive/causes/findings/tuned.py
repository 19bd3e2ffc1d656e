"""`keptalive run --tuned`: which adapters of requests were tuned, and which were left alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from keptalive.quantities import listed, many
from keptalive.records.process import Circumstance
from keptalive.records.report import Finding, HostReport

TUNED = "tuned-run"
_OTHER_CLASS = "a class of its own"


def tuned(hosts: Sequence[HostReport], noted: Sequence[Circumstance]) -> Iterator[Finding]:
    """That the program ran with tuned adapters; nothing of one that ran as it is."""
    mine = [one for one in noted if one.kind == TUNED]
    if not mine or not hosts:
        return
    count = sum(one.count for one in mine if one.detail is None)
    left: dict[str, list[str]] = {}
    for one in mine:
        reason = one.other or _OTHER_CLASS
        if one.detail and reason not in left.get(one.detail, ()):
            left.setdefault(one.detail, []).append(reason)
    yield Finding(
        finding=TUNED,
        host=None,
        facts={"adapters": count, "left_alone": left},
        evidence=f"It ran with tuned Sessions, {_replaced(count)}.{_left(left)}",
        seconds=0.0,
    )


def _replaced(count: int) -> str:
    if not count:
        return "but no plain HTTPAdapter sent a request: nothing was changed"
    were = "was" if count == 1 else "were"
    return f"not as it is: {many(count, 'HTTPAdapter')} of requests {were} tuned"


def _left(left: Mapping[str, Sequence[str]]) -> str:
    if not left:
        return ""
    named = [f"{name} ({listed(why)})" for name, why in left.items()]
    return f" Left alone: {listed(named)}."
