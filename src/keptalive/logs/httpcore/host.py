"""One route of httpx's, as a log shows it: what was counted of it, and its report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from keptalive.causes.hosts import WORTH_SAVING_S
from keptalive.causes.log_sets import (
    CLIENT_CLOSED,
    EXPIRED,
    SETS,
    SURPLUS,
    httpx_cure,
)
from keptalive.logs.host import Span
from keptalive.logs.httpcore.messages import Place
from keptalive.records.report import UNAVOIDABLE, Cause, HostReport, Range


@dataclass(slots=True)
class CauseTally:
    """Connections with one cause."""

    count: int = 0
    unanswered: int = 0
    seconds: float = 0.0

    def absorb(self, other: CauseTally) -> None:
        """They have this cause as well."""
        self.count += other.count
        self.unanswered += other.unanswered
        self.seconds += other.seconds


@dataclass(slots=True, eq=False)
class HttpcoreHost:
    """What was counted of one route.

    Attributes:
        name, port, scheme, via: the route, as far as it is known.
        origins: of a forward proxy, whom it was asked for.
        leads_to: of a proxy, the routes of its tunnels.
        proxy: of a tunnel, its proxy.
        most_at_proxy: of a tunnel, the most requests in flight at once through its proxy.
        survived_s: the longest idle time after which a connection still served.
        unsure: responses on kept connections that may be another host's.
        seconds_lost: spent on tries that failed on a kept connection.
    """

    name: str
    port: int = 0
    scheme: str = ""
    via: str | None = None
    origins: dict[str, None] = field(default_factory=dict)
    leads_to: set[HttpcoreHost] = field(default_factory=set)
    proxy: HttpcoreHost | None = None
    most_at_proxy: int = 0
    requests: int = 0
    connects: int = 0
    opened: int = 0
    opened_unanswered: int = 0
    reused: int = 0
    unanswered: int = 0
    in_flight: int = 0
    unsure: int = 0
    errors: dict[str, int] = field(default_factory=dict)
    phases: dict[str, float] = field(default_factory=dict)
    seconds_lost: float = 0.0
    survived_s: float = 0.0
    causes: dict[str, CauseTally] = field(default_factory=dict)
    idle: dict[str, Span] = field(default_factory=dict)

    def note_idle(self, cause: str, idle_s: float) -> None:
        """A connection that is replaced for this cause had been unused for so long."""
        self.idle.setdefault(cause, Span()).add(idle_s)

    def add_opening(self, cause: str, phases: dict[str, float], *, answered: bool) -> None:
        """A connection was opened, and had a response or not."""
        tally = self.causes.setdefault(cause, CauseTally())
        tally.count += answered
        tally.unanswered += not answered
        tally.seconds += sum(phases.values())
        for phase, seconds in phases.items():
            self.phases[phase] = self.phases.get(phase, 0.0) + seconds

    @property
    def is_alone_at_proxy(self) -> bool:
        """It is a tunnel, and its proxy has no other."""
        return self.proxy is not None and len(self.proxy.leads_to) == 1

    def fits(self, place: Place) -> bool:
        """Whether a URL's host may be this one."""
        return self.name == place.host and self.port in (0, place.port)

    @property
    def label(self) -> str:
        """As a report names it."""
        if self.scheme == "unix":
            return f"unix:{self.name}"
        scheme = self.scheme or ("https" if self.port in (443, 8443) else "http")
        host = f"[{self.name}]" if ":" in self.name else self.name
        port = self.port or (80 if scheme == "http" else 443)
        return f"{scheme}://{host}:{port}"


def report_of(host: HttpcoreHost, *, perfect: Range, most_at_once: int, timed: bool) -> HostReport:
    """The host as a report has it.

    Args:
        host: the host.
        perfect: what perfect reuse would have opened.
        most_at_once: the most requests in flight at once.
        timed: the log has times with parts of a second.
    """
    unsure = host.unsure > 0
    if not host.reused and SURPLUS in host.causes:  # a client keeps some of them, if it is one
        surplus = host.causes.pop(SURPLUS)
        host.causes.setdefault(CLIENT_CLOSED, CauseTally()).absorb(surplus)
    seconds = sum(host.phases.values(), 0.0) if timed else None
    causes = [
        _cause(name, tally, host, timed=timed)
        for name, tally in sorted(host.causes.items(), key=_order)
    ]
    return HostReport(
        host=host.label,
        via=host.via,
        origins=tuple(host.origins),
        requests=None if unsure else host.requests,
        attempts=None if unsure else host.opened + host.reused + host.unanswered + host.in_flight,
        connects=host.connects,
        opened=host.opened,
        opened_unanswered=host.opened_unanswered,
        reopened=None,
        reused=None if unsure else host.reused,
        unanswered=host.unanswered,
        in_flight=host.in_flight,
        errors=dict(host.errors),
        perfect=perfect,
        most_at_once=most_at_once,
        seconds_opening=seconds,
        seconds_saved=_saved(host, perfect) if timed else None,
        seconds_waiting_for_pool=None,
        seconds_lost=host.seconds_lost if timed else None,
        phases=dict(host.phases) if timed else {},
        causes=tuple(causes),
    )


def _order(cause: tuple[str, CauseTally]) -> tuple[bool, float, int, str]:
    name, tally = cause
    return name in UNAVOIDABLE, -tally.seconds, -tally.count, name


def _saved(host: HttpcoreHost, perfect: Range) -> float | None:
    """The share of what opening the avoidable ones took; None if it is unknown.

    So it is as long as perfect is a range, and of clients that are made for each request, if it
    is little: each loads the CA bundle as well, which no line shows.
    """
    if perfect.least != perfect.most:
        return None
    avoidable = [tally for name, tally in host.causes.items() if name not in UNAVOIDABLE]
    number = sum(tally.count for tally in avoidable)
    if not number:
        return 0.0
    seconds = sum(t.seconds * t.count / (t.count + t.unanswered) for t in avoidable if t.count)
    saved_s = seconds * min(1.0, max(0, host.opened - perfect.most) / number)
    makes_clients = "new-session" in host.causes or CLIENT_CLOSED in host.causes
    return None if makes_clients and saved_s < WORTH_SAVING_S else saved_s


def _cause(name: str, tally: CauseTally, host: HttpcoreHost, *, timed: bool) -> Cause:
    span = host.idle.get(name)
    facts: dict[str, Any] = {} if span is None else {"idle_s": span.facts()}
    if host.survived_s >= 1 and span is not None:
        facts["survived_s"] = round(host.survived_s, 3)
    said = _EVIDENCE.get(name, _idle)(host, span)
    return Cause(
        cause=name,
        members=SETS[name].members if name in SETS else None,
        count=tally.count,
        unanswered=tally.unanswered,
        seconds=tally.seconds if timed else None,
        facts=facts,
        evidence=said,
        cure=httpx_cure(name),
    )


def _idle(host: HttpcoreHost, span: Span | None) -> str:
    if span is None:
        return ""
    said = f"Idle for {span.text('.1f')} s"
    if host.survived_s >= 1:
        said += f"; a kept connection still worked after {host.survived_s:.1f} s"
    return f"{said}."


def _expired(host: HttpcoreHost, span: Span | None) -> str:
    return f"{_idle(host, span)} A client closes what is idle for 5 s, unless it is told otherwise."


_EVIDENCE: dict[str, Callable[[HttpcoreHost, Span | None], str]] = {
    EXPIRED: _expired,
    "new-session": lambda _host, _span: "Another client than the one before opened it.",
    "unread-body": lambda _host, _span: "Earlier responses were streamed and not read to the end.",
}
