"""What a probe found, each thing with its evidence; `catalogue` has the names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from keptalive.probe.advice import announced_max, announced_timeout
from keptalive.probe.events import Answered, Event, Failure, Refused
from keptalive.probe.history import History
from keptalive.probe.idle import Idle
from keptalive.probe.limits import Limit
from keptalive.quantities import duration, many
from keptalive.records.connection import CloseReason
from keptalive.records.probe import ProbeFinding


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What findings are made from."""

    events: Sequence[Event]
    histories: Sequence[History]
    first: Answered
    keeps: bool
    idle: Idle
    limit: Limit
    via: str | None
    ended: str
    resumes: bool | None


def findings_of(facts: Facts) -> Iterator[ProbeFinding]:
    """Everything that was found, in the order in which one asks."""
    for function in _OF:
        yield from function(facts)


def _reuse(facts: Facts) -> Iterator[ProbeFinding]:
    first = facts.first
    if facts.keeps:
        yield ProbeFinding(finding="keep-alive", evidence=f"{first.version}; {_headers(first)}.")
    elif not first.framed or first.version == "HTTP/1.0":
        why = "without Connection: keep-alive" if first.framed else "a body that ends by the close"
        yield ProbeFinding(finding="http-1.0", evidence=f"A response of {first.version}, {why}.")
    elif not first.keeps:
        yield ProbeFinding(
            finding="close-announced",
            evidence=f"Connection: {first.connection_header} in "
            f"{many(_with_close(facts), 'response')} of {_answered(facts)}.",
        )
    else:
        after = sum(one.end is not None for one in facts.histories)
        under = sum(one.failed is not None for one in facts.histories)
        evidence = (
            f"{many(after, 'connection')} closed right after the first response, which did not say "
            "so."
            if after
            else f"{many(under, 'connection')} closed when a second request came."
        )
        yield ProbeFinding(finding="server-closed", evidence=evidence)


def _headers(answer: Answered) -> str:
    if answer.keep_alive is not None:
        return f"Keep-Alive: {answer.keep_alive}"
    return "no Keep-Alive header"


def _with_close(facts: Facts) -> int:
    return sum(not answer.keeps for one in facts.histories for answer in one.answers)


def _answered(facts: Facts) -> int:
    return sum(len(one.answers) for one in facts.histories)


def _idle(facts: Facts) -> Iterator[ProbeFinding]:
    idle = facts.idle
    if idle.timeout is not None:
        least, most = duration(idle.timeout.least), duration(idle.timeout.most)
        after = f"after {least}" if least == most else f"after {least} to {most}"
        yield ProbeFinding(
            finding="idle-timeout",
            evidence=f"{many(idle.samples, 'idle connection')} closed {after}.",
            certainty="certain" if idle.samples > 1 else "likely",
        )
    elif facts.keeps and idle.watched_s > 0:
        yield ProbeFinding(
            finding="no-idle-timeout",
            evidence=f"Watched for {duration(idle.watched_s)}; longer was not tried.",
        )
    if idle.survived_s is not None and idle.timeout is None:
        yield ProbeFinding(
            finding="idle-survived",
            evidence=f"A request after {duration(idle.survived_s)} idle got a response.",
        )
    if idle.sweeps:
        yield ProbeFinding(
            finding="sweep",
            evidence="Connections idle since different times were closed at the same time.",
            certainty="likely",
        )
    if idle.kept:
        yield ProbeFinding(
            finding="servers-differ",
            evidence=f"{many(idle.samples, 'idle connection')} closed, {idle.kept} not: servers "
            "behind this address differ, or the probe was ended too early.",
            certainty="unsure",
        )


def _silent(facts: Facts) -> Iterator[ProbeFinding]:
    if not facts.idle.dropped:
        return
    gap = facts.idle.dropped[0]
    what = "was reset" if gap.failure is Failure.RESET else "got no answer"
    survived = facts.idle.survived_s
    beside = " A connection in use was answered meanwhile." if facts.idle.control_answered else ""
    after = "" if survived is None else f"; after {duration(survived)} one was answered"
    yield ProbeFinding(
        finding="silent-drop",
        evidence=f"A request after {duration(gap.idle_s)} idle {what}{after}.{beside}",
        certainty="likely" if facts.idle.control_answered else "unsure",
    )


def _limit(facts: Facts) -> Iterator[ProbeFinding]:
    limit = facts.limit
    if not facts.keeps:
        return
    if limit.age_s is not None:
        yield ProbeFinding(
            finding="age-limit",
            evidence=f"Two connections closed when {duration(limit.age_s)} old, after different "
            "numbers of requests.",
        )
        return
    if limit.responses is None:
        if limit.tried > 1 and limit.is_whole:
            yield ProbeFinding(finding="no-request-limit", evidence=f"None up to {limit.tried}.")
        return
    how = (
        "the last one said Connection: close"
        if limit.announced
        else "the next one got no response"
        if limit.under_a_request
        else "then the server closed, unannounced"
    )
    others = f" On others it was {', '.join(map(str, limit.others))}." if limit.others else ""
    yield ProbeFinding(
        finding="request-limit",
        evidence=f"{many(limit.responses, 'response')} on a connection; {how}.{others}",
        certainty=limit.certainty,
    )


def _header(facts: Facts) -> Iterator[ProbeFinding]:
    header = facts.first.keep_alive
    seconds, number = announced_timeout(header), announced_max(header)
    said = []
    if seconds is not None and facts.idle.timeout is not None:
        least = facts.idle.timeout.least
        is_so = abs(least - seconds) <= max(0.05 * seconds, 0.1)
        said.append(
            f"timeout={seconds:g} is so"
            if is_so
            else f"timeout={seconds:g}, but it closes after {duration(least)}"
        )
    if number is not None and facts.limit.responses is not None:
        is_so = facts.limit.responses == number
        but = f", but {facts.limit.responses} came"
        said.append(f"max={number} is so" if is_so else f"max={number} in the first response{but}")
    if said:
        yield ProbeFinding(finding="keep-alive-header", evidence=f"{'; '.join(said)}.")


def _on_idle_connections(facts: Facts) -> Iterator[ProbeFinding]:
    shown = (
        (CloseReason.TIMEOUT_408, "timeout-408", "A 408 that nobody had asked for came on"),
        (CloseReason.RST, "server-reset", "A RST came on"),
        (CloseReason.STRAY_BYTES, "stray-bytes", "Bytes of no response came on"),
        (CloseReason.TLS_MESSAGE, "tls-message", "A TLS message came after the response on"),
    )
    for what, name, said in shown:
        on = sum(one.shows(what) for one in facts.histories)
        if on:
            of = many(len(facts.histories), "connection")
            yield ProbeFinding(finding=name, evidence=f"{said} {on} of {of}.")


_FAILED = {
    Failure.CLOSED: "stale-connection",
    Failure.RESET: "stale-connection",
    Failure.TRUNCATED: "truncated-body",
    Failure.SILENT: "no-response",
    Failure.TOO_LONG: "no-response",
    Failure.NOT_HTTP: "stray-bytes",
}


def _failures(facts: Facts) -> Iterator[ProbeFinding]:
    counted: dict[str, int] = {}
    evidence: dict[str, str] = {}
    dropped = {gap.sent_s for gap in facts.idle.dropped}
    for one in facts.histories:
        failed = one.failed
        if failed is None or failed.sent_s in dropped:
            continue
        name = _FAILED[failed.failure]
        counted[name] = counted.get(name, 0) + 1
        place = f"request {len(one.answers) + 1} on a connection"
        evidence.setdefault(name, f"{place[0].upper()}{place[1:]}: {failed.failure.value}")
    for name, count in counted.items():
        often = f" ({count} times)" if count > 1 else ""
        yield ProbeFinding(finding=name, evidence=f"{evidence[name]}{often}.")


def _around(facts: Facts) -> Iterator[ProbeFinding]:
    first = facts.first
    if facts.resumes is not None:
        what = "was resumed" if facts.resumes else "was offered, and not resumed"
        yield ProbeFinding(
            finding="tls-session", evidence=f"A session of the first connection {what}."
        )
    if first.status >= 400:
        yield ProbeFinding(
            finding="status",
            evidence=f"{first.status} {_phrase(first.status)}: name a URL that answers 200, if "
            "there is one.",
        )
    if 300 <= first.status < 400 and first.location is not None:
        yield ProbeFinding(
            finding="redirect",
            evidence=f"{first.status} to {first.location}: probe that too.",
        )
    if facts.via is not None:
        yield ProbeFinding(
            finding="proxy", evidence=f"By {facts.via}: it may close where the server would not."
        )
    refused = [one for one in facts.events if isinstance(one, Refused)]
    if refused:
        yield ProbeFinding(finding="not-opened", evidence=f"{refused[0].why}.")
    if facts.ended == "refused":
        statuses = [a.status for one in facts.histories for a in one.answers]
        yield ProbeFinding(
            finding="fewer-requests",
            evidence=f"Response {statuses[-1]} after {many(len(statuses), 'request')}.",
        )


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "(unknown)"


_OF: tuple[Callable[[Facts], Iterator[ProbeFinding]], ...] = (
    _reuse,
    _idle,
    _silent,
    _limit,
    _header,
    _on_idle_connections,
    _failures,
    _around,
)
