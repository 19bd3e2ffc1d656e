"""What each cause means, how its evidence reads, and what to change: a row of a table for each.

The numbers are those of the openings that have the cause; what was not seen is not said.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from keptalive.causes.judge import announced_timeout_s
from keptalive.records.evidence import Ended, How, Opening, Traffic

SHORTEST_KNOWN_S = 0.1  # a survived idle time below this tells nothing about the server
MOST_PLACES = 3
PEEKED = (How.FIN, How.TLS_CLOSE, How.RESET)

Openings = Sequence[Opening]
Words = Callable[[Openings, Traffic], str]


class Row(NamedTuple):
    """One cause, in words."""

    means: str
    evidence: Words
    cure: Words


def _said(text: str) -> Words:
    return lambda _openings, _traffic: text


def _ends(openings: Openings) -> list[Ended]:
    return [opening.ended for opening in openings if opening.ended is not None]


def _seconds(value: float) -> str:
    return f"{value:.1f} s" if value < 100 else f"{value:.0f} s"


def _span(values: Sequence[float], of: Callable[[float], str] = _seconds) -> str:
    low, high = of(min(values)), of(max(values))
    return low if low == high else f"{low} to {high}"


def _idle(openings: Openings, traffic: Traffic) -> str:
    """How long unused, where the program waited, what survived, what the socket showed."""
    ends = _ends(openings)
    idle = [ended.idle_s for ended in ends if ended.idle_s is not None]
    if not idle:
        return _peek(ends)
    at = _listed(opening.asked_at for opening in openings)
    said = f"Your program waits {_span(idle)} between requests{f' ({at})' if at else ''}"
    if traffic.longest_survived_s >= SHORTEST_KNOWN_S:
        said += f"; connections survived {_seconds(traffic.longest_survived_s)}"
    return f"{said}. {_peek(ends)}".strip()


def _peek(ends: Sequence[Ended]) -> str:
    replaced = sum(ended.how is How.REPLACED for ended in ends)
    seen = sorted({ended.how.value for ended in ends if ended.how in PEEKED})
    announced = sorted({ended.keep_alive for ended in ends if ended.keep_alive})
    parts = [
        f"The socket showed {' or '.join(seen)}." if seen else "",
        f"max_idle replaced {replaced} of them in time." if replaced else "",
        f"The server says Keep-Alive: {announced[0]}." if announced else "",
    ]
    return " ".join(part for part in parts if part)


def _listed(places: Iterable[str | None]) -> str:
    known = sorted({place for place in places if place})
    more = f" and {len(known) - MOST_PLACES} more" if len(known) > MOST_PLACES else ""
    return ", ".join(known[:MOST_PLACES]) + more


def _served(openings: Openings, _traffic: Traffic) -> str:
    served = [float(ended.served) for ended in _ends(openings)]
    if not served:
        return ""
    noun = "response" if max(served) == 1 else "responses"
    return f"Each had served {_span(served, lambda n: f'{n:.0f}')} {noun}."


def _idle_cure(openings: Openings, traffic: Traffic) -> str:
    ends = _ends(openings)
    if ends and all(ended.how is How.REPLACED for ended in ends):
        return "Nothing, unless the server keeps connections longer: then raise max_idle."
    limit_s, survived_s = _limit_s(ends), traffic.longest_survived_s
    if limit_s is None or survived_s < SHORTEST_KNOWN_S > 0.9 * (announced_timeout_s(ends) or 0.0):
        known = "" if limit_s is None else f" ({_seconds(limit_s)} at most)"
        return (
            f"tuned_session(max_idle=T), T below the server's time{known}, replaces it before that "
            "can meet a request. Or ask more often."
        )
    safe = _between(survived_s, limit_s, 0.9 * (announced_timeout_s(ends) or 0.0))
    kept = f"; to keep it instead, ask at least every {_seconds(survived_s)}" * bool(survived_s)
    return (
        f"tuned_session(max_idle={safe:g}) replaces it before the server's end can meet a "
        f"request{kept}."
    )


def _limit_s(ends: Sequence[Ended]) -> float | None:
    """The server's time is this at most: what it announces, or what it let nobody survive."""
    died = [ended.idle_s for ended in ends if ended.idle_s and ended.how is not How.REPLACED]
    announced_s = announced_timeout_s(ends)
    return min([*died, *([announced_s] if announced_s else [])], default=None)


def _between(survived_s: float, limit_s: float, wished_s: float) -> float:
    """A little above what survived, so that waits of that length keep their connection."""
    wanted = max(survived_s + min(0.05 * survived_s, (limit_s - survived_s) / 4), wished_s)
    if not survived_s < wanted < limit_s:
        wanted = (survived_s + limit_s) / 2
    for digits in (2, 3, 4):
        unit = 10.0 ** (math.floor(math.log10(wanted)) + 1 - digits)
        rounded = round(wanted / unit) * unit
        if survived_s < rounded < limit_s:
            return rounded
    return wanted


def _made(openings: Openings, traffic: Traffic) -> str:
    at = _listed(opening.place for opening in openings)
    return f"Sessions made at {at}." if at else _asked(openings, traffic)


def _asked(openings: Openings, _traffic: Traffic) -> str:
    at = _listed(opening.asked_at for opening in openings)
    return f"Asked for at {at}." if at else ""


def _left(openings: Openings, _traffic: Traffic) -> str:
    at = _listed(opening.left_at for opening in openings)
    return f"Asked for with stream=True at {at}." if at else _made(openings, _traffic)


def _abandoned(openings: Openings, _traffic: Traffic) -> str:
    at = _listed(ended.place for ended in _ends(openings))
    return f"Asked for with stream=True at {at}." if at else ""


def _busy(openings: Openings, _traffic: Traffic) -> str:
    return f"Up to {max(opening.busy for opening in openings) + 1} requests at once."


def _full(openings: Openings, traffic: Traffic) -> str:
    size = max(opening.pool_size or 0 for opening in openings)
    kept = f"; the pool keeps {size}" if size else ""
    return f"Up to {_together(openings, traffic)} connections at once{kept}."


def _together(openings: Openings, traffic: Traffic) -> int:
    return max(traffic.most_at_once, *(max(o.busy + 1, o.together) for o in openings))


def _enough(openings: Openings, traffic: Traffic) -> str:
    most = _together(openings, traffic)
    return f"tuned_session(threads={most}), or HTTPAdapter(pool_maxsize={most})."


def _errors(openings: Openings, _traffic: Traffic) -> str:
    errors = sorted({ended.error for ended in _ends(openings) if ended.error})
    return f"It ended in {', '.join(errors)}." if errors else ""


def _hosts(openings: Openings, _traffic: Traffic) -> str:
    return f"{len({opening.host for opening in openings})} such host asked in turn with others."


NOTHING = _said("")
ROWS: Mapping[str, Row] = {
    "first-use": Row("the first connection to this host", NOTHING, _said("Nothing: it is owed.")),
    "new-session": Row(
        "a new Session, or requests.get, began with an empty pool",
        _made,
        _said("Make one Session, keep it, and use it for every request to this host."),
    ),
    "session-closed": Row(
        "the Session had been closed, and was used again",
        _made,
        _said("Close it when the program has no more to ask."),
    ),
    "pool-evicted": Row(
        "the Session asks more hosts than it keeps pools for",
        NOTHING,
        _said("tuned_session(hosts=N) or HTTPAdapter(pool_connections=N), N the number of hosts."),
    ),
    "tls-settings-differ": Row(
        "verify or cert differ from the request before, so another pool",
        _asked,
        _said("Use one setting for all requests of a Session."),
    ),
    "proxy-differs": Row(
        "another proxy than before, so another pool",
        _asked,
        _said("Use one proxy URL, spelt the same, for all requests of a Session."),
    ),
    "concurrency": Row(
        "all kept connections were busy, and this one was kept too",
        _busy,
        _said("Nothing: each thread has its connection now."),
    ),
    "pool-too-small": Row(
        "all kept connections were busy, and the pool had no room for this one", _full, _enough
    ),
    "unread-body": Row(
        "an earlier response was never read, so its connection never came back",
        _left,
        _said("Read .content, also with stream=True; to close it unread costs its connection."),
    ),
    "abandoned-body": Row(
        "an earlier response was closed before its body had been read",
        _abandoned,
        _said("Read the rest before closing it, if it is short."),
    ),
    "failed-request": Row(
        "the request before ended in an error",
        _errors,
        _said("See to the error: a longer timeout, smaller answers, or a retry."),
    ),
    "close-announced": Row(
        'the server said "Connection: close"',
        _served,
        _said("It is the server's configuration; ask its operator to keep connections alive."),
    ),
    "close-requested": Row(
        'the program itself said "Connection: close"',
        NOTHING,
        _said('Remove that header: session.headers.pop("Connection").'),
    ),
    "http-1.0": Row(
        "the server answered in HTTP/1.0, or without saying how long the body is",
        NOTHING,
        _said("It is the server's: behind a proxy that speaks HTTP/1.1 it could keep connections."),
    ),
    "idle-timeout": Row("the server closes connections that are unused", _idle, _idle_cure),
    "request-limit": Row(
        "the server closes after a number of requests, unannounced",
        _served,
        _said("Ask its operator for a higher limit (nginx: keepalive_requests)."),
    ),
    "server-closed": Row(
        "the server closed it, for a reason that does not show",
        _idle,
        _said("Look at the timeouts of the server and of what is in between."),
    ),
    "server-reset": Row(
        "the connection was reset",
        _idle,
        _said("A load balancer or firewall that forgets connections: max_idle below its time."),
    ),
    "timeout-408": Row("the server sent an unasked-for 408 and closed", _idle, _idle_cure),
    "stray-bytes": Row(
        "bytes were waiting that belong to no response",
        NOTHING,
        _said("A fault of the server, which sends more than it says: tell its operator."),
    ),
    "tls-message": Row(
        "a TLS message made a live connection look dropped",
        NOTHING,
        _said("The server sends tickets or key updates late; it is harmless but for the cost."),
    ),
    "retry": Row(
        "the request had failed, and was sent again",
        _errors,
        _said(
            "See to why it failed. Where the server had closed it while it was unused, "
            "tuned_session(max_idle=T) spares that."
        ),
    ),
    "redirect": Row(
        "a redirect led to another host",
        NOTHING,
        _said("Ask for the final address."),
    ),
    "unknown": Row("what was seen does not say why", NOTHING, _said("")),
}
