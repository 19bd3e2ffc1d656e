"""What a probe found out, as a person reads it: the policy, the price, the line of code."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.text import Text

from keptalive.quantities import duration, many, number
from keptalive.records.probe import OpeningCost, ProbeFinding, ProbeReport, Span
from keptalive.render.terminal.layout import Hanging

_LABEL = 26  # columns
# These are said by the lines of the policy
_SAID_ABOVE = (
    "keep-alive",
    "close-announced",
    "http-1.0",
    "server-closed",
    "idle-timeout",
    "no-idle-timeout",
    "request-limit",
    "no-request-limit",
)
_WAYS = {
    "FIN": "FIN",
    "RST": "RST",
    "TLS close": "TLS close",
    "TLS close and FIN": "TLS close, then FIN",
    "408": "408, then closed",
}
_ENDS = {
    "interrupted": "Interrupted: this is what was found until then.",
    "refused": "The server wanted fewer requests: this is what was found until then.",
    "budget": "Stopped at --budget.",
}


def screen(report: ProbeReport) -> RenderableType:
    """Everything that a person sees of a probe."""
    parts: list[RenderableType] = [
        Hanging(Text(_title(report), style="dim")),
        "",
        *(_line(name, said) for name, said in _policy(report)),
        "",
    ]
    if more := [finding for finding in report.findings if finding.finding not in _SAID_ABOVE]:
        parts += [*(_finding(finding) for finding in more), ""]
    code = Text.assemble("Use: ", (report.advice.code, "bold green"))
    parts += [code, _indented(report.advice.why)]
    if report.gain is not None:
        parts += ["", *(Hanging(Text(said)) for said in report.gain.said)]
    if report.ended in _ENDS and (report.ended != "budget" or report.idle_timeout_s is not None):
        parts += ["", Text(_ENDS[report.ended], style="yellow")]
    return Group(*parts)


def _title(report: ProbeReport) -> str:
    via = f" by {report.via}" if report.via else ""
    sent = many(report.requests, "request")
    opened = many(report.connections, "connection")
    return f"{report.url}{via} ({report.address}): {sent}, {opened}, {duration(report.seconds)}"


def _policy(report: ProbeReport) -> Iterator[tuple[str, str]]:
    yield "Keeps connections alive", _keeps(report)
    if report.keeps_connections:
        yield "Closes idle ones after", _idle(report)
        yield "Requests a connection", _limit(report)
    elif report.closes_with in _WAYS:
        yield "Closes by", _WAYS[report.closes_with]
    yield "A new connection costs", _cost(report.opening_s)


def _keeps(report: ProbeReport) -> str:
    announced = report.announced
    if report.keeps_connections:
        header = f"Keep-Alive: {announced.keep_alive}" if announced.keep_alive else None
        return f"yes ({report.http_version}, {header or 'no Keep-Alive header'})"
    if announced.connection:
        return f"no ({report.http_version}, Connection: {announced.connection})"
    silent = report.close_announced is False
    return f"no ({report.http_version}, closes{' unannounced' if silent else ''})"


def _idle(report: ProbeReport) -> str:
    if report.idle_timeout_s is None:
        if any(finding.finding == "stray-bytes" for finding in report.findings):
            return "not known: see below"
        if report.idle_watched_s < 1:
            return "not known: none was watched for long"
        longer = "; to watch longer: --budget" if report.ended == "budget" else ""
        return f"more than {duration(report.idle_watched_s)}{longer}"
    parts = [_seconds(report.idle_timeout_s)]
    if report.closes_with in _WAYS:
        parts.append(f"{_WAYS[report.closes_with]}, unannounced")
    return "   ".join(parts)


def _seconds(span: Span) -> str:
    """A time with what it varied by: "5.0 s ± 0.1", "5.3 to 6.0 s"."""
    middle, half = (span.least + span.most) / 2, (span.most - span.least) / 2
    if half > 0.05 * middle:
        return f"{duration(span.least)} to {duration(span.most)}"
    if middle < 1:
        return duration(middle)
    return f"{duration(middle)} ± {max(half, 0.1):.1f}" if middle < 60 else duration(middle)


def _limit(report: ProbeReport) -> str:
    if report.request_limit is None:
        if any(finding.finding == "age-limit" for finding in report.findings):
            return "no limit, but one of age: see below"
        if report.requests_tried == 1:
            return "not known: a second one was not sent"
        return f"no limit up to {number(report.requests_tried)}"
    if report.close_announced:
        return f"{number(report.request_limit)}, the last one announced with Connection: close"
    return f"{number(report.request_limit)}, then it closes unannounced"


def _cost(cost: OpeningCost) -> str:
    phases = (
        ("CA bundle", cost.ca_bundle),
        ("DNS", cost.dns),
        ("TCP", cost.connect),
        ("TLS", cost.tls),
    )
    named = ", ".join(
        f"{name} {duration(seconds)}" for name, seconds in phases if seconds and seconds >= 0.0005
    )
    return f"{duration(cost.seconds)} here{f' ({named})' if named else ''}"


def _line(name: str, said: str) -> Hanging:
    return Hanging(Text(f"{f'{name}:':<{_LABEL}}{said}"), indent=_LABEL)


def _finding(finding: ProbeFinding) -> Hanging:
    sure = "" if finding.certainty == "certain" else f" ({finding.certainty})"
    text = Text.assemble((finding.finding, "bold"), f"{sure}: {finding.evidence}")
    return Hanging(text)


def _indented(text: str) -> Hanging:
    return Hanging(Text(f"     {text}"), indent=5)
