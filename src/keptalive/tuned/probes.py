"""TCP keepalive: what asks the other side of a silent connection for a sign of life."""

from __future__ import annotations

import socket

# Of silence before the first probe, between two, and unanswered ones before giving up: less than
# the 4 to 6 minutes after which NATs and load balancers forget a connection (RFC 5382 allows 2 h)
PROBES = {"TCP_KEEPIDLE": 45, "TCP_KEEPALIVE": 45, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 4}
KEEPALIVE = [
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    # Each system has its own of these names; macOS calls the first TCP_KEEPALIVE
    *(
        (socket.IPPROTO_TCP, getattr(socket, name), value)
        for name, value in PROBES.items()
        if hasattr(socket, name)
    ),
]
