"""Which requests are retried, and how long to wait before each retry."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import takewhile
from types import TracebackType
from typing import Any

from urllib3.exceptions import (
    InvalidHeader,
    MaxRetryError,
    ProtocolError,
    ProxyError,
    ReadTimeoutError,
    ResponseError,
)
from urllib3.util import Retry

IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"})  # RFC 9110, 9.2.2
TEMPORARY = frozenset({429, 502, 503, 504})  # statuses that may be different a moment later

DEFAULTS: dict[str, Any] = {
    "allowed_methods": IDEMPOTENT,
    "status_forcelist": TEMPORARY,
    "other": 0,  # a certificate that fails verification will fail again
    "backoff_factor": 0.2,
    "raise_on_status": False,  # the last response says more than an error would
}


class SafeRetry(Retry):
    """A `urllib3.util.Retry` that retries only safe requests.

    Idempotent methods are retried after a broken or stale connection and after 429, 502, 503 and
    504. Other methods are retried only if nothing was sent, which means that connecting failed. No
    method is retried after a read timeout: the server may still be working on the request. A retry
    waits as long as Retry-After says, up to `LONGEST_WAIT`; if Retry-After says more, the response
    is returned at once.

    Args:
        total: the most retries of one request.
        settings: any other setting of `Retry`, instead of the defaults above.
            ``allowed_methods=None`` retries every method, POST too: the server may then do the
            work twice.
    """

    LONGEST_WAIT = 60.0  # seconds
    LONGEST_BACKOFF = 20.0  # seconds
    RETRY_AFTER_STATUS_CODES: frozenset[int] = frozenset()  # none beyond status_forcelist

    def __init__(self, total: bool | int | None = 3, **settings: Any) -> None:
        super().__init__(total, **{**DEFAULTS, **settings})

    def get_backoff_time(self) -> float:
        """Seconds to wait if there is no Retry-After.

        0 after the first broken connection, which most likely was a stale one. Then 0.2 s, 0.4 s
        and so on, each shortened at random by up to half, so that many clients do not retry at the
        same moment.
        """
        failures = list(
            takewhile(lambda past: past.redirect_location is None, reversed(self.history))
        )
        doublings = len(failures) - 1
        if not failures or (doublings == 0 and failures[0].status is None):
            return 0.0
        ceiling = min(self.LONGEST_BACKOFF, getattr(self, "backoff_max", self.LONGEST_BACKOFF))
        longest: float = min(ceiling, self.backoff_factor * 2 ** min(doublings, 30))
        return longest * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, no security

    def get_retry_after(self, response: Any) -> float | None:
        """The Retry-After header in seconds; None without one and for an invalid one."""
        try:
            seconds: float | None = super().get_retry_after(response)
            return None if seconds is None else float(seconds)
        except (InvalidHeader, ValueError, OverflowError):  # the year 99999, 5000 digits
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
            MaxRetryError: there is no retry.
            Exception: the error itself, where a retry could make the server do the work twice.
        """
        if isinstance(error, ReadTimeoutError):
            raise error.with_traceback(_stacktrace)
        if (broken := _broken_through_proxy(error)) is not None:
            try:
                return super().increment(method, url, response, broken, _pool, _stacktrace)
            except (MaxRetryError, ProtocolError):
                raise MaxRetryError(_pool, url or "", error) from error
        if response is not None and self.respect_retry_after_header:
            wait = self.get_retry_after(response)
            if wait is not None and wait > self.LONGEST_WAIT:
                raise MaxRetryError(_pool, url or "", ResponseError(f"Retry-After: {wait:.0f} s"))
        return super().increment(method, url, response, error, _pool, _stacktrace)


def _broken_through_proxy(error: Exception | None) -> ProtocolError | None:
    """The same error as it would be without a proxy, if a connection has broken.

    urllib3 calls it a `ProxyError`, as if the proxy could not be reached, and would count it as one
    of the ``other`` errors (``urllib3.util.retry.Retry.increment``).
    """
    original = getattr(error, "original_error", None) if isinstance(error, ProxyError) else None
    if not isinstance(original, ConnectionError) or isinstance(original, ConnectionRefusedError):
        return None
    return ProtocolError("Connection aborted.", original)


def is_repeatable(method: str | None, policy: Any) -> bool:
    """Whether a request would be sent again if its connection broke before a response came.

    Args:
        method: in any case; None: unknown.
        policy: of the request; anything else than a `urllib3.util.Retry`: unknown.
    """
    if method is None or not isinstance(policy, Retry):
        return False
    if policy.total is False or policy.read is False:
        return False
    if any(count is not None and count <= 0 for count in (policy.total, policy.read)):
        return False
    return not policy.allowed_methods or method.upper() in policy.allowed_methods


def is_one_shot(body: object) -> bool:
    """Whether this body can be read only once: a generator, or a stream that cannot be rewound.

    urllib3 rewinds a body that has ``seek`` (``urllib3.util.request.rewind_body``). It reads any
    other body again from where it is, which is the end: a retry would send an empty body.
    """
    if body is None or isinstance(body, (str, bytes, bytearray, memoryview, Sequence)):
        return False
    seekable = getattr(body, "seekable", None)  # a pipe has seek, but is not seekable
    return not (seekable() if callable(seekable) else hasattr(body, "seek"))
