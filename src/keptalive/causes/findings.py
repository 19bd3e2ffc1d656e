"""What is worth to be changed though it opens no connection: secrets on the way, hidden failures.

Names of headers and hosts only; no value of a header comes by here. A new finding is a new function
in the list at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from keptalive.causes.catalogue import CATALOGUE
from keptalive.causes.sentences import many, seconds
from keptalive.records.counts import HostCounts
from keptalive.records.report import UNAVOIDABLE, Finding, HostReport

SHORTEST_LOSS_S = 0.05  # an address that refuses at once costs nothing
SHORTEST_WAIT_S = 0.1  # in all; waiting less for a connection is not worth a word


def findings_of(host: HostReport, counts: HostCounts) -> tuple[Finding, ...]:
    """The findings of one route, from its report and from its counts over all processes."""
    return tuple(finding for rule in FINDINGS for finding in rule(host, counts))


def _credentials(host: HostReport, counts: HostCounts) -> Iterator[Finding]:
    if counts.cleartext_credentials:
        to = ", ".join(host.origins) or host.host
        yield Finding(
            finding="cleartext-credentials",
            host=host.host,
            facts={"requests": counts.cleartext_credentials},
            evidence=f"Credentials were sent over plain http to {to}"
            f"{_times(counts.cleartext_credentials)}: they can be read on the way.",
            cure="Use https.",
        )


def _unverified(host: HostReport, counts: HostCounts) -> Iterator[Finding]:
    if counts.unverified:
        yield Finding(
            finding="unverified-tls",
            host=host.host,
            facts={"connections": counts.unverified},
            evidence=f"The certificate of {host.host} was not verified (verify=False)"
            f"{_times(counts.unverified)}: anyone in between can read and change everything.",
            cure="Leave verify at True, or set it to the file of the CA that signed it.",
        )


def _leaked(host: HostReport, counts: HostCounts) -> Iterator[Finding]:
    for name, count in counts.leaked_headers.items():
        origin, _, header = name.rpartition(" ")
        yield Finding(
            finding="leaked-headers",
            host=host.host,
            facts={"header": header, "from": origin, "requests": count},
            evidence=f"A redirect from {origin} took {header} along to {host.host}{_times(count)}.",
            cure="Request the final address, or use allow_redirects=False: to another host, "
            "requests removes no header but Authorization.",
        )


def _addresses(host: HostReport, counts: HostCounts) -> Iterator[Finding]:
    for address, one in counts.failed_addresses.items():
        if not one.count or one.seconds / one.count < SHORTEST_LOSS_S:
            continue
        yield Finding(
            finding="failed-address",
            host=host.host,
            facts={"address": address, "error": one.error, "attempts": one.count},
            evidence=f"{host.host} was tried at {address} first, which failed ({one.error})"
            f"{_times(one.count)}: {seconds(one.seconds)} lost.",
            cure=f"Remove {address} from what the name resolves to, or use in the URL a name or "
            "address that answers.",
            seconds=one.seconds,
        )


def _retries(host: HostReport, counts: HostCounts) -> Iterator[Finding]:
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


def _ca_bundle(host: HostReport, counts: HostCounts) -> Iterator[Finding]:
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


def _waiting(host: HostReport, counts: HostCounts) -> Iterator[Finding]:
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


def _times(count: int) -> str:
    return f" ({count} times)" if count > 1 else ""


FINDINGS: tuple[Callable[[HostReport, HostCounts], Iterator[Finding]], ...] = (
    _credentials,
    _unverified,
    _leaked,
    _addresses,
    _retries,
    _ca_bundle,
    _waiting,
)
