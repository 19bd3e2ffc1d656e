"""What to change, in the words of the library through which the program went. No I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from keptalive.causes.facts import Opening
from keptalive.causes.libraries import IDLE, LIBRARIES, URLLIB3
from keptalive.records.connection import OpeningFacts

Facts = Mapping[str, Any]
REQUESTS = "requests"
MOST_NAMED = 3
_NAMESPACES = ("azure", "google")  # whose packages are the second part of a name
_BY_NAME = {library.name: library for library in LIBRARIES}
_NO_SESSION = "{name} takes no Session: send requests more often, or let it repeat those that fail."
# Mended with a Session of one's own; the requests of a program can be mended in it at once
_OF_SESSIONS = (
    *("new-session", "new-adapter", "session-closed", "pool-evicted", "pool-too-small", *IDLE),
    *("ca-bundle", "waiting-for-pool"),  # findings, not causes
)


def through(openings: Sequence[Opening]) -> dict[str, int]:
    """How many of these went through which library, the most frequent first.

    `REQUESTS` and urllib3 stand for the program's own use of these. Empty if that is all of them,
    and of requests.
    """
    counts = Counter(library_of(opening.connection.facts) for opening in openings)
    return {} if set(counts) <= {REQUESTS} else dict(counts.most_common())


def libraries(openings: Sequence[Opening]) -> dict[str, Any]:
    """As facts: ``through``, and ``without_requests`` if all of these are urllib3's alone."""
    counts = through(openings)
    if not counts:
        return {}
    is_bare = all(opening.connection.facts.is_bare for opening in openings)
    return {"through": counts, "without_requests": True} if is_bare else {"through": counts}


def cure(cause: str, facts: Facts, default: str) -> str:
    """What to change; with several libraries, for each of the most frequent.

    Args:
        cause: its name.
        facts: of the cause; those of `libraries` say through which it went.
        default: the cure in requests' own terms.
    """
    names = list(facts.get("through", ()))[:MOST_NAMED]
    words = {name: _words(name, cause, facts, default) for name in names}
    if len(set(words.values())) <= 1:
        return next(iter(words.values()), default)
    return " ".join(f"{name}: {text}" for name, text in words.items())


def library_of(facts: OpeningFacts) -> str:
    """The library that has the connection's pool, or REQUESTS or urllib3 if it is the program's."""
    line = facts.library
    if line is None:
        return URLLIB3.name if facts.is_bare else REQUESTS
    for library in LIBRARIES:
        if line.startswith(library.files):
            return library.name
    package, *rest = line.rpartition(":")[0].removesuffix(".py").split("/")
    return f"{package}.{rest[0]}" if package in _NAMESPACES and rest else package


def _words(name: str, cause: str, facts: Facts, default: str) -> str:
    library = _BY_NAME.get(name)
    if "at_exit" in facts or (name == URLLIB3.name and _is_special(facts)):
        return default  # it says more than the library's words
    if library is not None and cause in library.cures:
        return _filled(library.cures[cause], facts)
    if name in (REQUESTS, URLLIB3.name):
        return default
    if "without_requests" in facts:
        return _of_pools(name, cause, facts, default)
    if cause not in _OF_SESSIONS:
        return default
    if library is None:
        return f"{default} Here {name} has it: see whether it takes yours, or has an option."
    if library.takes_session:
        return f"{default} Give {name} that Session: {library.takes_session}."
    if cause in IDLE:
        return _NO_SESSION.format(name=name)
    return default


def _of_pools(name: str, cause: str, facts: Facts, default: str) -> str:
    """The words where a library has a PoolManager, and no Session can help."""
    if cause in IDLE:
        return _NO_SESSION.format(name=name)
    if cause == "new-session":
        return f"Make one client of {name}, keep it, and use it for every request to this host."
    if cause not in URLLIB3.cures or _is_special(facts):
        return default
    text = _filled(URLLIB3.cures[cause], facts)
    if cause not in _OF_SESSIONS:
        return text
    return f"{text} Here {name} has it: see whether it takes yours, or has an option."


def _is_special(facts: Facts) -> bool:
    """Whether it is something else than most pools of this cause have."""
    return "pools_alike" in facts or not {"verify"}.issuperset(facts.get("differs", ()))


def _filled(text: str, facts: Facts) -> str:
    return text.format(needed=facts.get("needed", "N"))
