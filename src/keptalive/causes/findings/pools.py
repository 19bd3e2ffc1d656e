"""Pools that are too small for what the program does, though that opens no connection."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from keptalive.causes.cures import cure
from keptalive.causes.pool_sentences import pool_cure
from keptalive.causes.sentences import seconds
from keptalive.quantities import many
from keptalive.records.counts import HostCounts
from keptalive.records.report import Finding, HostReport

SHORTEST_WAIT_S = 0.1  # in all; waiting less for a connection is not worth a word


def waiting(host: HostReport, counts: HostCounts) -> Iterator[Finding]:
    """Waiting for a connection of a pool that blocks."""
    waited_s = counts.seconds_waiting_for_pool or 0.0
    if waited_s < SHORTEST_WAIT_S:
        return
    size, needed = counts.blocking_pool_size, counts.pool_size_needed
    of = f" of {size}" if size else ""
    longest = f", the longest {seconds(counts.longest_wait_s)}" if counts.waits > 1 else ""
    refused = sum(n for name, n in counts.errors.items() if name in _REFUSALS)
    none = f" {many(refused, 'request')} got none." if refused else ""
    number = str(needed) if needed else "N"
    yield Finding(
        finding="waiting-for-pool",
        host=host.host,
        facts={
            "seconds_waiting_for_pool": round(waited_s, 3),
            "waits": counts.waits,
            "longest_wait_s": round(counts.longest_wait_s, 3),
            "pool_size": size,
            "needed": needed or None,
            "refused": refused,
        },
        evidence=f"{many(counts.waits, 'request')} waited {seconds(waited_s)} in all{longest}, for "
        f"a free connection{of} to {host.host}: the pool blocks.{none}",
        cure=f"With room for {number} none would have waited: {_room_for(number, host)} Keep the "
        "limit if it is there to protect the server.",
        seconds=waited_s,
    )


def _room_for(number: str, host: HostReport) -> str:
    """How a pool that blocks is made larger."""
    threads = "" if number != "N" else ", N the number of threads"
    default = f"HTTPAdapter(pool_maxsize={number}, pool_block=True){threads}."
    return cure(
        "waiting-for-pool",
        _needed(number, host),
        f"tuned_session(threads={number}), or {default}",
    )


def _needed(number: int | str, host: HostReport) -> dict[str, Any]:
    """The size that a pool needs, and through which library it is made larger."""
    explained = [cause.facts for cause in host.causes if cause.facts]
    libraries: Counter[str] = Counter()
    for facts in explained:
        libraries.update(facts.get("through", {}))
    named: dict[str, Any] = {"needed": number, "through": dict(libraries.most_common())}
    if explained and all("without_requests" in facts for facts in explained):
        named["without_requests"] = True
    return named


# urllib3's, and the tuned Session's
_REFUSALS = ("EmptyPoolError", "NoFreeConnectionError")


def full_pool(host: HostReport, counts: HostCounts) -> Iterator[Finding]:
    """What a full pool discarded, where nothing had to be opened in its place."""
    discarded = counts.discarded or 0
    if not discarded or any(cause.cause == "pool-too-small" for cause in host.causes):
        return
    at_once, size = counts.most_at_once, counts.pool_size
    facts = {"discarded": discarded, "pool_size": size, "most_at_once": at_once}
    needed = max(at_once or 0, (size or 0) + 1)
    kept = f"; the pool keeps {size}" if size else ""
    ran = f" Up to {many(at_once, 'request')} at once{kept}." if at_once else ""
    yield Finding(
        finding="full-pool",
        host=host.host,
        facts=facts,
        evidence=f'urllib3 said "Connection pool is full" {_times(discarded)}, and discarded '
        f"{many(discarded, 'connection')} to {host.host}; no later request needed one.{ran}",
        cure=cure("pool-too-small", _needed(needed, host), pool_cure({"needed": needed})),
    )


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
