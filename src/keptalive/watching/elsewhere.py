"""Which hosts are on other machines, seen from this process: as by name, and on a true link."""

from __future__ import annotations

from urllib.parse import urlsplit

from keptalive.causes import security
from keptalive.link.own import is_own


def is_elsewhere(host: str) -> bool:
    """Whether this ``scheme://host:port`` is on another machine."""
    return security.is_elsewhere(host) and not _is_own(host)


def is_exposed(host: str) -> bool:
    """Whether what is sent there can be read on the way."""
    return security.is_exposed(host) and not _is_own(host)


def _is_own(host: str) -> bool:
    try:
        return is_own(urlsplit(host).hostname or "")
    except ValueError:  # whatever a program may call a host
        return False
