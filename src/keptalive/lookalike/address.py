"""Where a server listens, and where clients find it."""

from __future__ import annotations

from typing import NamedTuple


class Address(NamedTuple):
    """An IPv4 address on both sides: the same, but on a true link."""

    listen: str = "127.0.0.1"
    named: str = "127.0.0.1"


LOOPBACK = Address()
