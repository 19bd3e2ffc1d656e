"""Why each connection was opened: openings in, causes out.

Openings are judged in the order in which they happened, each by the first rule that fits. Some
patterns show only in all of them together: a server's idle timeout in the times that connections
survived and did not, its request limit in a count that recurs. Nothing is guessed: where the
evidence does not say, the cause is `unknown` or the plain `server-closed`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from keptalive.records.evidence import Ended, How, Opening, Traffic

# An idle time below this tells nothing: a server that closes after each response looks the same
SHORTEST_IDLE_S = 0.5
_TIMEOUT = re.compile(r"timeout\s*=\s*(\d{1,9})", re.IGNORECASE)
CLEAN = (How.FIN, How.TLS_CLOSE)  # the server's doing, in good order
JITTER_S = 0.1  # two waits of the same length differ by less


@dataclass(slots=True)
class Known:
    """What the openings before this one have shown."""

    hosts: set[str] = field(default_factory=set)
    # (owner, host) -> the settings of its pools -> how often it had been closed by then
    pools: dict[tuple[int, str], dict[tuple[str, str | None], int]] = field(default_factory=dict)

    def add(self, opening: Opening) -> None:
        """Remember this one for those after it."""
        self.hosts.add(opening.host)
        pools = self.pools.setdefault((opening.owner, opening.host), {})
        pools[opening.tls, opening.proxy] = opening.closings


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """What all of a host's openings show together."""

    longest_survived_s: float = 0.0
    request_limit: int | None = None


def judged(openings: Iterable[Opening], traffic: Mapping[str, Traffic]) -> list[str]:
    """The cause of each opening, in their order: a name of the contract's table."""
    openings = list(openings)
    patterns = {
        host: pattern_of([o for o in openings if o.host == host], traffic.get(host, Traffic()))
        for host in {opening.host for opening in openings}
    }
    known = Known()
    causes = []
    for opening in openings:
        causes.append(cause_of(opening, known, patterns[opening.host]))
        if opening.answered:  # what came to nothing owes nobody anything
            known.add(opening)
    return causes


def pattern_of(openings: Sequence[Opening], traffic: Traffic) -> Pattern:
    """What these openings of one host show together."""
    survived = traffic.longest_survived_s
    at_once = [
        opening.ended.served
        for opening in openings
        if opening.ended is not None
        and opening.ended.how in CLEAN
        and opening.ended.idle_s is not None
        and not _too_long_idle(opening.ended, survived)
    ]
    limit, times = max(Counter(at_once).items(), default=(0, 0))
    constant = times >= 2 and times == len(at_once) and limit >= traffic.most_served
    return Pattern(longest_survived_s=survived, request_limit=limit if constant else None)


def announced_timeout_s(ends: Sequence[Ended]) -> float | None:
    """What ``Keep-Alive: timeout=`` promised, the least of them; None where nothing did."""
    found = (_TIMEOUT.search(ended.keep_alive or "") for ended in ends)
    return min((float(match[1]) for match in found if match), default=None)


def _too_long_idle(ended: Ended, longest_survived_s: float) -> bool:
    idle_s, announced_s = ended.idle_s or 0.0, announced_timeout_s([ended])
    if announced_s is not None and idle_s >= announced_s - JITTER_S:
        return True
    return idle_s >= SHORTEST_IDLE_S and idle_s > longest_survived_s + JITTER_S


def cause_of(opening: Opening, known: Known, pattern: Pattern) -> str:
    """The cause of one opening: that of the first rule that applies."""
    for cause, applies in RULES:
        if applies(opening, known, pattern):
            return cause
    return "unknown"


Rule = Callable[[Opening, Known, Pattern], bool]


def _ended(test: Callable[[Ended, Pattern], bool]) -> Rule:
    def rule(opening: Opening, _known: Known, pattern: Pattern) -> bool:
        return opening.ended is not None and test(opening.ended, pattern)

    return rule


def _how(*hows: How) -> Rule:
    return _ended(lambda ended, _pattern: ended.how in hows)


def _closed_here(test: Callable[[Ended], bool]) -> Rule:
    return _ended(lambda ended, _pattern: ended.how is How.CLOSED_HERE and test(ended))


def _new_pool(test: Callable[[Opening, Known], bool]) -> Rule:
    return lambda opening, known, _pattern: opening.pool_is_new and test(opening, known)


def _same_pool_before(opening: Opening, known: Known) -> int | None:
    pools = known.pools.get((opening.owner, opening.host), {})
    return pools.get((opening.tls, opening.proxy))


def _differs(test: Callable[[Opening, str, str | None], bool]) -> Rule:
    def rule(opening: Opening, known: Known, _pattern: Pattern) -> bool:
        pools = known.pools.get((opening.owner, opening.host), {})
        return opening.pool_is_new and any(test(opening, tls, proxy) for tls, proxy in pools)

    return rule


def _was_closed(opening: Opening, known: Known) -> bool:
    before = _same_pool_before(opening, known)
    return before is not None and opening.closings > before


# In this order: what befell the request itself, then why its owner had no pool, then why the pool
# had no connection, then how the one that it had was found
RULES: Sequence[tuple[str, Rule]] = (
    ("retry", lambda opening, _known, _pattern: opening.retry),
    (
        "redirect",
        _new_pool(lambda opening, known: opening.redirected and opening.host not in known.hosts),
    ),
    ("first-use", _new_pool(lambda opening, known: opening.host not in known.hosts)),
    ("session-closed", _new_pool(_was_closed)),
    (
        "pool-evicted",
        _new_pool(lambda opening, known: _same_pool_before(opening, known) is not None),
    ),
    ("proxy-differs", _differs(lambda opening, _tls, proxy: proxy != opening.proxy)),
    ("tls-settings-differ", _differs(lambda opening, tls, _proxy: tls != opening.tls)),
    ("new-session", _new_pool(lambda _opening, _known: True)),
    ("close-requested", _closed_here(lambda ended: ended.requested)),
    ("close-announced", _closed_here(lambda ended: ended.announced)),
    ("http-1.0", _closed_here(lambda ended: ended.unframed)),
    ("failed-request", _ended(lambda ended, _pattern: ended.error is not None)),
    ("abandoned-body", _closed_here(lambda ended: ended.unread)),
    ("server-reset", _how(How.RESET)),
    ("timeout-408", _how(How.TIMEOUT_408)),
    ("stray-bytes", _how(How.STRAY_BYTES)),
    ("tls-message", _how(How.TLS_MESSAGE)),
    ("idle-timeout", _how(How.REPLACED)),
    # first: a connection that reaches a limit never comes to be idle
    (
        "request-limit",
        _ended(lambda ended, pattern: ended.how in CLEAN and ended.served == pattern.request_limit),
    ),
    (
        "idle-timeout",
        _ended(
            lambda ended, pattern: (
                ended.how in CLEAN and _too_long_idle(ended, pattern.longest_survived_s)
            )
        ),
    ),
    ("server-closed", _how(*CLEAN)),
    ("unread-body", lambda opening, _known, _pattern: opening.unread > 0),
    (
        "pool-too-small",
        lambda opening, _known, _pattern: opening.busy > 0 and opening.discarded,
    ),
    ("concurrency", lambda opening, _known, _pattern: opening.busy > 0),
)
