"""What is a secret, and who can read it on the way. No value of a header is kept or shown here."""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import Mapping

# Headers whose value lets somebody else in. requests takes only the first from a request that a
# redirect leads to another host (requests.Session.rebuild_auth)
SECRETS = ("Authorization", "Cookie", "Private-Token", "X-Api-Key", "X-Auth-Token")


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


def is_loopback(host: str) -> bool:
    """Whether a host's name or address, an IPv6 one in brackets or not, is this machine's own.

    Names are not looked up: ``localhost`` and what ends in ``.localhost`` are (RFC 6761).
    """
    name = host.strip("[]").partition("%")[0].rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None) or address
    # To connect to the unspecified address is to connect to this machine
    return mapped.is_loopback or mapped.is_unspecified


def is_elsewhere(host: str) -> bool:
    """Whether this ``scheme://host:port`` is on another machine, as far as its name tells."""
    scheme, found, rest = host.partition("://")
    if not found:
        return not scheme.startswith("unix:")
    name, _, port = rest.rpartition(":")
    return not is_loopback(name if name and not port.endswith("]") else rest)


def is_exposed(host: str) -> bool:
    """Whether what is sent there can be read on the way."""
    return host.startswith("http:") and is_elsewhere(host)
