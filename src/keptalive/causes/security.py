"""What is worth a warning though it opens no connection: secrets on the way, hidden failures.

Names of headers and hosts only; no value of a header comes by here.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping

from keptalive.records.evidence import Traffic

# Headers whose value lets somebody else in. requests takes only the first from a request that a
# redirect leads to another host (requests.Session.rebuild_auth)
SECRETS = ("Authorization", "Cookie", "Private-Token", "X-Api-Key", "X-Auth-Token")
SHORTEST_LOSS_S = 0.05  # an address that refuses at once costs nothing
_LOOPBACK = ("//127.", "//localhost:", "//[::1]:")


def secrets_in(
    headers: Mapping[str, object], *, like: Mapping[str, object] | None = None
) -> list[str]:
    """Which of these headers are secrets; with ``like``, which of them are the same there."""
    values = {str(name).lower(): value for name, value in headers.items()}
    found = [name for name in SECRETS if name.lower() in values]
    if like is None:
        return found
    others = {str(name).lower(): value for name, value in like.items()}
    return [name for name in found if others.get(name.lower()) == values[name.lower()]]


def credentials_in(headers: Mapping[str, object]) -> list[str]:
    """What these headers prove somebody's identity with, to be hidden wherever it turns up."""
    found = []
    for name in secrets_in(headers):
        value = next(v for k, v in headers.items() if k.lower() == name.lower())
        text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
        scheme, _, credential = text.partition(" ") if name == "Authorization" else ("", "", text)
        found.append(credential or scheme)
        if scheme.lower() == "basic":
            found.append(_password_of(credential))
    return found


def _password_of(credential: str) -> str:
    try:
        return base64.b64decode(credential).decode("latin-1").partition(":")[2]
    except ValueError:
        return ""


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
        if seconds / count < SHORTEST_LOSS_S:
            continue
        yield (
            f"{host} is tried at {address} in vain ({error}) before another address answers: "
            f"{seconds:.1f} s lost.{_times(count)}"
        )


def _times(count: int) -> str:
    return f" ({count} times)" if count > 1 else ""


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
