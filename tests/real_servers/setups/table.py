"""All set-ups. A new one is a row in the module of its server."""

from __future__ import annotations

from . import apache, haproxy, lighttpd, nginx, node, python
from .setup import Setup

SETUPS: tuple[Setup, ...] = (
    *nginx.SETUPS,
    *haproxy.SETUPS,
    *apache.SETUPS,
    *lighttpd.SETUPS,
    *node.SETUPS,
    *python.SETUPS,
)
