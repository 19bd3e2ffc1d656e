"""What the program runs with: settings of the environment that replace its own, and HTTP/2."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from keptalive.causes.sentences import lines
from keptalive.quantities import host_name, listed, many
from keptalive.records.process import Circumstance
from keptalive.records.report import Finding, HostReport

BUNDLE, HTTP2 = "bundle-from-environment", "http2"
# As exceptions of urllib3 and ssl are named
_TLS_ERRORS = ("SSLError", "SSLCertVerificationError", "CertificateError")


def bundle(hosts: Sequence[HostReport], noted: Sequence[Circumstance]) -> Iterator[Finding]:
    """``REQUESTS_CA_BUNDLE`` or ``CURL_CA_BUNDLE`` replaced ``session.verify``.

    requests merges them in this order: ``Session.merge_environment_settings``.
    """
    mine = [one for one in noted if one.kind == BUNDLE]
    for host, setting, verify in dict.fromkeys((one.host, one.detail, one.other) for one in mine):
        if setting is None:
            continue
        places: dict[str, int] = {}
        for one in mine:
            if (one.host, one.detail, one.other) == (host, setting, verify) and one.where:
                places[one.where] = places.get(one.where, 0) + one.count
        variable, _, file = setting.partition("=")
        errors = {
            name: count
            for route in hosts
            if route.host == host
            for name, count in route.errors.items()
            if name in _TLS_ERRORS
        }
        yield Finding(
            finding=BUNDLE,
            host=host,
            facts={
                "variable": variable,
                "bundle": file,
                "verify": verify,
                "requests_at": places,
                "errors": errors,
            },
            evidence=f"{variable} ({file}) replaced session.verify ({verify})"
            f"{f' at {lines(places)}' if places else ''}{_failed(errors)}.",
            cure=f"Pass verify= in each call, set session.trust_env = False, or unset {variable} "
            "for this program.",
        )


def http2(hosts: Sequence[HostReport], noted: Sequence[Circumstance]) -> Iterator[Finding]:  # noqa: ARG001
    """Connections of urllib3's own HTTP/2 were opened."""
    counts: dict[str, int] = {}
    for one in noted:
        if one.kind == HTTP2 and one.host is not None:
            counts[one.host] = counts.get(one.host, 0) + one.count
    if counts:
        yield http2_finding(counts)


def http2_finding(connections: Mapping[str, int]) -> Finding:
    """urllib3's own HTTP/2 is in use, where reuse is something else.

    ``HTTP2Connection`` of urllib3 2.x reads each response whole before it sends another request, so
    one connection carries one request at a time, as in HTTP/1.1.

    Args:
        connections: how many were opened, by host; of a log, nothing.
    """
    number = sum(connections.values())
    names = listed([host_name(host) for host in connections])
    where = f" for {names} ({many(number, 'connection')})" if connections else ""
    return Finding(
        finding=HTTP2,
        host=None,
        facts={"connections": number, "hosts": dict(connections)} if connections else {},
        evidence=f"urllib3's HTTP/2 is in use{where}. HTTP/2 can carry several requests at once "
        "on one connection; urllib3 sends one at a time, so all is counted as in HTTP/1.1: "
        "requests at once need a connection each.",
        seconds=0.0,
    )


def _failed(errors: dict[str, int]) -> str:
    if not errors:
        return ""
    names = ", ".join(errors)
    return f"; {many(sum(errors.values()), 'request')} failed ({names})"
