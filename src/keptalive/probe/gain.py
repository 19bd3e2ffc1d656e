"""What a program that has a report would gain: its connections, seen beside the server's policy."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import replace

from keptalive.quantities import duration, many
from keptalive.records.probe import Gain, ProbeReport
from keptalive.records.report import HostReport, Report

# Causes that are the server's, or the path's, policy. Of a log, a set of causes counts too if one
# of them is here
POLICY = (
    "idle-timeout",
    "request-limit",
    "close-announced",
    "http-1.0",
    "server-closed",
    "server-reset",
    "timeout-408",
    "stray-bytes",
    "tls-message",
    "stale-connection",
    "silent-drop",
)
_ERRORS = ("stale-connection", "silent-drop")
_MENDED_BY_ASKING = ("idle-timeout", "timeout-408", "server-reset")


def hosts_of(report: Report, *, origin: str, via: str | None) -> list[HostReport]:
    """The routes of this report that lead to this server, or through the proxy to it."""
    return [
        host
        for host in report.hosts
        if host.host == origin or (via is not None and host.host == via and origin in host.origins)
    ]


def with_gain(probe: ProbeReport, report: Report, hosts: Sequence[HostReport]) -> ProbeReport:
    """The same, with what this program would gain on these routes of its report."""
    return replace(probe, gain=gain_of(probe, report, hosts))


def gain_of(probe: ProbeReport, report: Report, hosts: Sequence[HostReport]) -> Gain:
    """What this program would gain on these routes of its report, at least one."""
    counted: dict[str, int] = {}
    for host in hosts:
        for cause in host.causes:
            if cause.cause in POLICY or set(cause.members or ()) & set(POLICY):
                counted[cause.cause] = counted.get(cause.cause, 0) + cause.count
    opened = sum(host.opened or 0 for host in hosts)
    errors = sum(counted.get(name, 0) for name in _ERRORS)
    seconds = sum(_cheaper_s(host) + (host.seconds_lost or 0.0) for host in hosts)
    program = " ".join(report.command)
    said = _said(probe, counted, opened=opened, errors=errors, seconds=seconds, program=program)
    idle = _idle_times(report, hosts)
    if counted and idle and probe.idle_timeout_s is not None:
        said = (*said, _of_idle_times(probe, idle, counted))
    return Gain(
        program=program,
        opened=opened,
        by_cause=counted,
        errors=errors,
        seconds=seconds,
        said=said,
    )


def _cheaper_s(host: HostReport) -> float:
    """What reading the CA bundle once, instead of for each connection, saves."""
    opened = host.opened or 0
    return host.phases.get("ca_bundle", 0.0) * (opened - 1) / opened if opened else 0.0


def _said(
    probe: ProbeReport,
    counted: dict[str, int],
    *,
    opened: int,
    errors: int,
    seconds: float,
    program: str,
) -> tuple[str, ...]:
    who = program or "The program"
    if not counted:
        none = f"{who} opened {many(opened, 'connection')} here, none of them because of what this"
        return (f"{none} server does: the report says why.",)
    causes = ", ".join(f"{count} × {name}" for name, count in counted.items())
    said = [f"{who} opened {many(opened, 'connection')} here; this server explains {causes}."]
    session = probe.advice.code
    if seconds >= 0.001:
        said.append(f"With {session} it would save {duration(seconds)}.")
    if errors:
        met = f"It met {many(errors, 'close')} under a request"
        said.append(f"{met}. With {session} no request fails by that.")
    return tuple(said)


def _idle_times(report: Report, hosts: Sequence[HostReport]) -> list[float]:
    """How long its connections had been idle when the server had closed them."""
    named = {host.host for host in hosts}
    return [
        one.end.idle_s
        for one in report.connections
        if one.host in named
        and one.end is not None
        and one.end.idle_s is not None
        and one.end.how in ("FIN", "TLS close", "RST", "408")
    ]


def _of_idle_times(probe: ProbeReport, idle: list[float], counted: dict[str, int]) -> str:
    assert probe.idle_timeout_s is not None  # noqa: S101 - the caller knows
    least = probe.idle_timeout_s.least
    usual = duration(statistics.median(idle))
    number = sum(counted.get(name, 0) for name in _MENDED_BY_ASKING)
    were = (
        f"Its connections were idle for {usual} before; the server closes after {duration(least)}."
    )
    if not number or probe.advice.max_idle_s is None:
        return were
    return (
        f"{were} A request at least every {duration(probe.advice.max_idle_s)} would keep one open: "
        f"{many(number, 'connection')} fewer."
    )
