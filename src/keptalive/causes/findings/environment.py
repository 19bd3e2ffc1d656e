"""Settings of the environment that replace those of the program."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from keptalive.causes.sentences import lines
from keptalive.quantities import many
from keptalive.records.process import Circumstance
from keptalive.records.report import Finding, HostReport

BUNDLE = "bundle-from-environment"
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


def _failed(errors: dict[str, int]) -> str:
    if not errors:
        return ""
    names = ", ".join(errors)
    return f"; {many(sum(errors.values()), 'request')} failed ({names})"
