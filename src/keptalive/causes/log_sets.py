"""The causes that a log leaves open: sets, each with its members, its words and its advice.

A log has no response headers and no sockets. What it shows (a dropped connection, a new pool, no
free connection) has several possible causes; a set is named for all that remain, so that nothing
is claimed which the log does not tell.
"""

from __future__ import annotations

from typing import NamedTuple

from keptalive.causes.catalogue import ROWS
from keptalive.records.evidence import Traffic

FIRST, RETRY = "first-use", "retry"
FIRST_HERE = "first"
FIRSTS = (FIRST, FIRST_HERE)
DROPPED, DROPPED_AT_ONCE = "dropped", "dropped at once"
NEW_POOL, NEW_POOL_OR_RUN = "new pool", "new pool or run"
BUSY, FULL, NEW = "busy", "busy, pool full", "new"


class Remaining(NamedTuple):
    """One set: the likeliest members first."""

    members: tuple[str, ...]
    means: str
    advice: str


_CLOSED_AT_ONCE = ("close-announced", "http-1.0", "request-limit", "close-requested")
_CLOSED_HERE = ("abandoned-body", "failed-request")
_OF_THE_SERVER = ("server-closed", "server-reset", "timeout-408")
_RARE = ("stray-bytes", "tls-message")
_NEW_POOL = (
    "new-session",
    "session-closed",
    "pool-evicted",
    "tls-settings-differ",
    "proxy-differs",
)
_BUSY = ("concurrency", "unread-body", "failed-request", "idle-timeout")  # by a Session's max_idle
_KEEP = "Keep one Session for all requests; for more than 10 hosts: tuned_session(hosts=N)."

SETS: dict[str, Remaining] = {
    FIRST_HERE: Remaining((FIRST, "redirect"), ROWS[FIRST].means, "Ask for the final address."),
    DROPPED: Remaining(
        ("idle-timeout", *_OF_THE_SERVER, *_CLOSED_AT_ONCE, *_CLOSED_HERE, *_RARE),
        'found closed: "Resetting dropped connection"',
        "If the server closes unused ones: {max_idle}.",
    ),
    DROPPED_AT_ONCE: Remaining(
        (*_CLOSED_AT_ONCE, *_CLOSED_HERE, *_OF_THE_SERVER, *_RARE),
        'found closed at once: "Resetting dropped connection"',
        'See the response before: "Connection: close", HTTP/1.0, or not read to its end?',
    ),
    NEW_POOL: Remaining(
        _NEW_POOL, "a new, empty pool, as a new Session or requests.get has it", _KEEP
    ),
    NEW_POOL_OR_RUN: Remaining(
        (*_NEW_POOL, FIRST),
        "a new, empty pool, as a new Session or requests.get has it",
        _KEEP,
    ),
    BUSY: Remaining(
        _BUSY,
        "the pool had no free connection",
        "Owed if threads share it; else read each response to its end, as .content does.",
    ),
    NEW: Remaining(
        (*_NEW_POOL, *_BUSY, FIRST),
        "opened beside, or instead of, those that there were",
        _KEEP,
    ),
    FULL: Remaining(
        ("pool-too-small", *_BUSY),
        "the pool had no free connection",
        "tuned_session(threads=N), or HTTPAdapter(pool_maxsize=N), for N threads.",
    ),
}


def name_of(kind: str) -> str:
    """The cause as a report has it: one name, or "dropped: idle-timeout, ... or tls-message"."""
    if kind not in SETS:
        return kind
    *members, last = SETS[kind].members
    return f"{kind}: {', '.join(members)} or {last}"


def kind_of(cause: str) -> str:
    """The kind of what a report names."""
    return cause.partition(":")[0]


def members_of(cause: str) -> tuple[str, ...]:
    """The causes that one of a report may be: itself, if it is no set."""
    kind = kind_of(cause)
    return SETS[kind].members if kind in SETS else (cause,)


def likeliest(cause: str, *, longest: int) -> str:
    """A set's members in a line of at most so many characters: "May be x, y or 3 others."."""
    *named, last = members_of(cause)
    line = f"May be {', '.join(named)} or {last}."
    others = 1
    while named and len(line) > longest:
        named.pop()
        others += 1
        line = f"May be {', '.join(named)} or {others} others."
    return line


def means(cause: str) -> str:
    """A cause, or a set of them, in words."""
    kind = kind_of(cause)
    if kind in SETS:
        return SETS[kind].means
    return ROWS[cause].means if cause in ROWS else cause


def advice(kind: str, *, max_idle: str) -> str:
    """What to change; ``max_idle`` is how to replace a connection in time."""
    if kind in SETS:
        return SETS[kind].advice.format(max_idle=max_idle)
    return ROWS[kind].cure((), Traffic())
