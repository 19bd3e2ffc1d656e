"""Facts of a cause in sentences: numbers are those that were seen, and what was not is not said.

Every function takes facts, as `facts` makes them, and works with none at all: of a log nothing more
than the cause may be known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Facts = Mapping[str, Any]
Sentence = Callable[[Facts], str]
MOST_LOCATIONS = 3
_STREAM = "stream=True"
_LEARNS = "Nothing: your session learns how long the server keeps idle connections."
_LEAVE_OUT = "leave out max_idle, and the session learns how long the server keeps them."
_AVOIDS = "this avoids errors, not the new handshake."


def always(text: str) -> Sentence:
    """The same sentence, whatever the facts."""
    return lambda _facts: text


def server(facts: Facts) -> str:
    """Who is at the other end, as far as it is known."""
    proxy = facts.get("proxy")
    if proxy is None:
        return "the server"
    return f"the proxy {proxy}" + (" or the server behind it" if "tunnel" in facts else "")


def of_server(text: str) -> Sentence:
    """A sentence about ``{server}``, which may be a proxy."""
    return lambda facts: capital(text.replace("{server}", server(facts)))


def capital(text: str) -> str:
    """With a capital letter, as a sentence begins."""
    return text[:1].upper() + text[1:]


def seconds(value: float) -> str:
    """A time: "0.5 s", "61.0 s", "120 s"."""
    return f"{value:.1f} s" if value < 100 else f"{value:.0f} s"


def locations(facts: Facts, name: str) -> str:
    """Where in the program, and through which library; empty if no line of it was seen.

    "sync.py:31 (12), :40 (1), report.py:9 (1)"; "sync.py:31, through spotipy/client.py:229".
    """
    at, through = facts.get(f"{name}_at", {}), facts.get(f"{name}_through_at", {})
    are_all = sum(through.values()) == sum(at.values())
    by_way = f", through {_lines(facts, f'{name}_through', counted=not are_all)}" if through else ""
    return f"{_lines(facts, name)}{by_way}" if at else ""


def places(facts: Facts, name: str) -> str:
    """The same with "at"; where no line is the program's, what is known instead.

    "by the Session made at sync.py:4", for a thread that runs ``session.get``; "by a library alone:
    pip/__main__.py:24, through pip/_internal/network/session.py:519".
    """
    at, made = locations(facts, name), _lines(facts, f"{name}_of")
    entered, through = _lines(facts, f"{name}_in"), _lines(facts, f"{name}_through")
    by_way = f", through {through}" if through and not at and through != entered else ""
    parts = (
        f"at {at}" if at else "",
        f"by the Session made at {made}" if made else "",
        f"by a library alone: {entered}{by_way}" if entered else "",
    )
    return "; ".join(part for part in parts if part)


def _lines(facts: Facts, name: str, *, counted: bool = False) -> str:
    more = int(facts.get(f"{name}_at_more", 0))
    return lines(facts.get(f"{name}_at", {}), more=more, counted=counted)


def lines(counts: Mapping[str, int], *, more: int = 0, counted: bool = False) -> str:
    """Lines with how often each, in this order, each file once: "a.py:31 (12), :40 (1)".

    Args:
        counts: by ``file:line``; the first `MOST_LOCATIONS` are named.
        more: how many others are not in it.
        counted: how often is said of a single line too, and where it was once each.
    """
    counted = counted or (len(counts) > 1 and max(counts.values()) > 1)
    files: dict[str, list[str]] = {}
    for location, count in list(counts.items())[:MOST_LOCATIONS]:
        file, _, line = location.rpartition(":")
        files.setdefault(file, []).append(f":{line} ({count})" if counted else f":{line}")
    more += len(counts) - min(len(counts), MOST_LOCATIONS)
    shown = ", ".join(f"{file}{', '.join(numbers)}" for file, numbers in files.items())
    return shown + (f" and {more} more" if more else "")


def idle(facts: Facts) -> str:
    """How long idle, what was survived, how it was closed."""
    parts = [idle_before(facts), survived(facts), _closed(facts)]
    if announced := facts.get("keep_alive"):
        parts.append(f"The server announces Keep-Alive: {announced}.")
    return " ".join(part for part in parts if part)


def idle_before(facts: Facts) -> str:
    """How long idle, and where requests were made."""
    if "idle_least_s" not in facts:
        return ""
    at = places(facts, "requests").removeprefix("at ")
    return f"Idle {_span(facts, 'idle', seconds)} before each{f' ({at})' if at else ''}."


def survived(facts: Facts) -> str:
    """Which idle times were survived, and which were not."""
    died = seconds(facts.get("died_s", 0.0))
    if facts.get("servers_differ"):
        survived = seconds(facts["longest_survived_s"])
        return (
            f"The servers behind this name differ: one connection died after {died} idle, another "
            f"survived {survived}."
        )
    if "survived_s" not in facts:
        return ""
    return f"{seconds(facts['survived_s'])} idle was survived, {died} was not."


def _closed(facts: Facts) -> str:
    closed_by = facts.get("closed_by", ())
    by = " or ".join(closed_by)
    if not by:
        return ""
    if "tunnel" not in facts:
        return f"{capital(server(facts))} had closed it ({by})."
    if list(closed_by) == ["TLS close"]:  # it comes from the other end of TLS, through any tunnel
        return f"The server behind the proxy {facts['proxy']} had closed it ({by})."
    likely = "; more likely the proxy, since a server ends TLS first" * (by == "FIN")
    which = likely if facts["tunnel"] == "https" else ""
    return f"{capital(server(facts))} had closed it ({by}): a tunnel does not show which{which}."


def _span(facts: Facts, name: str, shown: Callable[[float], str]) -> str:
    suffix = "_s" if f"{name}_least_s" in facts else ""
    least, most = shown(facts[f"{name}_least{suffix}"]), shown(facts[f"{name}_most{suffix}"])
    return least if least == most else f"{least} to {most}"


def idle_cure(facts: Facts) -> str:
    """Have the Session learn that time, or send requests more often."""
    survived_s, died_s = facts.get("survived_s"), facts.get("died_s")
    often = (
        f"at least every {seconds(survived_s)}"
        if survived_s
        else f"more often than every {seconds(died_s)}"
        if died_s
        else "more often"
    )
    return f"{_learning(facts)} To reuse it instead, send requests {often}."


def reset_cure(facts: Facts) -> str:
    """Something on the path forgets connections."""
    return f"A load balancer or firewall may have dropped it. {_learning(facts)}"


def _learning(facts: Facts) -> str:
    """A Session that learns when connections are closed; how to have one."""
    if facts.get("learns"):
        return _LEARNS
    learns = f"learns when {server(facts)} closes idle connections: {_AVOIDS}"
    if not facts.get("tuned"):
        return f"tuned_session() {learns}"
    own = f"{facts['own_max_idle_s']:g}" if "own_max_idle_s" in facts else "None"
    return f"Leave out max_idle={own}, and the session {learns}"


def replaced(facts: Facts) -> str:
    """When the Session itself replaced connections, and whether the server closes any."""
    at, old = locations(facts, "requests"), facts.get("too_old")
    if "idle_least_s" not in facts:
        where = f", at {at}" if at else ""
        return f"Your session replaced it for its age (max_age){where}." if old else ""
    own = f" (its max_idle is {facts['own_max_idle_s']:g})" if "own_max_idle_s" in facts else ""
    said = f"Your session replaced it after {_span(facts, 'idle', seconds)} idle{own}"
    said += f", at {at}." if at else "."
    if old:
        said += f" It replaced {old} for their age (max_age)."
    if announced := facts.get("keep_alive"):
        return f"{said} The server announces Keep-Alive: {announced}."
    if "died_s" in facts:
        return f"{said} The server had closed another one after {seconds(facts['died_s'])}."
    return f"{said} The server was never seen closing one in {seconds(facts['idle_most_s'])}."


def replaced_cure(facts: Facts) -> str:
    """Leave ``max_idle`` out, or raise it, where the server keeps connections longer."""
    if "idle_least_s" not in facts and facts.get("too_old"):
        return "Nothing, if max_age is as you want it. A longer one replaces fewer connections."
    if facts.get("learns"):
        return f"{_LEARNS} This avoids errors; it saves no handshake."
    if "idle_least_s" not in facts:
        return f"Nothing, unless the server keeps connections longer: then {_LEAVE_OUT}"
    limit_s = facts.get("max_idle_s", 0.0)
    if "died_s" in facts and limit_s <= max(
        facts.get("own_max_idle_s", 0.0), facts["idle_least_s"]
    ):
        return (
            f"Nothing, or send requests at least every {seconds(facts['died_s'])}: max_idle avoids "
            "errors; it saves no handshake."
        )
    return f"{capital(_LEAVE_OUT)}"


def served(facts: Facts) -> str:
    """How many responses each had served."""
    if "served_least" not in facts:
        return ""
    noun = "response" if facts["served_most"] == 1 else "responses"
    return f"Each had served {_span(facts, 'served', lambda n: f'{n:.0f}')} {noun}."


def sessions(facts: Facts) -> str:
    """Where Sessions were made, or else requests."""
    return made_at(facts, "Sessions")


def made_at(facts: Facts, noun: str) -> str:
    """Where the Session was made, with this word for it, or else where requests were."""
    at = places(facts, "sessions")
    return f"{noun} made {at}." if at else requested(facts)


def requested(facts: Facts) -> str:
    """Where requests were made."""
    at = places(facts, "requests")
    return f"Requests made {at}." if at else ""


def unread(facts: Facts) -> str:
    """Where responses were requested that nobody has read."""
    at = places(facts, "unread")
    how = "preload_content=False" if "without_requests" in facts else _STREAM
    return f"Requested with {how} {at}." if at else sessions(facts)


def at_once(facts: Facts) -> str:
    """How many requests were in flight."""
    return f"Up to {facts['most_at_once']} requests at once." if "most_at_once" in facts else ""


SHARED_CURE = "Make the Session in each process: see session-after-fork."


def shared(facts: Facts) -> str:
    """How many of the connections before were used by two processes."""
    number = facts.get("shared_after_fork", 0)
    if not number:
        return ""
    what = "one connection" if number == 1 else f"{number} connections"
    return f"Replaced {what} that several processes had used after a fork."


def unknown(facts: Facts) -> str:
    """Where requests were made, and what was not recorded."""
    missing = facts.get("not_recorded")
    told = f"{missing} of them were counted, but not recorded one by one." if missing else ""
    return " ".join(part for part in (requested(facts), told) if part)
