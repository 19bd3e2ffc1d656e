"""What the records show of requests that failed on connections: numbers and names, no sentences.

As in `facts`, each function takes the openings that have the cause, and the route's pattern.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from keptalive.causes.facts import Facts, Openings, idle_range, known, requested, served
from keptalive.causes.failures import CLOSED_UNDER_IT, FIRST_ERROR, TIMEOUTS
from keptalive.causes.patterns import (
    JITTER_S,
    SHORTEST_IDLE_S,
    SHORTEST_SURVIVED_S,
    Pattern,
    announced_timeout_s,
    safe_max_idle_s,
)
from keptalive.records.connection import CloseReason, ConnectionEnd


def failed(openings: Openings, pattern: Pattern) -> Facts:
    """Requests that failed for a reason of their own, or of the server's."""
    ends = _ends(openings)
    kinds = {end.beneath or end.error for end in ends}
    timeouts = [end for end in ends if end.beneath in TIMEOUTS and not end.answered]
    seen = {
        **failures(ends),
        "acknowledged": sum(end.acknowledged is True for end in timeouts),
        "unacknowledged": sum(end.acknowledged is False for end in timeouts),
        "closed_unanswered": bool(kinds) and kinds <= CLOSED_UNDER_IT,
        "broken_off": sum(end.answered and end.beneath not in TIMEOUTS for end in ends),
    }
    return {**_not_0(seen), **requested(openings, pattern)}


def stale(openings: Openings, pattern: Pattern) -> Facts:
    """Connections that the server was closing when a request took them."""
    ends = _ends(openings)
    facts = _idle(ends, pattern)
    by_responses = {} if "died_s" in facts else served(openings, pattern)
    seen = {**failures(ends), "new_connections_failed": pattern.fresh_failed}
    return {**facts, **by_responses, **_not_0(seen), **requested(openings, pattern)}


def dropped(openings: Openings, pattern: Pattern) -> Facts:
    """Connections that the path had forgotten when a request took them, or before."""
    ends = _ends(openings)
    ids = {o.predecessor.id for o in openings if o.predecessor is not None}
    silent = [o.end for o in openings if o.end is not None and o.end.how is CloseReason.SILENT]
    seen = {
        **failures(ends),
        "proven": len(ids & pattern.proven),
        "likely": len(ids & (pattern.dropped - pattern.proven)),
        "probes_unanswered": len(silent),
    }
    return {**_idle([*ends, *silent], pattern), **_not_0(seen), **requested(openings, pattern)}


def failures(ends: Sequence[ConnectionEnd]) -> Facts:
    """In which errors requests ended, what they cost, and whether urllib3 sent them again."""
    names = Counter(name for end in ends if (name := _name(end)))
    left = Counter(end.method or "?" for end in ends if end.sent_again is False)
    seen = {
        "errors": dict(names.most_common()),
        "seconds_lost": round(sum(end.lost_s or 0.0 for end in ends), 3),
        "sent_again": sum(end.sent_again is True for end in ends),
        "not_sent_again": dict(left.most_common()),
    }
    return _not_0(seen)


def retried(openings: Openings) -> Facts:
    """For which statuses requests were sent again, whose connections these are."""
    reasons = (o.connection.facts for o in openings)
    statuses = Counter(f.retried_for for f in reasons if f.retry and f.retried_for)
    return _not_0({"retried_for": dict(statuses.most_common())})


def announced(openings: Openings, pattern: Pattern) -> Facts:
    """What the predecessors had served, and after which statuses they closed, if after errors.

    Many servers keep connections, but close after an answer such as 400, 401 or 503.
    """
    ends = (opening.end for opening in openings)
    statuses = Counter(end.status for end in ends if end is not None and end.status is not None)
    facts = served(openings, pattern)
    if any(status >= FIRST_ERROR for status in statuses):
        facts["closed_after"] = {str(status): n for status, n in statuses.most_common()}
    return facts


def _not_0(facts: Facts) -> Facts:
    """Without what was not seen at all."""
    return {name: value for name, value in facts.items() if value}


def _ends(openings: Openings) -> list[ConnectionEnd]:
    ends = (opening.end for opening in openings)
    return [end for end in ends if end is not None and end.how is CloseReason.FAILED]


def _name(end: ConnectionEnd) -> str | None:
    """What is beneath says more, unless it is that some time was over."""
    return end.error if end.beneath in (None, "TimeoutError") else end.beneath


def _idle(ends: Iterable[ConnectionEnd], pattern: Pattern) -> Facts:
    """How long they had been idle, what others survived, and a ``max_idle`` in between."""
    ends = list(ends)
    idle_s = [end.idle_s for end in ends if end.idle_s is not None]
    long_s = [one for one in idle_s if one >= SHORTEST_IDLE_S]
    facts = idle_range(idle_s)
    if not long_s:
        return facts
    died_s, announced_s = min(long_s), announced_timeout_s(ends)
    # times within the jitter of each other say nothing of which is the longer one
    survived_s = pattern.survived_below_s(died_s - JITTER_S)
    facts["died_s"] = round(died_s, 3)
    facts["keep_alive"] = next((end.keep_alive for end in ends if end.keep_alive), None)
    if survived_s >= SHORTEST_SURVIVED_S:
        facts["survived_s"] = round(survived_s, 3)
    if pattern.longest_survived_s > died_s + JITTER_S:
        facts["longest_survived_s"] = round(pattern.longest_survived_s, 3)
    facts["max_idle_s"] = safe_max_idle_s(died_s, survived_s, announced_s)
    return known(facts)
