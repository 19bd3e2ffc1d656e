"""The first witness: urllib3's pool log, live, as events.

A live handler reads a record's format string and arguments, never the formatted text: both are
the same in urllib3 1.26 and 2.x. Which lines matter is a table; every other line is passed over.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from keptalive.records.pool_events import (
    LOGGER,
    Answered,
    PoolEvent,
    Resetting,
    Retrying,
    RetryingStatus,
    Starting,
)

Arguments = Sequence[Any]


def _starting(scheme: str) -> Callable[[int, Arguments], PoolEvent]:
    # "(%d): %s:%s": the ordinal is pool.num_connections, which misses every reopened connection
    def event(thread: int, args: Arguments) -> PoolEvent:
        return Starting(thread=thread, scheme=scheme, host=str(args[1]), port=int(args[2]))

    return event


def _resetting(thread: int, args: Arguments) -> PoolEvent:
    return Resetting(thread=thread, host=str(args[0]))


def _retrying(thread: int, _args: Arguments) -> PoolEvent:
    return Retrying(thread=thread)


def _retrying_status(thread: int, _args: Arguments) -> PoolEvent:
    return RetryingStatus(thread=thread)


def _answered(thread: int, args: Arguments) -> PoolEvent:
    scheme, host, port, _method, _target, _version, status, _length = args
    default = 443 if scheme == "https" else 80
    return Answered(
        thread=thread, scheme=scheme, host=host, port=int(port or default), status=int(status)
    )


# urllib3 src/urllib3/connectionpool.py, 1.26 and 2.x alike
LINES: dict[str, Callable[[int, Arguments], PoolEvent]] = {
    "Starting new HTTP connection (%d): %s:%s": _starting("http"),
    "Starting new HTTPS connection (%d): %s:%s": _starting("https"),
    "Resetting dropped connection: %s": _resetting,
    "Retrying (%r) after connection broken by '%r': %s": _retrying,
    "Retry: %s": _retrying_status,
    '%s://%s:%s "%s %s %s" %s %s': _answered,
    '%s://%s:%s "%s %s HTTP/%s" %s %s': _answered,  # 2.2.2 and 2.2.3
}


def event_of(message: object, args: object, thread: int) -> PoolEvent | None:
    """The event that a line of urllib3's pool stands for; None if it is another line.

    Args:
        message: its format.
        args: what is put into it.
        thread: the one that logs it.
    """
    build = LINES.get(str(message))
    if build is None:
        return None
    return build(thread, args if isinstance(args, tuple) else ())


class _Listener(logging.Handler):
    def __init__(self, take: Callable[[PoolEvent], None]) -> None:
        super().__init__(level=logging.DEBUG)
        self._take = take

    def emit(self, record: logging.LogRecord) -> None:
        event = event_of(record.msg, record.args, record.thread or 0)
        if event is not None:
            self._take(event)


@contextmanager
def listening(take: Callable[[PoolEvent], None]) -> Iterator[None]:
    """Hand every event of urllib3's pools, of all threads, to ``take`` as it happens.

    Meanwhile the logger is at DEBUG and ``take`` alone gets its records: nothing of it reaches a
    terminal. Its level, handlers and propagation are as before afterwards.
    """
    logger = logging.getLogger(LOGGER)
    listener = _Listener(take)
    before = logger.level, logger.propagate, logger.disabled
    logger.setLevel(logging.DEBUG)
    logger.propagate, logger.disabled = False, False
    logger.addHandler(listener)
    try:
        yield
    finally:
        logger.removeHandler(listener)
        logger.level, logger.propagate, logger.disabled = before
        logger.setLevel(before[0])  # through the setter too: it clears logging's cache of levels
