"""The server's process, which `process.Lookalike` starts.

It reads JSON lines from standard input and writes JSON lines to standard output. The first line
says what to serve, each further line is a command. It stops when standard input ends.
"""

from __future__ import annotations

import signal

# The parent handles signals: when it ends, our input ends. This comes before the imports, which
# take time.
for name in ("SIGINT", "SIGTERM", "SIGHUP"):
    if hasattr(signal, name):
        signal.signal(getattr(signal, name), signal.SIG_IGN)

from keptalive.lookalike.child import main  # noqa: E402 (see above)

main()
