"""The causes that a log leaves open: sets, each with its members, its words and its cure.

A log has no response headers and no sockets. What it shows (a dropped connection, a new pool, no
free connection) has several possible causes; a set has all that remain, so that nothing is claimed
which the log does not show.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from keptalive.records.report import UNAVOIDABLE, Range

FIRST = "first-use"  # the one cause that a log shows with certainty
FIRST_OR_REDIRECT = "first-or-redirect"
FIRSTS = (FIRST, FIRST_OR_REDIRECT)
CONCURRENCY = "concurrency"
DROPPED, DROPPED_AT_ONCE = "dropped", "dropped-at-once"
NEW_POOL, NEW_POOL_OR_PROCESS = "new-pool", "new-pool-or-process"
BUSY, FULL, NEW = "no-free-connection", "full-pool", "new-connection"
NOT_RETURNED = "connection-not-returned"
RETRIED, RETRIED_OPENING = "retried", "retried-opening"
# Those that the lines of httpcore leave open
CLIENT_CLOSED, SURPLUS = "client-closed", "surplus-closed"
EXPIRED, NOT_KEPT_LONG, NOT_KEPT = "expired", "not-kept-long", "not-kept"
UNTIMED = "closed-untimed"


class Remaining(NamedTuple):
    """One set: the likeliest members first."""

    members: tuple[str, ...]
    means: str
    cure: str


_CLOSED_AT_ONCE = ("close-announced", "http-1.0", "request-limit", "close-requested")
_CLOSED_BY_CLIENT = ("abandoned-body", "failed-request")
_CLOSED_BY_SERVER = ("server-closed", "server-reset", "timeout-408")
_RARE = ("stray-bytes", "tls-message")
_NEW_POOL = (
    "new-session",
    "new-adapter",
    "session-closed",
    "pool-evicted",
    "tls-settings-differ",
    "proxy-differs",
)
# A request that failed and was not sent again has no line of its own
_FAILED = ("failed-request", "stale-connection", "silent-drop")
_BUSY = ("concurrency", "unread-body", *_FAILED, "max-idle")
LEARNS = "tuned_session() learns when; this avoids errors, not the new handshake"
_KEEP = "Use one Session for all requests; for more than 10 hosts: tuned_session(hosts=N)."

SETS: dict[str, Remaining] = {
    FIRST_OR_REDIRECT: Remaining(
        (FIRST, "redirect"),
        "the first connection to this host, maybe because of a redirect",
        "If a redirect led here, send requests to the final address.",
    ),
    DROPPED: Remaining(
        ("idle-timeout", *_CLOSED_BY_SERVER, *_CLOSED_AT_ONCE, *_CLOSED_BY_CLIENT, *_RARE),
        'the kept connection was closed ("Resetting dropped connection")',
        f"If the server closes idle connections: {LEARNS}.",
    ),
    DROPPED_AT_ONCE: Remaining(
        (*_CLOSED_AT_ONCE, *_CLOSED_BY_CLIENT, *_CLOSED_BY_SERVER, *_RARE),
        'the kept connection was closed at once ("Resetting dropped connection")',
        'Look at the response before: "Connection: close", HTTP/1.0, or not read fully?',
    ),
    NEW_POOL: Remaining(_NEW_POOL, "an empty pool, as a new Session or requests.get has it", _KEEP),
    NEW_POOL_OR_PROCESS: Remaining(
        (*_NEW_POOL, FIRST), "an empty pool, as a new Session or a new process has it", _KEEP
    ),
    BUSY: Remaining(
        _BUSY,
        "the pool had no free connection",
        "Normal if several threads share it; otherwise read each response fully.",
    ),
    NOT_RETURNED: Remaining(
        tuple(cause for cause in _BUSY if cause != CONCURRENCY),
        "the pool had no free connection, though a single thread uses it",
        "Read each response fully; with stream=True use it in a with statement.",
    ),
    NEW: Remaining(
        (*_NEW_POOL, *_BUSY, FIRST),
        "a new connection, by a pool that was empty or had no free one",
        _KEEP,
    ),
    FULL: Remaining(
        # what a full pool discards may have been closed before
        (
            *("pool-too-small", *_BUSY),
            *("close-announced", "http-1.0", "close-requested", "abandoned-body"),
        ),
        "the pool had no free connection, after it had been full",
        "tuned_session(threads=N), or HTTPAdapter(pool_maxsize=N), for N threads.",
    ),
    RETRIED: Remaining(
        ("stale-connection", "failed-request", "silent-drop", "retry"),
        "the try before had failed, and urllib3 repeated it",
        f"Find out why it failed. If the server had closed an idle connection: {LEARNS}.",
    ),
    RETRIED_OPENING: Remaining(
        ("failed-request", "retry"),
        "the try before had failed on a new connection, and urllib3 repeated it",
        "Find out why it failed.",
    ),
}
_ONE_CLIENT = "Make one httpx.Client (AsyncClient), keep it, and use it for every request."
_EXPIRY = (
    "httpx.Client(limits=httpx.Limits(keepalive_expiry=T)): T above the pauses of the program and "
    "below the idle timeout of the server. The default is 5 s."
)
_SIZE = (
    "httpx.Client(limits=httpx.Limits(max_keepalive_connections=N)), N the most requests at once."
)
SETS |= {
    EXPIRED: Remaining(
        ("max-idle", "idle-timeout", *_CLOSED_BY_SERVER),
        "the client closed it: idle for longer than its keepalive_expiry",
        _EXPIRY,
    ),
    CLIENT_CLOSED: Remaining(
        ("new-session", "server-closed", "request-limit", "pool-too-small"),
        "the client had closed it: a client or httpx.get for each request?",
        f"{_ONE_CLIENT} If it is one already: the server closes right after its responses, or "
        "max_keepalive_connections is too low.",
    ),
    SURPLUS: Remaining(
        ("pool-too-small", "new-session", "server-closed", "request-limit"),
        "the client closed it, and kept others: has it no room for more?",
        _SIZE,
    ),
    NOT_KEPT_LONG: Remaining(
        ("idle-timeout", *_CLOSED_BY_SERVER, "request-limit", "max-idle", "new-session"),
        "the client found it closed by the server, or expired",
        "If the server closes idle connections, send requests more often; keepalive_expiry below "
        "its idle timeout avoids errors.",
    ),
    UNTIMED: Remaining(
        ("new-session", "max-idle", *_CLOSED_BY_SERVER[:1], "idle-timeout", "request-limit"),
        "the client had closed it; the log has no times that tell when",
        f"{_ONE_CLIENT} If it is one already, put %(asctime)s into the log's format.",
    ),
    NOT_KEPT: Remaining(
        ("server-closed", "request-limit", "new-session", "pool-too-small"),
        "the client found it closed at once",
        "See why the server closes right after its responses. A client for each request looks the "
        "same: use one httpx.Client for all.",
    ),
}
# What to change in a program that uses httpx, where the cause is certain
_OF_HTTPX = {
    "first-use": "Nothing; this one is necessary.",
    "concurrency": "Nothing; each request that runs at the same time needs its connection.",
    "new-session": _ONE_CLIENT,
    "close-announced": "Ask the server's operator to keep connections alive: it is its "
    "configuration. A client may have asked for it, by that header.",
    "http-1.0": "The server would have to speak HTTP/1.1; a reverse proxy in front of it can keep "
    "connections.",
    "abandoned-body": "Read each response to its end before leaving client.stream(), if it is "
    "short.",
    "unread-body": "Read or close each response: with client.stream(...) as response.",
    "failed-request": "Fix the error: a longer timeout, smaller responses, or a healthier server.",
    "stale-connection": "The server closes idle connections: httpx.Client(limits=httpx.Limits("
    "keepalive_expiry=T)), T below its idle timeout, replaces them in time.",
    "unknown": "Log all of httpcore at DEBUG, or compare the code that made these requests.",
}
_FIRST_CURE = "Nothing; this one is necessary."


def members_of(cause: str, *, one_thread: bool = False) -> tuple[str, ...]:
    """The causes that this one of a log's may be: itself, if it is no set.

    Args:
        cause: its name.
        one_thread: only one thread of each process uses this host, so nothing was concurrent.
    """
    members = SETS[cause].members if cause in SETS else (cause,)
    return tuple(one for one in members if one != CONCURRENCY) if one_thread else members


def cure(cause: str) -> str:
    """What to change."""
    return SETS[cause].cure if cause in SETS else _FIRST_CURE


def httpx_cure(cause: str) -> str:
    """What to change in a program that uses httpx."""
    return SETS[cause].cure if cause in SETS else _OF_HTTPX[cause]


def perfect(
    causes: Mapping[str, int],
    opened: int,
    *,
    threads: int | None = None,
    one_thread: bool = False,
    at_once: int = 0,
) -> Range:
    """How many connections perfect reuse would have opened, as far as a log shows.

    The least if no more than those with an unavoidable cause had to be opened; the most if all had
    to be that may have one.

    Args:
        causes: how many connections have each cause, or set of causes.
        opened: their sum.
        threads: so many use this host, in all processes; None if that is unknown.
        one_thread: see `members_of`.
        at_once: so many are known to have been in use at once.
    """
    certain = sum(causes.get(cause, 0) for cause in UNAVOIDABLE)
    possible = sum(
        count
        for cause, count in causes.items()
        if not {*members_of(cause, one_thread=one_thread)}.isdisjoint(UNAVOIDABLE)
    )
    of_new_processes = sum(causes.get(cause, 0) for cause in (NEW_POOL_OR_PROCESS, NEW))
    if threads is not None and not of_new_processes:  # a thread waits for one response at a time
        possible = min(possible, threads)
    least = min(max(certain, at_once, 1), opened)
    return Range(least=least, most=min(max(possible, least), opened))
