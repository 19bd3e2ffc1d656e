"""What an error of urllib3's was made from: it wraps those of http.client, of TLS and the system.

Only errors of urllib3's own classes are looked into; of any other, only the class is named.
"""

from __future__ import annotations

import errno
import http.client

GIVEN_UP = "ETIMEDOUT"  # the system has sent it again and again, without an acknowledgement
_WRAPPING = "urllib3.exceptions"
_DEEPEST = 6  # MaxRetryError, ProxyError, ProtocolError and so on


def beneath(error: BaseException) -> str:
    """The name of the innermost error: of its type, or of a system error that has no type."""
    for _ in range(_DEEPEST):
        inner = _wrapped(error)
        if inner is None:
            break
        error = inner
    if type(error) in (OSError, TimeoutError):
        number = error.errno  # type: ignore[attr-defined]
        return errno.errorcode.get(number, type(error).__name__)
    return type(error).__name__


def _wrapped(error: BaseException) -> BaseException | None:
    """The error within this one: among its arguments, or the one from which it was raised."""
    is_whole = isinstance(error, http.client.IncompleteRead)
    if type(error).__module__ != _WRAPPING or is_whole:
        return None
    for argument in reversed(error.args):
        if isinstance(argument, BaseException):
            return argument
    if error.__cause__ is not None:
        return error.__cause__
    # urllib3 1.26 raises timeouts without "from"; whatever else is handled may be the program's
    return error.__context__ if isinstance(error.__context__, OSError) else None
