"""Seconds that went into something else than the requests."""

from __future__ import annotations

from collections.abc import Iterator

from keptalive.causes.catalogue import CATALOGUE
from keptalive.causes.sentences import seconds
from keptalive.records.counts import HostCounts
from keptalive.records.report import UNAVOIDABLE, Finding, HostReport


def ca_bundle(host: HostReport, counts: HostCounts) -> Iterator[Finding]:
    """What helps with connections that remain when the program has changed what it can."""
    spent_s = counts.phases.get("ca_bundle", 0.0)
    remaining = [cause for cause in host.causes if CATALOGUE[cause.cause].mended_by != "program"]
    avoidable = sum(cause.count for cause in remaining if cause.cause not in UNAVOIDABLE)
    if not avoidable or not spent_s > (counts.seconds_opening or 0.0) / 3:
        return
    connections = (host.opened or 0) + (host.opened_unanswered or 0)
    number = sum(cause.count + cause.unanswered for cause in remaining)
    saved_s = spent_s * (number - 1) / max(connections, 1)
    yield Finding(
        finding="ca-bundle",
        host=host.host,
        facts={"seconds_ca_bundle": round(spent_s, 3), "connections": number},
        evidence=f"{seconds(spent_s)} of {seconds(counts.seconds_opening or 0.0)} for opening "
        "connections went into loading the CA bundle, once for each of them.",
        cure="For the remaining connections: tuned_session() loads the CA bundle once.",
        seconds=saved_s,
    )
