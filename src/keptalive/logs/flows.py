"""What each thread of a log is at, and what is noted of an attempt to connect until it ends."""

from __future__ import annotations

from dataclasses import dataclass, field

from keptalive.counting import Attempt, Thread
from keptalive.logs.failures import FailedTries
from keptalive.logs.host import LogHost
from keptalive.records.pool_events import Answered


@dataclass(slots=True)
class Begun:
    """The note of an `Attempt`.

    Attributes:
        host: None where a "Resetting" line leaves it open.
        cause: of the connection, if it is answered: where an attempt before it has failed, that of
            the connection in whose place it is.
        cause_alone: the cause of this attempt alone.
        at_s: when it began.
        source, process: of its line.
        ends: see `AtOnce`; None where the host is not known.
    """

    host: LogHost | None
    cause: str
    cause_alone: str
    at_s: float | None
    source: str
    process: int | None
    ends: int | None = None


@dataclass(slots=True)
class LogThread(Thread):
    """What one thread is at, or several that the log does not tell apart.

    Attributes:
        failed: the last attempt to connect, if nothing came of it.
        failures: of its present request, those that are not yet counted for a host.
        last, host: the last response, and its host.
    """

    failed: Attempt | None = None
    failures: FailedTries = field(default_factory=FailedTries)
    last: Answered | None = None
    host: LogHost = field(default_factory=LogHost)
