"""Failures that the program did not notice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from keptalive.causes.catalogue import CATALOGUE
from keptalive.causes.facts import Opening
from keptalive.causes.patterns import Pattern
from keptalive.causes.sentences import seconds
from keptalive.quantities import many, times
from keptalive.records.connection import Connection
from keptalive.records.counts import HostCounts
from keptalive.records.report import FAILURES, Finding, HostReport

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
    """Failures that retries hid, but for those that a cause tells of."""
    explained = [cause.facts for cause in host.causes if cause.cause in FAILURES]
    told = sum(facts.get("sent_again", 0) for facts in explained)
    number = counts.retried - told
    if number <= 0:
        return
    were = "was" if number == 1 else "were"
    more = "more " if told else ""
    errors = {} if told else dict(counts.errors)
    waited_s = counts.seconds_backing_off
    waited = f"; {seconds(waited_s)} of waiting before them" if waited_s >= SHORTEST_LOSS_S else ""
    lost_s = (counts.seconds_lost or 0.0) - sum(f.get("seconds_lost", 0.0) for f in explained)
    yield Finding(
        finding="silent-retries",
        host=host.host,
        facts={
            "retried": number,
            **({"errors": errors} if errors else {}),
            **({"statuses": dict(counts.retried_statuses)} if counts.retried_statuses else {}),
            **({"seconds_backing_off": round(waited_s, 3)} if waited_s else {}),
        },
        evidence=f"{many(number, f'{more}failure')} at {host.host} {were} retried silently: "
        f"{many(counts.requests or 0, 'request')}, {counts.attempts} sent in total{waited}.",
        cure=f"Find out why they fail{_named(errors, counts.retried_statuses)}.",
        seconds=max(0.0, lost_s, waited_s),
    )


def _named(errors: Mapping[str, int], statuses: Mapping[str, int]) -> str:
    names = [*(f"status {status}" for status in statuses), *errors]
    return f" ({', '.join(names)})" if names else ""


def at_the_end(
    host: HostReport, connections: Sequence[Connection], pattern: Pattern
) -> Iterator[Finding]:
    """Requests that failed on connections which no other one has replaced since: no causes."""
    replaced = {one.replaces for one in connections}
    for name, ids in (("stale-connection", pattern.stale), ("silent-drop", pattern.dropped)):
        last = [Opening(one, one) for one in connections if one.id in ids - replaced]
        if not last:
            continue
        row = CATALOGUE[name]
        facts = row.facts(last, pattern)
        is_more = any(cause.cause == name for cause in host.causes)
        evidence = row.evidence(
            {key: facts[key] for key in facts if not key.startswith("requests_")}
        )
        yield Finding(
            finding=name,
            host=host.host,
            facts=facts,
            evidence=f"{_failed(len(last), more=is_more)} and nothing followed. {evidence}",
            cure="" if is_more else row.cure(facts),
            seconds=facts.get("seconds_lost", 0.0),
        )


def _failed(number: int, *, more: bool) -> str:
    noun = "more request" if more else "request"
    return f"{many(number, noun)} failed on {'a kept connection' if number == 1 else 'kept ones'},"
