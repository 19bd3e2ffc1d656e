"""Whether a host is at the end of a true link on which this process is: then it is our own machine.

Elsewhere the same addresses are those of nobody, or what `--anonymize` has put for a real one.
"""

from __future__ import annotations

import socket

from keptalive.link import DEVICE, NETWORK


def is_own(host: str) -> bool:
    """Whether this name or address of a host, without a port, is on our true link."""
    if not host.startswith(NETWORK):
        return False
    try:
        socket.if_nametoindex(DEVICE)
    except OSError:
        return False
    return True
