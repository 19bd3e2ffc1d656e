"""A port for a server that only takes the number of one."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def reserved_port() -> Iterator[int]:
    """A free port of 127.0.0.1, for a server that allows its reuse (SO_REUSEADDR), as most do.

    On Linux it stays free for the length of a `with` block: a port that is bound is given to nobody
    who asks for any port, and one who names it gets it as long as nobody listens there. Elsewhere
    that one would be refused too: there it is only free now.
    """
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        port = int(held.getsockname()[1])
        if sys.platform != "linux":
            held.close()
        yield port
