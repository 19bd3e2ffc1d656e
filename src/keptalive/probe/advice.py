"""What to do about a server: the line of code to use, and why."""

from __future__ import annotations

import re
from dataclasses import dataclass

from keptalive.probe.idle import Idle
from keptalive.quantities import duration, many
from keptalive.records.probe import Advice, OpeningCost

SESSION = "tuned_session()"
_SHARE = 0.04  # of the idle timeout: how far below it a connection is replaced
_LEAST_S = 0.1
_OF_A_SWEEP = 0.25  # waitress looks every 30 s for what was idle for 120 s
_OF_WHOLE_SECONDS_S = 2.0  # lighttpd counts these, and looks once a second: up to so much later
_MOST_SHARE = 0.5
_TOO_SHORT_S = 1.0  # an announced timeout: undici does not reuse below it
_PROBES_S = 50.0  # by then, the tuned Session's first TCP keepalive probe has come: 45 s, or later


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What advice is made from.

    Attributes:
        keeps: a second request can be sent on a connection.
        limit: so many responses come on one; None: no limit was met.
        announced_s: from ``Keep-Alive: timeout=N``.
        strays: bytes of no response come after each response.
        rtt_s: the shortest time to the head of a response.
    """

    keeps: bool
    idle: Idle
    limit: int | None
    announced_s: float | None
    strays: bool
    rtt_s: float
    cost: OpeningCost


def announced_timeout(header: str | None) -> float | None:
    """The seconds of ``Keep-Alive: timeout=5, max=100``."""
    return _number("timeout", header)


def announced_max(header: str | None) -> int | None:
    """The requests of ``Keep-Alive: timeout=5, max=100``: how many more the server allows."""
    number = _number("max", header)
    return None if number is None else int(number)


def _number(name: str, header: str | None) -> float | None:
    found = re.search(rf"(?:^|[,;\s]){name}\s*=\s*\"?([0-9]{{1,9}})\b", header or "", re.IGNORECASE)
    return None if found is None else float(found[1])


def advice_of(known: Known) -> Advice:
    """The line of code to use with this server."""
    if not known.keeps:
        return Advice(code=SESSION, max_idle_s=None, why=_without_reuse(known.cost))
    if known.strays:
        why = (
            "requests opens another connection whenever such bytes come, whatever the Session. "
            "Only the server can change that."
        )
        return Advice(code=SESSION, max_idle_s=None, why=why)
    idle = known.idle
    announced_s = known.announced_s
    if announced_s is not None and announced_s <= _TOO_SHORT_S and idle.timeout is None:
        why = f"The server announces timeout={announced_s:g}, so this Session uses none of its "
        return _learns(_rounded(0.5 * announced_s), f"{why}connections again.")
    limits_s = [
        *([_below(idle.timeout.least, known)] if idle.timeout else []),
        *([_below(announced_s, known)] if announced_s else []),
        *([idle.survived_s or 0.0] if idle.dropped else []),
    ]
    if limits_s:
        max_idle_s = _rounded(min(limits_s))
        if idle.dropped and idle.timeout is None:
            return _of_path(max_idle_s, forgotten_s=idle.dropped[0].idle_s)
        return _learns(max_idle_s, _why(idle), known.limit)
    safe_s = idle.survived_s or idle.watched_s
    if safe_s < 1.0:
        why = "Idle connections were not watched for long enough to say more."
        return Advice(code=SESSION, max_idle_s=None, why=why)
    was = "worked" if idle.survived_s else "was kept open"
    why = (
        f"A connection idle for {duration(safe_s)} {was}; longer was not tried. The Session learns "
        "the rest."
    )
    return _learns(_rounded(0.98 * safe_s), why, known.limit)


def _below(timeout_s: float, known: Known) -> float:
    sweeps = known.idle.sweeps
    late_s = max(_OF_A_SWEEP * timeout_s, _OF_WHOLE_SECONDS_S) if sweeps else _SHARE * timeout_s
    margin_s = max(late_s, _LEAST_S, 2 * known.rtt_s)
    return timeout_s - min(margin_s, _MOST_SHARE * timeout_s)


def _learns(max_idle_s: float, why: str, limit: int | None = None) -> Advice:
    others = f"With another client, replace connections idle for more than {max_idle_s:g} s."
    of_limit = (
        f" A new one is needed after {many(limit, 'request')}, whatever the client."
        if limit is not None
        else ""
    )
    return Advice(code=SESSION, max_idle_s=max_idle_s, why=f"{why} {others}{of_limit}")


def _of_path(max_idle_s: float, *, forgotten_s: float) -> Advice:
    if forgotten_s > _PROBES_S:
        why = "It sends TCP keepalive probes every 45 s, so that the path forgets no connection."
        return _learns(max_idle_s, why)
    code = f"tuned_session(max_idle={max_idle_s:g})"
    why = (
        "It replaces idle connections before the path forgets them. TCP keepalive probes, every "
        "45 s, come too late for that."
    )
    return Advice(code=code, max_idle_s=max_idle_s, why=why)


def _rounded(seconds: float) -> float:
    """To a value that one would write; that changes it by less than half of any margin."""
    return round(seconds, 0 if seconds >= 30 else 1 if seconds >= 1 else 2 if seconds >= 0.1 else 3)


def _why(idle: Idle) -> str:
    said = "It learns when this server closes idle connections, so no request is lost to that."
    if idle.sweeps:
        return f"{said} The server's own timeout may be shorter than what was seen."
    return said


def _without_reuse(cost: OpeningCost) -> str:
    if not cost.ca_bundle:
        return (
            "No Session can keep connections here. Only the server can change that: ask its "
            "operator for keep-alive."
        )
    cheaper = cost.seconds - cost.ca_bundle
    return (
        "No Session can keep connections here, but a tuned one reads the CA bundle once: each "
        f"connection then costs {duration(cheaper)} instead of {duration(cost.seconds)}."
    )
