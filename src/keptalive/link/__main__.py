"""The link's process, which `process.TrueLink` starts."""

from __future__ import annotations

import signal

# The parent handles signals: when it ends, our input ends.
for name in ("SIGINT", "SIGTERM", "SIGHUP"):
    if hasattr(signal, name):
        signal.signal(getattr(signal, name), signal.SIG_IGN)

from keptalive.link.forwarder import main  # noqa: E402 (see above)

main()
