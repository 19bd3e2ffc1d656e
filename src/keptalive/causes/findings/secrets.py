"""Secrets on the way. Names of headers and hosts only; no value of a header comes by here."""

from __future__ import annotations

from collections.abc import Iterator

from keptalive.quantities import times
from keptalive.records.counts import HostCounts
from keptalive.records.report import Finding, HostReport


def credentials(host: HostReport, counts: HostCounts) -> Iterator[Finding]:
    """Credentials that were sent without TLS."""
    if counts.cleartext_credentials:
        to = ", ".join(host.origins) or host.host
        yield Finding(
            finding="cleartext-credentials",
            host=host.host,
            facts={"requests": counts.cleartext_credentials},
            evidence=f"Credentials were sent over plain http to {to}"
            f"{times(counts.cleartext_credentials)}: they can be read on the way.",
            cure="Use https.",
        )


def unverified(host: HostReport, counts: HostCounts) -> Iterator[Finding]:
    """TLS connections whose other end was not verified."""
    if counts.unverified:
        yield Finding(
            finding="unverified-tls",
            host=host.host,
            facts={"connections": counts.unverified},
            evidence=f"The certificate of {host.host} was not verified (verify=False)"
            f"{times(counts.unverified)}: anyone in between can read and change everything.",
            cure="Leave verify at True, or set it to the file of the CA that signed it.",
        )


def leaked(host: HostReport, counts: HostCounts) -> Iterator[Finding]:
    """Secret headers that a redirect took along to another host."""
    for name, count in counts.leaked_headers.items():
        origin, _, header = name.rpartition(" ")
        yield Finding(
            finding="leaked-headers",
            host=host.host,
            facts={"header": header, "from": origin, "requests": count},
            evidence=f"A redirect from {origin} took {header} along to {host.host}{times(count)}.",
            cure="Request the final address, or use allow_redirects=False: to another host, "
            "requests removes no header but Authorization.",
        )
