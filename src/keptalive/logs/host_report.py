"""The report of one host of a log. What its lines do not show is None, never a false 0.

A host is of one of four kinds: it has openings and responses, or openings that truly failed, and
then all is counted; openings, in a log that has no responses; responses, of a client that logs no
openings; or warnings only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, fields
from typing import Any

from keptalive.causes.log_sets import (
    BUSY,
    CONCURRENCY,
    DROPPED,
    DROPPED_AT_ONCE,
    FIRST,
    FIRSTS,
    FULL,
    NOT_RETURNED,
    SETS,
    cure,
    members_of,
    perfect,
)
from keptalive.logs.full_pools import FullPool
from keptalive.logs.host import THREADS_KEPT, LogHost
from keptalive.records.counts import HostCounts
from keptalive.records.report import Cause, HostReport, Range


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of a whole log.

    Attributes:
        threads: it tells its threads apart.
        answering: the loggers of it that log responses.
    """

    threads: bool
    answering: Set[str]

    def one_thread(self, host: LogHost) -> bool:
        """Whether only one thread, of each process, uses this host."""
        return self.threads and host.most_threads == 1 and len(host.threads) < THREADS_KEPT

    def fails(self, host: LogHost) -> bool:
        """Whether openings without a response have failed: others of this log have responses."""
        return not self.answering.isdisjoint(host.loggers)


def is_counted(host: LogHost, known: Known) -> bool:
    """Whether this log shows which connections to the host were opened, and which were not."""
    answered = host.opened + host.reused > 0
    return bool(host.connects) and (answered or known.fails(host))


def report_of(host: LogHost, known: Known) -> HostReport:
    """The host as a report has it.

    Args:
        host: what was read; nothing more will come.
        known: of the log.
    """
    counts = host.counts(host=_name(host))
    counts.errors = dict(host.failures.errors)
    counts.discarded, counts.pool_size = host.discarded or None, host.pool_size
    attempts = counts.attempts
    causes: Mapping[str, int] = _with_concurrency(host, known)
    if not is_counted(host, known):
        causes = {}
        counts.connects = counts.opened = counts.reopened = counts.reused = None
        if not host.reused:
            attempts = counts.requests = counts.unanswered = counts.in_flight = None
            counts.begun = host.connects or None
            causes = host.begun
    return HostReport(
        **_shared(counts),
        attempts=attempts,
        perfect=None if counts.opened is None else _perfect(host, known),
        seconds_saved=None,
        causes=tuple(
            _cause(cause, count, host, known)
            for cause, count in sorted(causes.items(), key=_necessary_last)
        ),
    )


def _name(host: LogHost) -> str:
    """As its lines call it: a client that logs no openings may name no port either."""
    is_nameless = host.reused and not host.connects and not host.has_port
    return host.name.rpartition(":")[0] if is_nameless else host.name


def _perfect(host: LogHost, known: Known) -> Range:
    threads = len(host.threads)
    return perfect(
        host.causes,
        host.opened,
        threads=threads if known.threads and threads < THREADS_KEPT else None,
        one_thread=known.one_thread(host),
        at_once=host.at_once.most if known.threads else 0,
    )


def _with_concurrency(host: LogHost, known: Known) -> Mapping[str, int]:
    """Of one pool that had no free connection, those were necessary that were opened at once."""
    causes = host.causes
    if not known.threads or not set(causes) <= {FIRST, BUSY}:
        return causes
    necessary = min(host.at_once.most - causes[FIRST], causes[BUSY])
    if necessary <= 0:
        return causes
    rest = {BUSY: causes[BUSY] - necessary} if causes[BUSY] > necessary else {}
    return {FIRST: causes[FIRST], CONCURRENCY: necessary, **rest}


def _shared(counts: HostCounts) -> dict[str, Any]:
    """The counts that a report has under the same names."""
    both = {one.name for one in fields(HostCounts)} & {one.name for one in fields(HostReport)}
    both.remove("origins")  # which no log names
    return {name: getattr(counts, name) for name in both}


def _necessary_last(cause: tuple[str, int]) -> tuple[bool, int, str]:
    name, count = cause
    return name in (*FIRSTS, CONCURRENCY), -count, name


def _cause(name: str, count: int, host: LogHost, known: Known) -> Cause:
    one_thread = known.one_thread(host)
    if name == BUSY and host.discarded:
        full = full_pool(host, known)
        return Cause(
            cause=FULL,
            members=members_of(FULL, one_thread=one_thread),
            count=count,
            facts=full.facts(),
            evidence=full.evidence(),
            cure=full.cure(),
        )
    if name == BUSY and one_thread:
        name = NOT_RETURNED
    facts = _FACTS[name](host) if name in _FACTS else {}
    return Cause(
        cause=name,
        members=members_of(name, one_thread=one_thread) if name in SETS else None,
        count=count,
        facts=facts,
        evidence=_EVIDENCE[name](host) if facts else "",
        cure=cure(name),
    )


# -- Idle times, and how many responses came before ----------------------------------------------


def _idle_facts(host: LogHost) -> Mapping[str, Any]:
    if not host.idle:
        most_s = _idle_most_s(host)
        return {} if most_s is None else {"idle_most_s": round(most_s, 3)}
    survived = {"survived_s": round(host.survived_s, 3)} if host.survived_s >= 1 else {}
    return {"idle_s": host.idle.facts(), "idle_is_least": host.idle_is_least, **survived}


def _idle(host: LogHost) -> str:
    if not host.idle:
        return (
            f"One was idle for at most {_idle_most_s(host):.1f} s: the time between two openings."
        )
    least = "at least " if host.idle_is_least else ""
    said = f"Idle for {least}{host.idle.text('.1f')} s"
    if host.survived_s >= 1:
        said += f"; a kept connection still worked after {host.survived_s:.1f} s"
    return f"{said}."


def _idle_most_s(host: LogHost) -> float | None:
    """Of one of the dropped connections: it was opened after the one before.

    That is known where there is only one at a time, though no response of it is in the log.
    """
    only = host.begun[FIRST] == 1 and set(host.begun) == {FIRST, DROPPED}
    shortest_s = host.shortest_s
    return shortest_s if only and shortest_s is not None and shortest_s > 0 else None


def _served_facts(host: LogHost) -> Mapping[str, Any]:
    return {"served": host.served.facts()} if host.served else {}


def _served(host: LogHost) -> str:
    return f"Responses on each: {host.served.text('.0f')}."


# -- No free connection --------------------------------------------------------------------------


def full_pool(host: LogHost, known: Known) -> FullPool:
    """What is known of a pool that was full."""
    return FullPool(
        discarded=host.discarded,
        pool_size=host.pool_size,
        threads=host.most_threads if known.threads else None,
        seen_at_once=host.at_once.most if known.threads else 0,
    )


def _busy_facts(host: LogHost) -> Mapping[str, Any]:
    first, last = host.ordinals.first, host.ordinals.last
    if not host.ordinals.in_turn or first is None or last is None or first == last:
        return {}
    return {
        "ordinals": {"least": first, "most": last},
        "reused": host.reused if host.opened else None,
    }


def _busy(host: LogHost) -> str:
    facts = _busy_facts(host)
    first, last = facts["ordinals"].values()
    said = f"Numbered {first} to {last} in turn: one pool"
    if facts["reused"] is None:
        said += ", whose connections never came back, or were all busy"
    elif not facts["reused"]:
        said += ", and none of its connections was used again"
    before = first - 1
    if before:
        were = "was" if before == 1 else "were"
        said += f"; {before} {were} opened before this log begins"
    return f"{said}."


_Facts = Callable[[LogHost], Mapping[str, Any]]
_FACTS: dict[str, _Facts] = {
    DROPPED: _idle_facts,
    DROPPED_AT_ONCE: _served_facts,
    BUSY: _busy_facts,
    NOT_RETURNED: _busy_facts,
}
_EVIDENCE: dict[str, Callable[[LogHost], str]] = {
    DROPPED: _idle,
    DROPPED_AT_ONCE: _served,
    BUSY: _busy,
    NOT_RETURNED: _busy,
}
