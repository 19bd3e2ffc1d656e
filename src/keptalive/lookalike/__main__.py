"""The child process: JSON lines in on standard input, JSON lines out on standard output.

The first line says what to serve, each further one is a question; the end of the input is the end.
Who starts it is `process.Lookalike`.
"""

from __future__ import annotations

import signal

# Ctrl-C is the parent's affair: before anything that takes time to import.
signal.signal(signal.SIGINT, signal.SIG_IGN)

from keptalive.lookalike.child import main  # noqa: E402 (see above)

main()
