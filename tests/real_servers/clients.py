"""What clients of the tests do: wait until the server has closed the connection that they keep."""

from __future__ import annotations

import select
import socket

import requests

PATIENCE_S = 10.0


def kept_connection(session: requests.Session, url: str):
    """The one connection in the session's pool."""
    manager = session.get_adapter(url).poolmanager
    (pool,) = (manager.pools[key] for key in manager.pools.keys())  # noqa: SIM118 - no mapping's iter
    (connection,) = (kept for kept in pool.pool.queue if kept is not None)
    return connection


def wait_for_the_end(session: requests.Session, url: str) -> None:
    """Return once the one pooled connection has something to read, which can only be its end."""
    wait_for(kept_connection(session, url).sock)


def wait_for(sock: socket.socket) -> None:
    """Return once something can be read."""
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    assert poll.poll(PATIENCE_S * 1000) != [], "the server did not close"
