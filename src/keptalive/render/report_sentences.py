"""What a report says of each route, in sentences. Pure text, no layout.

A number that is None is unknown, and is not mentioned.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, repeat

from keptalive.causes.sentences import lines
from keptalive.quantities import (
    SHORTEST_S,
    duration,
    host_name,
    listed,
    many,
    number,
    route_name,
)
from keptalive.records.report import UNAVOIDABLE, ConnectionReport, HostReport, Report

RANGE = (
    "The log does not show whether these connections ran in parallel. Lower number: none did; "
    "higher: all did."
)
RANGE_OF_LOST = (
    "A process left without a report. Lower number: it used its open connections one at a time; "
    "higher: all at once."
)
# In the order in which they happen: the tunnel is asked for before TLS begins in it
PHASES = {
    "dns": "DNS",
    "connect": "connect",
    "tunnel": "tunnel",
    "ca_bundle": "CA bundle",
    "tls": "TLS",
}
SMALLEST_SHARE = 1 / 20  # of the seconds of opening: a phase that is worth its name
COMMAND = 48  # characters of a command line, at most


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a report itself does not say of the program or the log that it is about.

    Attributes:
        name: of the log.
        python: which Python ran the program, where it is another one than keptalive's.
        goes_on: it has not ended.
        is_limited: limits on it are judged next.
        failed: it ended with another exit code than 0, so that it may not have done all it does.
    """

    name: str = ""
    python: str = ""
    goes_on: bool = False
    is_limited: bool = False
    failed: bool = False


NOTHING_ELSE = About()


def title(report: Report, about: About = NOTHING_ELSE) -> str:
    """What was run or read, and for how long; empty where neither is known."""
    name = " ".join(report.command) or about.name
    name = name if len(name) <= COMMAND else f"{name[: COMMAND - 1]}…"
    seconds = report.seconds or 0.0
    lasted = duration(seconds) if seconds >= SHORTEST_S else ""
    if report.window_s is not None and seconds >= report.window_s:
        return f"keptalive: the last {duration(seconds)} of a longer watch"
    if report.source == "watch" and lasted:
        return f"keptalive: {'watching for' if about.goes_on else 'watched for'} {lasted}"
    is_tuned = any(finding.finding == "tuned-run" for finding in report.findings)
    parts = [
        name,
        lasted and f"{lasted} so far" if about.goes_on else lasted,
        "with tuned Sessions" if is_tuned else "",
        about.python,
    ]
    return f"keptalive: {', '.join(part for part in parts if part)}" if name else ""


def route(host: HostReport) -> str:
    """Where its connections lead: the host, the proxy of a tunnel, the hosts behind a proxy."""
    behind = f" (proxy for {listed([*map(host_name, host.origins)])})" if host.origins else ""
    return f"{route_name(host.host, host.via)}{behind}"


def numbers(host: HostReport) -> str:
    """Its requests and connections: "120 requests, 14 connections, 1 would be enough"."""
    return ", ".join(part for part in _numbers(host) if part)


def _numbers(host: HostReport) -> Iterator[str]:
    if host.requests is not None:
        more = host.attempts is not None and host.attempts > host.requests
        sent = f" ({number(host.attempts or 0)} sent in total)" if more else ""
        at_least = "at least " if host.is_lower_bound else ""
        yield f"{at_least}{many(host.requests, 'request')}{sent}"
    if host.opened is None:
        yield from _without_openings(host)
    else:
        yield from _connections(host, host.opened)
    if host.unanswered:
        yield f"{many(host.unanswered, 'try')} without a response{_errors(host)}"
    if host.in_flight:
        yield f"{number(host.in_flight)} still in flight"


def _connections(host: HostReport, opened: int) -> Iterator[str]:
    silent = host.opened_unanswered or 0
    if opened:
        yield f"{'at least ' if host.is_lower_bound else ''}{many(opened, 'connection')}"
        yield _enough(host, opened)
        yield f"{number(silent)} more never answered" if silent else ""
    elif silent:
        yield f"{many(silent, 'connection')} never answered"
    else:
        yield "no new connection" if host.reused else "no connection"


def _enough(host: HostReport, opened: int) -> str:
    perfect = host.perfect
    if perfect is None:
        return ""
    if perfect.least < perfect.most:
        return f"{number(perfect.least)} to {number(perfect.most)} would be enough"
    if perfect.least < opened:
        at_least = "at least " if host.is_lower_bound else ""
        return f"{at_least}{number(perfect.least)} would be enough"
    return "all necessary" if opened > 1 else ""


def _without_openings(host: HostReport) -> Iterator[str]:
    """Of a log that does not show how many connections were opened."""
    if host.requests is not None:
        yield "openings not in this log"
    elif host.errors:
        yield f"{many(sum(host.errors.values()), 'try')} failed{_errors(host)}"
    if host.begun:
        yield f"{many(host.begun, 'opening')} begun"
    if host.discarded:
        pool = f" of {host.pool_size}" if host.pool_size is not None else ""
        yield f"{many(host.discarded, 'connection')} discarded by a full pool{pool}"


def _errors(host: HostReport) -> str:
    if not host.errors:
        return ""
    if len(host.errors) == 1:
        return f" ({next(iter(host.errors))})"
    return f" ({listed([f'{number(count)} × {name}' for name, count in host.errors.items()])})"


def cost(host: HostReport, *, with_saved: bool) -> str:
    """What opening its connections took, by phases; empty if that is unknown or nothing."""
    seconds = host.seconds_opening
    if seconds is None or seconds < SHORTEST_S:
        return ""
    known = [(host.phases.get(name, 0.0), words) for name, words in PHASES.items()]
    largest = sorted((one for one in known if one[0] > seconds * SMALLEST_SHARE), reverse=True)
    phases = ", ".join(f"{words} {duration(took)}" for took, words in largest)
    of_them = f" ({phases})" if phases else ""
    saved = host.seconds_saved or 0.0
    more = f"; {duration(saved)} could be saved" if with_saved and saved >= SHORTEST_S else ""
    return f"{duration(seconds)} went into opening connections{of_them}{more}."


def causes(host: HostReport) -> str:
    """Its causes in a few words, where they say more than that its connections were necessary."""
    if all(cause.cause in UNAVOIDABLE for cause in host.causes):
        return ""
    return f" ({', '.join(f'{number(cause.count)} × {cause.cause}' for cause in host.causes)})"


def likeliest(members: Sequence[str], *, longest: int) -> str:
    """Causes of which one applies, in a line: "May be idle-timeout, retry or 3 others."."""
    *named, last = members
    line = f"May be {', '.join(named)} or {last}." if named else f"May be {last}."
    others = 1
    while named and len(line) > longest:
        named.pop()
        others += 1
        line = f"May be {', '.join(named)} or {others} others."
    return line if named or others == 1 else f"May be one of {others} causes."


def ends_of(connections: Sequence[ConnectionReport]) -> dict[int, str]:
    """By its id, how each connection ended: the cause of the one that replaces it, if any does."""
    causes = {one.replaces: one.cause for one in connections if one.replaces is not None}
    return {
        one.id: causes.get(one.id) or one.end.error or one.end.how
        for one in connections
        if one.end is not None
    }


def left_open(report: Report) -> str:
    """Connections that nobody closed, where their Sessions were made, and what closes them."""
    said = []
    if report.left_open:
        at = lines(dict(zip(report.left_at, chain(report.left_each, repeat(1)), strict=False)))
        made = f" (Session made at {at})" if at else ""
        said.append(f"Left open at the end: {many(report.left_open, 'connection')}{made}.")
    if report.unclosed_at:
        number = many(sum(report.unclosed_at.values()), "connection")
        made = lines(report.unclosed_at)
        said.append(f"Never closed, but collected: {number} (Session made at {made}).")
    return " ".join([*said, "Use session.close(), or a with statement."]) if said else ""
