"""What is worth a warning though it opens no connection: secrets on the way, hidden failures.

Names of headers and hosts only; no value of a header comes by here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from keptalive.evidence import Traffic

# Headers whose value lets somebody else in. requests takes only the first from a request that a
# redirect leads to another host (requests.Session.rebuild_auth)
SECRETS = ("Authorization", "Cookie", "Private-Token", "X-Api-Key", "X-Auth-Token")
_LOOPBACK = ("//127.", "//localhost:", "//[::1]:")


def secrets_in(headers: Mapping[str, object]) -> list[str]:
    """Which of these headers are secrets."""
    names = {str(name).lower() for name in headers}
    return [name for name in SECRETS if name.lower() in names]


def is_elsewhere(host: str) -> bool:
    """Whether this ``scheme://host:port`` is on another machine, as far as its name tells."""
    return not any(mark in host for mark in _LOOPBACK)


def is_exposed(host: str) -> bool:
    """Whether what is sent there can be read on the way."""
    return host.startswith("http:") and is_elsewhere(host)


def sentences(host: str, traffic: Traffic) -> Iterable[str]:
    """The warnings that a host's traffic calls for."""
    if traffic.exposed:
        yield f"Credentials were sent over plain http to {host}.{_times(traffic.exposed)}"
    for (header, origin), count in traffic.sent_on.items():
        yield f"A redirect from {origin} took {header} along to {host}.{_times(count)}"
    if traffic.unverified:
        yield (
            f"{host} was not verified (verify=False): whoever is in between reads it all."
            f"{_times(traffic.unverified)}"
        )
    if traffic.retried:
        yield (
            f"Retries hid {_many(traffic.retried, 'failure')} at {host}: "
            f"{_many(traffic.requests, 'request')}, {traffic.attempts} on the wire."
        )
    for address, (count, seconds, error) in traffic.in_vain.items():
        yield (
            f"{host} is tried at {address} in vain ({error}) before another address answers: "
            f"{seconds:.1f} s lost.{_times(count)}"
        )


def _times(count: int) -> str:
    return f" ({count} times)" if count > 1 else ""


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
