"""Do the witnesses agree? The pool log, the client's sockets and the server count alike, or not.

The log is sure of the connections on which a response came, and of the attempts to connect; of an
attempt without a response it cannot tell whether it failed before the connection was up. So it
testifies to a range, in which the sockets must lie; sockets and server must be equal. A witness
that a strategy or a target does not have is left out.
"""

from __future__ import annotations

from dataclasses import replace

from keptalive.records.counts import HostCounts
from keptalive.records.run import Witnesses


def settled(counts: HostCounts, witnesses: Witnesses) -> HostCounts:
    """The counts, completed by what the sockets or the server know better than the log.

    Without a log, every connection that was made counts as ``opened``: which of them had a
    response is not known.
    """
    made = witnesses.server if witnesses.sockets is None else witnesses.sockets
    if witnesses.pool_log is None:
        return replace(counts, opened=made, opened_unanswered=None)
    unanswered = None if made is None else made - witnesses.pool_log
    return replace(counts, opened_unanswered=unanswered)


def disagreement(counts: HostCounts, witnesses: Witnesses) -> str | None:
    """What they disagree about, in words; None if they agree.

    Args:
        counts: as the log has them, before they are `settled`.
        witnesses: what each of them counted.
    """
    said, agree = [], True
    made = [count for count in (witnesses.sockets, witnesses.server) if count is not None]
    if witnesses.pool_log is not None:
        least, most = witnesses.pool_log, counts.connects
        said.append(f"pool log {least}" if most in (None, least) else f"pool log {least} to {most}")
        agree = all(least <= count and (most is None or count <= most) for count in made)
    others = {"sockets": witnesses.sockets, "server": witnesses.server}
    said += [f"{name} {count}" for name, count in others.items() if count is not None]
    return None if agree and len(set(made)) <= 1 else ", ".join(said)
