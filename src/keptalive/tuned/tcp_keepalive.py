"""Socket options for TCP keepalive, which sends probes on a connection that is silent."""

from __future__ import annotations

import socket

# Seconds of silence before the first probe, seconds between probes, and probes without a reply
# before the connection is given up. NATs and load balancers forget a silent connection after 4 to 6
# minutes (RFC 5382 allows 2 h), so the first probe must come earlier.
PROBES = {"TCP_KEEPIDLE": 45, "TCP_KEEPALIVE": 45, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 4}
SOCKET_OPTIONS = [
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    # Each system has some of these names; macOS calls the first one TCP_KEEPALIVE
    *(
        (socket.IPPROTO_TCP, getattr(socket, name), value)
        for name, value in PROBES.items()
        if hasattr(socket, name)
    ),
]
