"""A connection from the attempt to its end, and the requests on it: frozen once they are complete.

Who observes fills them in, who judges reads them; what cannot be known is None. All times are
seconds since the process began to record (`process.ProcessRecord.started_ns`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum


class CloseReason(str, Enum):
    """How a connection ended; the values stand in reports, as ``end.how``."""

    # What its socket showed when its pool wanted it again
    FIN = "FIN"
    TLS_CLOSE = "TLS close"  # close_notify, followed by a FIN or not
    RST = "RST"
    TIMEOUT_408 = "408"  # a response that nobody had asked for
    STRAY_BYTES = "stray bytes"
    TLS_MESSAGE = "TLS message"  # a ticket or a key update: the connection was alive
    # The client closed it
    CLOSE_ANNOUNCED = "close announced"  # its last response said ``Connection: close``
    CLOSE_REQUESTED = "close requested"  # its last request said so
    HTTP_1_0 = "HTTP/1.0"  # its last response was, or had a body without framing
    CLOSED_UNREAD = "closed unread"  # its last response was closed before its body was read
    NEVER_READ = "never read"  # its last response was collected, or is still held, unread
    REPLACED = "replaced"  # before use, by its Session's own max_idle or max_age
    DISCARDED = "discarded"  # its pool was full when it came back
    POOL_CLOSED = "pool closed"  # its Session or pool was closed, or collected
    CLOSED_BY_CLIENT = "closed by client"  # for a reason that was not seen
    # It ended under a request
    FAILED = "failed"  # with an error: ``ConnectionEnd.error``
    SILENT = "silent"  # found dead before use: nobody acknowledged the system's probes
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionEnd:
    """How a connection ended.

    Attributes:
        how: what was seen of it.
        idle_s: how long it had been unused then, or, if it ended under a request, when that
            request took it; None where that was not seen.
        error: for `CloseReason.FAILED`: the name of the exception's type.
        collected: nobody closed its Session, which was collected with it.
        beneath: what that error was made from: the name of a type, as ``RemoteDisconnected``, or
            of the number of a system's error, as ``ETIMEDOUT``.
        answered: the head of the response had come before it failed.
        method: of the request under which it ended.
        lost_s: from when that request took it to the error, and the back-off before it was sent
            again; None if the head of its response had come.
        sent_again: urllib3 sent that request again; None where there was none.
        acknowledged: since that request was sent, the other end has acknowledged something;
            False if it was sent repeatedly for want of that; None where that was not seen.
        keep_alive: the header of that name in its last response, as in ``timeout=5, max=100``.
        status: of the response with which the server announced that it closes.
        too_old: its Session replaced it for its age (``max_age``).
        request_location: where in the program its last response was asked for, if as a stream.
        request_library, request_entered: as in `OpeningFacts`.
    """

    how: CloseReason
    idle_s: float | None = None
    error: str | None = None
    collected: bool = False
    beneath: str | None = None
    answered: bool = False
    method: str | None = None
    lost_s: float | None = None
    sent_again: bool | None = None
    acknowledged: bool | None = None
    keep_alive: str | None = None
    status: int | None = None
    too_old: bool = False
    request_location: str | None = None
    request_library: str | None = None
    request_entered: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpeningFacts:
    """What bears on why a connection was needed, as it was when it was attempted.

    Attributes:
        owner: who keeps the pools, an adapter of requests or a PoolManager: a number.
        is_tuned: that is a TunedAdapter, and how long connections may be idle before it replaces
            them is max_idle_s.
        learns: the TunedAdapter learns that time from each server; max_idle_s is None then.
        pool_is_new: the owner had to make a pool for this connection.
        closings: how often the owner had been closed by then.
        new_adapter: the Session had another adapter for this host before.
        at_exit: Python is ending, and urllib3 had closed all pools.
        tls: the TLS settings that keep pools of one host apart, each as ``name=value``.
        proxy: the same of the proxy's; neither names a secret.
        pools_kept: how many pools the owner keeps; None if it keeps them in a way of its own.
        pools_needed: how many different pools the owner has needed so far, of all hosts.
        pools_alike: how many other pools the owner kept then for this route, with equal settings.
        most_at_once: the most requests in flight at once on this route in this process, until and
            with this one.
        unread: responses of its pool that are not read to their end, and nobody reads just then.
        retry: the request had failed before, and is sent again.
        retried_for: why: the status of the response, or the name of the error.
        redirected: the request follows a redirect.
        reconnect: urllib3 reconnects a connection object ("Resetting dropped connection").
        pool_discarded: its pool has discarded a connection that no opening has replaced yet.
        pool_size: how many connections its pool keeps.
        is_bare: its pool is a PoolManager's of urllib3, not a Session's.
        session_location: the program's own line that made its Session, as ``sync.py:12``; None if
            no line on the stack was the program's.
        session_library: the line of the installed package by which that went, the last before
            requests or urllib3, as ``spotipy/client.py:229``; None if the program did so itself.
        session_entered: where no line was the program's: the outermost one of that package.
        request_location, request_library, request_entered: the same of the request.
        unread_location, unread_library, unread_entered: the same of one of the unread responses.
    """

    owner: int = 0
    is_tuned: bool = False
    max_idle_s: float | None = None
    learns: bool = False
    pool_is_new: bool = False
    closings: int = 0
    new_adapter: bool = False
    at_exit: bool = False
    tls: tuple[str, ...] = ()
    proxy: str | None = None
    pools_kept: int | None = None
    pools_needed: int = 0
    pools_alike: int = 0
    most_at_once: int = 1
    unread: int = 0
    retry: bool = False
    retried_for: str | None = None
    redirected: bool = False
    reconnect: bool = False
    pool_discarded: bool = False
    pool_size: int | None = None
    is_bare: bool = False
    session_location: str | None = None
    session_library: str | None = None
    session_entered: str | None = None
    request_location: str | None = None
    request_library: str | None = None
    request_entered: str | None = None
    unread_location: str | None = None
    unread_library: str | None = None
    unread_entered: str | None = None

    @property
    def where(self) -> str | None:
        """Where the request was made, as `where_of` says it."""
        made = self.session_location
        return where_of(self.request_location, made=made, entered=self.request_entered)

    @property
    def library(self) -> str | None:
        """The line of the package that has the Session, or else made the request."""
        if self.session_location or self.session_library:
            return self.session_library
        return self.request_library


def where_of(line: str | None, *, made: str | None, entered: str | None) -> str | None:
    """Where a request was made, in a few words.

    Args:
        line: the program's own line; without one, the next known of these says it.
        made: the program's line that made its Session.
        entered: the outermost line of the library that made the request.
    """
    if line is not None:
        return line
    if made is not None:
        return f"{made} (Session)"
    return None if entered is None else f"{entered} (library)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """One TCP connection (or Unix socket), or the attempt to open one.

    Attributes:
        id: a number, unique in its process; in a report, in the report.
        host: the route's host: ``scheme://host:port``, ``unix:PATH``, or a forward proxy.
        via: the proxy of a tunnel, as ``scheme://host:port``; None without one.
        thread: the flow of control that opened it.
        attempted_s: when the attempt to connect began; None if it was open before the record began:
            it is here because another one replaces it, and counts for nothing.
        connected_s: when TCP had connected and, if that succeeded, TLS; None if it never was.
        ended_s: when its end was seen; None while it is open.
        phases: seconds of opening it by what they were spent on: dns, connect, ca_bundle,
            tls, rest.
        served: responses that came on it.
        longest_idle_s: the longest time unused after which it still served.
        end: None while it is open.
        replaces: the id of the connection whose end made this one necessary, if there is one.
        shared: several processes have sent requests on it: it was open when one was forked.
        facts: what bears on why it was needed.
        cause: why it was opened, where the watch has judged that already; else the judge does.
        settled: its opening is counted among `process.SettledCause`; here it is evidence only.
    """

    id: int
    process: int
    thread: int
    host: str
    via: str | None = None
    local_port: int | None = None
    attempted_s: float | None = 0.0
    connected_s: float | None = None
    ended_s: float | None = None
    phases: Mapping[str, float] = field(default_factory=dict)
    served: int = 0
    longest_idle_s: float = 0.0
    end: ConnectionEnd | None = None
    replaces: int | None = None
    shared: bool = False
    facts: OpeningFacts = field(default_factory=OpeningFacts)
    cause: str | None = None
    settled: bool = False

    @property
    def seconds(self) -> float:
        """What opening it took, whether it succeeded or not."""
        return sum(self.phases.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request on a connection; recorded only where a timeline is asked for.

    Attributes:
        connection: the `Connection.id`.
        thread: the flow of control that sent it.
        started_s: when the request took the connection.
        head_s: when the head of its response had been read; None if none came.
        released_s: when the connection was given back, or the request had failed.
        path: without query values, fragment or login.
        status: None if no response came.
        where: where in the program the request was made; None where that was not looked for.
    """

    connection: int
    thread: int
    started_s: float
    head_s: float | None = None
    released_s: float | None = None
    method: str = "GET"
    path: str = "/"
    status: int | None = None
    where: str | None = None
