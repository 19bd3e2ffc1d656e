"""Events of a probe to its report: no socket, no clock, no environment."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence
from typing import Literal, cast

from keptalive.probe.advice import Known, advice_of, announced_timeout
from keptalive.probe.events import Answered, Event, Loaded
from keptalive.probe.findings import Facts, findings_of
from keptalive.probe.history import NOTHING_SEEN, History, ended_at, histories
from keptalive.probe.idle import Idle, idle_of
from keptalive.probe.limits import Limit, limit_of
from keptalive.records.connection import CloseReason
from keptalive.records.probe import Announced, OpeningCost, ProbeReport


def judged(events: Sequence[Event], *, url: str, via: str | None = None) -> ProbeReport:
    """What these events say of the server.

    Args:
        events: in the order of their times; there is at least one response.
        url: that was probed, without secrets.
        via: the proxy.
    """
    ended = ended_at(events)
    all_ = histories(events)
    first = _first_answer(all_)
    idle = idle_of(all_, ended)
    limit = limit_of(all_, idle)
    keeps = _keeps(all_, idle, limit)
    cost = _cost(events, all_)
    facts = Facts(
        events=events,
        histories=all_,
        first=first,
        keeps=keeps,
        idle=idle,
        limit=limit,
        via=via,
        ended=ended.why,
        resumes=_resumes(all_),
    )
    return ProbeReport(
        url=url,
        address=all_[0].opened.address,
        via=via,
        seconds=ended.at_s,
        requests=sum(len(one.exchanges) for one in all_),
        connections=len(all_),
        status=first.status,
        http_version=first.version,
        keeps_connections=keeps,
        announced=Announced(keep_alive=first.keep_alive, connection=first.connection_header),
        idle_timeout_s=idle.timeout,
        idle_watched_s=idle.watched_s,
        request_limit=limit.responses,
        requests_tried=limit.tried,
        closes_with=_closes_with(all_, limit),
        close_announced=_close_announced(idle, limit, keeps=keeps),
        resumes_tls=facts.resumes,
        opening_s=cost,
        findings=tuple(findings_of(facts)),
        advice=advice_of(_known(facts, cost)),
        ended=cast('Literal["done", "budget", "interrupted", "refused"]', ended.why),
    )


def _known(facts: Facts, cost: OpeningCost) -> Known:
    return Known(
        keeps=facts.keeps,
        idle=facts.idle,
        limit=facts.limit.responses,
        announced_s=announced_timeout(facts.first.keep_alive),
        strays=_strays(facts.histories),
        rtt_s=_rtt_s(facts.histories),
        cost=cost,
    )


def _first_answer(all_: Sequence[History]) -> Answered:
    """The response to what was asked for: the last of the redirects that were followed.

    All of them, and the response that ends them, come before a second connection is used twice.
    """
    answers = [answer for one in all_ for answer in one.answers]
    redirects = 300 <= answers[0].status < 400
    return next((one for one in answers if redirects and not 300 <= one.status < 400), answers[0])


def _keeps(all_: Sequence[History], idle: Idle, limit: Limit) -> bool:
    if any(gap.survived for one in all_ for gap in one.gaps):
        return True
    if limit.responses == 1:
        return False  # at the latest when a second request comes
    if idle.timeout is not None:
        return True
    return any(one.answers and not one.announced and one.end is None for one in all_)


def _closes_with(all_: Sequence[History], limit: Limit) -> str:
    """How idle connections are closed; where none was, how others are."""
    of_idle = [
        one.ends_with for one in all_ if one.idle_at_end_s is not None and one.ends_with is not None
    ]
    others = [one.ends_with for one in all_ if one.ends_with is not None]
    if of_idle:
        return Counter(of_idle).most_common(1)[0][0]
    return limit.ends_with or (others[0] if others else NOTHING_SEEN)


def _close_announced(idle: Idle, limit: Limit, *, keeps: bool) -> bool | None:
    if limit.responses is not None or limit.age_s is not None:
        return limit.announced
    if not keeps:
        return False
    return None if idle.timeout is None else False


def _strays(all_: Sequence[History]) -> bool:
    """Whether such bytes came on each connection that is kept, after its first response."""
    return bool(all_) and all(
        one.shows(CloseReason.STRAY_BYTES) and len(one.answers) == 1 for one in all_ if one.answers
    )


def _resumes(all_: Sequence[History]) -> bool | None:
    offered = [one.opened.resumed for one in all_ if one.opened.resumed is not None]
    return any(offered) if offered else None


def _rtt_s(all_: Sequence[History]) -> float:
    return min(answer.head_s - answer.sent_s for one in all_ for answer in one.answers)


def _cost(events: Sequence[Event], all_: Sequence[History]) -> OpeningCost:
    loaded = next((one for one in events if isinstance(one, Loaded)), None)
    phases = [one.opened.phases for one in all_]
    fresh = [one.opened.phases for one in all_ if not one.opened.resumed]
    tls = [one["tls"] for one in fresh if "tls" in one]
    return OpeningCost(
        dns=0.0 if loaded is None else loaded.dns_s,
        connect=statistics.median(one["connect"] for one in phases),
        tls=statistics.median(tls) if tls else None,
        ca_bundle=None if loaded is None else loaded.ca_bundle_s,
    )
