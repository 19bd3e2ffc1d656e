"""What is noted of the program beside its connections: forks, mocks, settings of the environment.

Each is looked at where a connection or a pool is seen for the first time, or where no connection
was used, and never in a request on a kept connection.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from keptalive.records.connection import CloseReason
from keptalive.watching.bundles import replaced_bundle
from keptalive.watching.call_site import location_in_program
from keptalive.watching.foreign import own
from keptalive.watching.mocks import is_fetched, kind_and_library, mock_of, source_of
from keptalive.watching.recorder import Recorder
from keptalive.watching.tracking import ConnectionState, Pool

HTTP2 = "urllib3.http2.connection"  # it needs the package h2, so it is not imported here


class Circumstances:
    """Notes what a finding is made of later.

    Attributes:
        recorders: those that listen.
        forked_at: when this process was forked, by the observer's clock; None if it was not.
    """

    def __init__(self) -> None:
        self.recorders: tuple[Recorder, ...] = ()
        self.forked_at: float | None = None

    # -- forks

    def meets_in_child(self, pool: Pool, known: Iterable[ConnectionState]) -> None:
        """A pool of the parent's is used by this process: had it open connections at the fork?"""
        if not any(is_inherited(one) or self._was_inherited(one) for one in known):
            return
        for recorder in self.recorders:
            recorder.note(
                "session-after-fork",
                host=pool.host,
                where=location_in_program(),
                detail=pool.owner.made_at.shown(),
            )

    def _was_inherited(self, connection: ConnectionState) -> bool:
        """Whether its end, which its server had caused, has been noticed since the fork."""
        attempt = connection.attempt
        ended_at = attempt.ended_at if attempt is not None else None
        return ended_at is not None and self.forked_at is not None and ended_at >= self.forked_at

    def may_be_shared(self, connection: ConnectionState) -> None:
        """A request is about to be sent: is it on a connection that the parent has opened?"""
        attempt = connection.attempt
        if attempt is None or attempt.shared or not is_inherited(connection):
            return
        attempt.shared = True
        for recorder in self.recorders:
            recorder.add(attempt)

    # -- Sessions that nobody closes

    def may_be_unclosed(self, connection: ConnectionState) -> None:
        """A connection is no more: was its Session collected, which nobody had closed?"""
        attempt, owner = connection.attempt, connection.pool.owner if connection.pool else None
        end = attempt.end if attempt is not None else None
        if end is None or end.how is not CloseReason.POOL_CLOSED or owner is None:
            return
        # else its pool was evicted
        is_collected = owner.adapter is not None and owner.adapter() is None
        if attempt is not None and is_collected and owner.closings == attempt.facts.closings:
            attempt.end = replace(end, collected=True)

    # -- the environment

    def looks_at_bundle(self, pool: Pool, where: str | None) -> None:
        """A connection is opened: has a CA bundle of the environment replaced the Session's?"""
        replaced = replaced_bundle() if pool.host.startswith("https:") else None
        if replaced is None:
            return
        for recorder in self.recorders:
            recorder.note(
                "bundle-from-environment",
                host=pool.host,
                where=where,
                detail=replaced.setting,
                other=replaced.verify,
            )

    # -- HTTP/2

    def may_speak_http2(self, conn: Any, pool: Pool) -> None:
        """It has connected: is it one of urllib3's own HTTP/2 (``inject_into_urllib3``)?"""
        if any(kind.__module__ == HTTP2 for kind in type(conn).__mro__):
            for recorder in self.recorders:
                recorder.note("http2", host=pool.host)

    # -- answers from no socket

    def may_be_mocked(self, connection: ConnectionState, sock: Any) -> None:
        """It has connected: to an imitation of a socket? Then nothing was opened."""
        connection.mock = mock_of(sock)
        connection.connected = connection.mock is None
        if connection.mock is not None:
            connection.attempt = None

    def comes_from_mock(self, conn: Any, state: ConnectionState) -> bool:
        """Note that a response came on a connection without a socket; False if it has another one.

        Such as a channel of SSH: it is no socket of the system, but no mock either.
        """
        package = state.mock or mock_of(conn)
        if package is None and own(conn, "sock") is not None:
            return False
        kind, library = kind_and_library(package)
        for recorder in self.recorders:
            recorder.note(kind, host=state.pool.host if state.pool else None, detail=library)
        return True

    def answered_by_others(self, origin: str, response: Any) -> None:
        """A request was answered, and none of urllib3's connections has had a part in it."""
        if is_fetched(response):
            return
        kind, library = kind_and_library(source_of(response))
        for recorder in self.recorders:
            recorder.note(kind, host=origin, detail=library)


def is_inherited(connection: ConnectionState) -> bool:
    """Whether it is open since before the fork of which this process is the child."""
    return is_the_parents(connection) and connection.is_open()


def is_the_parents(connection: ConnectionState) -> bool:
    """Whether another process has opened it."""
    return connection.attempt is not None and connection.attempt.process != os.getpid()
