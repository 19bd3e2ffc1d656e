"""Failures that the program did not notice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from keptalive.causes.findings.words import times
from keptalive.causes.sentences import many, seconds
from keptalive.records.counts import HostCounts
from keptalive.records.report import Finding, HostReport

SHORTEST_LOSS_S = 0.05  # an address that refuses at once costs nothing


def addresses(host: HostReport, counts: HostCounts) -> Iterator[Finding]:
    """Addresses that failed before another one answered."""
    for address, one in counts.failed_addresses.items():
        if not one.count or one.seconds / one.count < SHORTEST_LOSS_S:
            continue
        yield Finding(
            finding="failed-address",
            host=host.host,
            facts={"address": address, "error": one.error, "attempts": one.count},
            evidence=f"{host.host} was tried at {address} first, which failed ({one.error})"
            f"{times(one.count)}: {seconds(one.seconds)} lost.",
            cure=f"Remove {address} from what the name resolves to, or use in the URL a name or "
            "address that answers.",
            seconds=one.seconds,
        )


def retries(host: HostReport, counts: HostCounts) -> Iterator[Finding]:
    """Failures that retries hid."""
    if counts.retried:
        were = "was" if counts.retried == 1 else "were"
        yield Finding(
            finding="silent-retries",
            host=host.host,
            facts={"retried": counts.retried, "errors": dict(counts.errors)},
            evidence=f"{many(counts.retried, 'failure')} at {host.host} {were} retried silently: "
            f"{many(counts.requests or 0, 'request')}, {counts.attempts} sent in total.",
            cure=f"Find out why they fail{_named(counts.errors)}.",
            seconds=counts.seconds_lost,
        )


def _named(errors: Iterable[str]) -> str:
    names = ", ".join(errors)
    return f" ({names})" if names else ""
