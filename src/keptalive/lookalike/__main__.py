"""The child process: JSON lines in on standard input, JSON lines out on standard output.

The first line says what to serve, each further one is a question; the end of the input is the end.
Who starts it is `process.Lookalike`.
"""

from __future__ import annotations

import signal

# Signals are for the parent to handle, whose end is the end of our input: before anything that
# takes time to import.
for name in ("SIGINT", "SIGTERM", "SIGHUP"):
    if hasattr(signal, name):
        signal.signal(getattr(signal, name), signal.SIG_IGN)

from keptalive.lookalike.child import main  # noqa: E402 (see above)

main()
