"""Do the witnesses agree? The pool log, the client's sockets and the server count alike, or not.

A connection attempt that no response followed leaves the log in doubt: the name may not have
resolved, the port may have refused, TLS may have failed on a connection that was up. So the log
testifies to a range, and the sockets must lie in it; sockets and server must be equal.
"""

from __future__ import annotations

from dataclasses import replace

from keptalive.records.run import Counts, Witnesses


def settled(counts: Counts, witnesses: Witnesses) -> Counts:
    """The counts with ``opened`` settled: by the sockets, where the log is in doubt."""
    return replace(counts, opened=witnesses.sockets) if counts.unanswered else counts


def disagreement(counts: Counts, witnesses: Witnesses) -> str | None:
    """What they disagree about, in words; None if they agree."""
    least, most = counts.opened, counts.opened + counts.unanswered
    log = f"{least}" if least == most else f"{least} to {most}"
    said = f"pool log {log}, sockets {witnesses.sockets}"
    if witnesses.server is not None:
        said += f", server {witnesses.server}"
    agree = least <= witnesses.sockets <= most and witnesses.server in (None, witnesses.sockets)
    return None if agree else said
