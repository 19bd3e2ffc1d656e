"""Facts of requests that failed in sentences: as `sentences`, they work with none at all."""

from __future__ import annotations

from collections.abc import Mapping

from keptalive.causes import sentences
from keptalive.causes.failures import FIRST_ERROR
from keptalive.causes.sentences import Facts
from keptalive.quantities import many

# What urllib3's Retry sends again unless told otherwise (its DEFAULT_ALLOWED_METHODS)
_SENT_TWICE = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PUT", "TRACE"})
_PROBES_S = 50.0  # by then, the tuned Session's first TCP keepalive probe has come: 45 s, or later
_SHORTEST_S = 0.005  # less is not worth a word


def failed(facts: Facts) -> str:
    """In which errors it ended, whether the server had the request, what it cost."""
    return _joined(
        _errors(facts),
        _broken_off(facts),
        _received(facts),
        _lost(facts),
        _again(facts),
        sentences.requested(facts),
    )


def failed_cure(facts: Facts) -> str:
    """What helps against this kind of error."""
    if facts.get("acknowledged"):
        return "A slow server: a longer timeout, smaller responses, or a faster server."
    if facts.get("unacknowledged"):
        return "Check the network, and whether the server runs."
    if facts.get("closed_unanswered"):
        return f"See the log of {_server(facts)} for why it closes."
    if facts.get("broken_off"):
        return f"See the log of {_server(facts)} for why responses break off."
    return "Fix the error: a longer timeout, smaller responses, or a healthier server."


def stale(facts: Facts) -> str:
    """How long idle, what was survived, the errors, and what became of the requests."""
    return _joined(
        sentences.idle_before(facts),
        _survived(facts),
        sentences.served(facts),
        _errors(facts),
        _of_new_ones(facts),
        _announced(facts),
        _lost(facts),
        _again(facts),
    )


def stale_cure(facts: Facts) -> str:
    """Replace it in time; and what may be sent again."""
    if "served_least" in facts:
        first = (
            f"{sentences.capital(sentences.server(facts))} closes connections after a number of "
            "responses, unannounced: ask its operator for a higher limit."
        )
    else:
        first = sentences.idle_cure(facts)
    return _joined(first, _retry(facts))


def dropped(facts: Facts) -> str:
    """How long idle, what was survived, how it showed, and what it cost."""
    return _joined(
        sentences.idle_before(facts),
        _survived(facts),
        _errors(facts),
        _lost(facts),
        _proof(facts),
        _again(facts),
    )


def dropped_cure(facts: Facts) -> str:
    """Keep the path awake; replace it in time where that is too late."""
    longer = "A longer timeout would only wait for longer."
    if facts.get("learns"):
        return (
            "Nothing: your session has learned it, and uses no connection that was silent for so "
            f"long. {longer}"
        )
    died_s, max_idle_s = facts.get("died_s"), facts.get("max_idle_s")
    if died_s is None or died_s > _PROBES_S:
        return (
            "tuned_session() sends TCP keepalive probes, so that the path does not forget it. "
            f"Other clients have options for this, as boto3's Config(tcp_keepalive=True). {longer}"
        )
    limit = f"max_idle={max_idle_s:g}" if max_idle_s else f"max_idle=T), T below {died_s:g} s"
    return (
        f"tuned_session({limit}{')' * bool(max_idle_s)}: it replaces connections before that. TCP "
        f"keepalive probes every 45 s come too late. {longer}"
    )


def retried(facts: Facts) -> str:
    """For which statuses the requests were sent again."""
    statuses: Mapping[str, int] = facts.get("retried_for", {})
    if not statuses:
        return ""
    named = ", ".join(f"{status} ({count})" for status, count in statuses.items())
    return f"Opened to send a request again after {named}."


def announced(facts: Facts) -> str:
    """How many responses each had served, and with which statuses the server closed."""
    said = sentences.served(facts)
    statuses: Mapping[str, int] = facts.get("closed_after", {})
    if not statuses:
        return said
    named = ", ".join(f"{status} ({count})" for status, count in statuses.items())
    return f"{said} Closed after an answer with status {named}."


def announced_cure(facts: Facts) -> str:
    """It is the server's configuration, unless it closes after errors only."""
    statuses: Mapping[str, int] = facts.get("closed_after", {})
    if statuses and all(int(status) >= FIRST_ERROR for status in statuses):
        return sentences.of_server(
            f"Find out why {{server}} answers {' and '.join(statuses)}: it closes after that."
        )(facts)
    return sentences.of_server(
        "Ask the operator of {server} to keep connections alive: it is its configuration."
    )(facts)


def _server(facts: Facts) -> str:
    """Whose log says more; a server may have a proxy of its own before it."""
    name = sentences.server(facts)
    return name if "proxy" in facts else f"{name}, or of a proxy in front of it,"


def _joined(*parts: str) -> str:
    return " ".join(part for part in parts if part)


def _errors(facts: Facts) -> str:
    names: Mapping[str, int] = facts.get("errors", {})
    if not names:
        return ""
    return f"It ended in {', '.join(f'{name} ({count})' for name, count in names.items())}."


def _broken_off(facts: Facts) -> str:
    number = facts.get("broken_off", 0)
    return f"{many(number, 'response')} broke off." if number else ""


def _received(facts: Facts) -> str:
    """Whether the server had the request: then it is slow, or it was out of reach."""
    if number := facts.get("acknowledged"):
        name = sentences.capital(sentences.server(facts))
        return f"{name} had acknowledged {_requests(number)}: it is slow."
    if number := facts.get("unacknowledged"):
        return f"Nobody acknowledged {_requests(number)}."
    return ""


def _requests(number: int) -> str:
    return many(number, "request")


def _survived(facts: Facts) -> str:
    """As of idle timeouts, but where another one survived for longer, it says no more."""
    if "longest_survived_s" not in facts:
        return sentences.survived(facts)
    return f"Others survived up to {sentences.seconds(facts['longest_survived_s'])} idle."


def _of_new_ones(facts: Facts) -> str:
    if "errors" not in facts:
        return ""
    number = facts.get("new_connections_failed", 0)
    return f"So did {many(number, 'new connection')}." if number else "No new connection did."


def _announced(facts: Facts) -> str:
    announced = facts.get("keep_alive")
    name = sentences.capital(sentences.server(facts))
    return f"{name} announces Keep-Alive: {announced}." if announced else ""


def _lost(facts: Facts) -> str:
    lost_s = facts.get("seconds_lost", 0.0)
    if lost_s < _SHORTEST_S:
        return ""
    took = sentences.seconds(lost_s) if lost_s >= 1 else f"{lost_s * 1000:.0f} ms"
    return f"Time lost: {took}."


def _again(facts: Facts) -> str:
    """What became of the requests; whether the program itself sent them again is not known."""
    again, left = facts.get("sent_again", 0), facts.get("not_sent_again", {})
    methods = ", ".join(f"{method} ({count})" for method, count in left.items())
    return _joined(
        f"Sent again by urllib3: {again}." if again else "",
        f"Not sent again by urllib3: {methods}." if left else "",
    )


def _proof(facts: Facts) -> str:
    parts = []
    if number := facts.get("proven"):
        parts.append(f"Proven for {number}: the system saw no acknowledgement.")
    if number := facts.get("likely"):
        parts.append(f"Likely for {number}: new connections, and those used sooner, were answered.")
    if number := facts.get("probes_unanswered"):
        parts.append(f"TCP keepalive probes got no answer ({number}).")
    return " ".join(parts)


def _retry(facts: Facts) -> str:
    left: Mapping[str, int] = facts.get("not_sent_again", {})
    unsafe = [method for method in left if method not in _SENT_TWICE]
    if unsafe:
        return (
            f"urllib3 sends a {unsafe[0]} again only if the program allows it "
            "(Retry(allowed_methods=None)): the server may then do it twice."
        )
    return "Retries send such requests again: tuned_session() does." if left else ""
