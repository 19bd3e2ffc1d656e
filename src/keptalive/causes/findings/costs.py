"""Seconds that went into something else than the requests."""

from __future__ import annotations

from collections.abc import Iterator

from keptalive.causes.sentences import seconds
from keptalive.records.counts import HostCounts
from keptalive.records.report import Finding, HostReport

SHORTEST_WAIT_S = 0.1  # in all; waiting less for a connection is not worth a word


def waiting(host: HostReport, counts: HostCounts) -> Iterator[Finding]:
    """Waiting for a connection of a pool that blocks."""
    waited_s = counts.seconds_waiting_for_pool or 0.0
    if waited_s >= SHORTEST_WAIT_S:
        yield Finding(
            finding="waiting-for-pool",
            host=host.host,
            facts={"seconds_waiting_for_pool": round(waited_s, 3)},
            evidence=f"Threads waited {seconds(waited_s)} in all for a free connection to "
            f"{host.host}: its pool blocks.",
            cure="A larger pool: tuned_session(threads=N), or HTTPAdapter(pool_maxsize=N, "
            "pool_block=True), N the number of threads.",
            seconds=waited_s,
        )
