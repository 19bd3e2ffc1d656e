"""A pool that was full, and how large it should be: what urllib3's warnings of it show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class FullPool:
    """What "Connection pool is full" shows of a host.

    urllib3 logs it when a connection comes back to a pool that has all it keeps
    (``HTTPConnectionPool._put_conn``), so at some time all of these were in use, and one more.
    """

    discarded: int
    pool_size: int | None
    threads: int | None  # that use it, of one process, as far as the log names them
    seen_at_once: int = 0  # connections of which the log shows that they were in use at once

    @property
    def at_once(self) -> int | None:
        """So many connections, at least, were in use at once."""
        least = 0 if self.pool_size is None else self.pool_size + 1
        most = max(least, self.seen_at_once)
        return most if most > 1 else None

    def facts(self) -> dict[str, Any]:
        """As a report has them."""
        return {
            "discarded": self.discarded,
            "pool_size": self.pool_size,
            "most_at_once_least": self.at_once,
            "threads": self.threads,
        }

    def evidence(self) -> str:
        """The facts in sentences."""
        times = "once" if self.discarded == 1 else f"{self.discarded} times"
        said = f'"Connection pool is full": {times}.'
        named = f"{self.threads} threads are named" if (self.threads or 0) > 1 else ""
        if self.at_once is None:
            return f"{said} {named}." if named else said
        said += f" At least {self.at_once} connections were in use at once"
        return f"{said}; {named}." if named else f"{said}."

    def cure(self) -> str:
        """A larger pool; for a single thread, fewer connections."""
        sizes = "HTTPAdapter(pool_maxsize=N) or tuned_session(threads=N), N"
        least = max(self.at_once or 0, self.threads or 0)
        at_least = f": at least {least}." if least > 1 else "."
        if self.threads == 1:
            return (
                "Read each response fully before the next request; or "
                f"{sizes} the number of responses that are open at once{at_least}"
            )
        return f"{sizes} the number of threads that share the Session{at_least}"
