"""What is sent again, when, and what never is."""

from __future__ import annotations

import random
from itertools import takewhile
from types import TracebackType
from typing import Any

from urllib3.exceptions import InvalidHeader, MaxRetryError, ReadTimeoutError, ResponseError
from urllib3.util import Retry

IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"})  # RFC 9110, 9.2.2
PASSING = frozenset({429, 502, 503, 504})  # statuses that may be gone a moment later

DEFAULTS: dict[str, Any] = {
    "allowed_methods": IDEMPOTENT,
    "status_forcelist": PASSING,
    "other": 0,  # a certificate that does not verify will not verify a moment later
    "backoff_factor": 0.2,
    "raise_on_status": False,  # the last answer says more than an error would
}


class SafeRetry(Retry):
    """A `urllib3.util.Retry` that sends nothing twice that may not be sent twice.

    Idempotent methods are sent again after a broken or stale connection and after 429, 502, 503
    and 504. Any method is, while nothing was sent: when connecting failed. Nothing is after a read
    timeout, since the server may be at work on it. What Retry-After asks for is waited for, up
    to `LONGEST_WAIT`; if it asks for more, the answer is handed on at once.

    Args:
        total: how many times a request is sent again.
        settings: any other of `Retry`'s, instead of the defaults above. ``allowed_methods=None``
            sends every method again, POST included, at the risk of doing it twice.
    """

    LONGEST_WAIT = 60.0  # seconds
    LONGEST_BACKOFF = 20.0  # seconds
    RETRY_AFTER_STATUS_CODES: frozenset[int] = frozenset()  # beyond status_forcelist: none

    def __init__(self, total: bool | int | None = 3, **settings: Any) -> None:
        super().__init__(total, **{**DEFAULTS, **settings})

    def get_backoff_time(self) -> float:
        """Seconds to wait when no Retry-After says it.

        At once after the first broken connection, most likely a stale one; then 0.2 s, 0.4 s and
        so on, each shortened by up to half at random, so that clients do not come back together.
        """
        failures = list(
            takewhile(lambda past: past.redirect_location is None, reversed(self.history))
        )
        doublings = len(failures) - 1
        if not failures or (doublings == 0 and failures[0].status is None):
            return 0.0
        ceiling = min(self.LONGEST_BACKOFF, getattr(self, "backoff_max", self.LONGEST_BACKOFF))
        longest: float = min(ceiling, self.backoff_factor * 2 ** min(doublings, 30))
        return longest * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards nothing

    def get_retry_after(self, response: Any) -> float | None:
        """What the header asks for, in seconds; None without one and where it makes no sense."""
        try:
            seconds: float | None = super().get_retry_after(response)
            return None if seconds is None else float(seconds)
        except (InvalidHeader, ValueError, OverflowError):  # also a year 99999, 5000 digits
            return None

    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: Any = None,
        error: Exception | None = None,
        _pool: Any = None,
        _stacktrace: TracebackType | None = None,
    ) -> SafeRetry:
        """The policy after one more failure.

        Raises:
            MaxRetryError: it is not to be sent again.
            Exception: the error itself, where sending again could do it twice.
        """
        if isinstance(error, ReadTimeoutError):
            raise error.with_traceback(_stacktrace)
        if response is not None and self.respect_retry_after_header:
            asked = self.get_retry_after(response)
            if asked is not None and asked > self.LONGEST_WAIT:
                raise MaxRetryError(_pool, url or "", ResponseError(f"Retry-After: {asked:.0f} s"))
        return super().increment(method, url, response, error, _pool, _stacktrace)
