"""What the test programs do on the wire: connects of http.client, to where nobody listens."""

import contextlib
import http.client


def connect(times=1):
    for _ in range(times):
        with contextlib.suppress(OSError):
            http.client.HTTPConnection("127.0.0.1", 9, timeout=5).connect()
