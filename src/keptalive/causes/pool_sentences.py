"""Facts of causes that lie in pools, in sentences: sizes, settings, adapters, closed Sessions."""

from __future__ import annotations

from keptalive.causes.sentences import Facts, made_at, places, requested, sessions
from keptalive.quantities import many


def closed_meaning(facts: Facts) -> str:
    """Who had closed it, if not the program."""
    return "its pool had been closed at the exit, and was used again" if "at_exit" in facts else ""


def closed(facts: Facts) -> str:
    """Where Sessions were made that had been closed, or that urllib3 closed at the exit."""
    at_exit = facts.get("at_exit")
    if not at_exit:
        return sessions(facts)
    at = places(facts, "requests")
    came = f", and a request came after that{f' (made {at})' if at else ''}"
    return f"urllib3 closes all pools when Python ends{came}: from an exit handler, say."


def closed_cure(facts: Facts) -> str:
    """When to close it."""
    if facts.get("at_exit"):
        return (
            "Register the exit handler after the first request: handlers run in the reverse order, "
            "so it then runs before urllib3 closes its pools."
        )
    return "Close the Session only when the program is done with it."


def mounted(facts: Facts) -> str:
    """Where adapters were mounted, or else where requests were made."""
    at = places(facts, "mounted")
    return f"Adapters mounted {at}." if at else requested(facts)


def pools_meaning(facts: Facts) -> str:
    """What happened, where the Session has several pools for one host."""
    return "the Session has more than one pool for this host" if "pools_alike" in facts else ""


def pools(facts: Facts) -> str:
    """How many pools the Session keeps, and how many it needs."""
    kept, needed, alike = (facts.get(f"pools_{name}") for name in ("kept", "needed", "alike"))
    said = ""
    if alike:
        of = f"; it keeps {kept} in all" if kept else ""
        said = f"Up to {alike + 1} pools with equal settings, perhaps one for each URL{of}."
    elif kept and needed and needed > kept:
        said = f"It keeps {kept}, and needed {needed}: one for each host, proxy and TLS setting."
    return " ".join(part for part in (said, sessions(facts)) if part)


def pools_cure(facts: Facts) -> str:
    """Room for all pools."""
    if "pools_alike" in facts:
        return (
            "Pools are found by more than the host here, perhaps by the URL, as docker's adapter "
            "does: send requests to fewer different URLs, or let more pools be kept."
        )
    number = facts.get("pools_needed", 0)
    if number > facts.get("pools_kept", number):
        return f"tuned_session(hosts={number}) or HTTPAdapter(pool_connections={number})."
    return "tuned_session(hosts=N) or HTTPAdapter(pool_connections=N), N the number of hosts."


def tls_meaning(facts: Facts) -> str:
    """Which settings differ."""
    differs = facts.get("differs")
    if not differs:
        return ""
    verb = "differs" if len(differs) == 1 else "differ"
    return f"{' and '.join(differs)} {verb} from an earlier request, so another pool"


def tls(facts: Facts) -> str:
    """What differs, and where requests were made."""
    said = ""
    if facts.get("differs") == ["ssl_context"]:
        each = " for each of them" if facts.get("openings", 1) > 1 else ""
        said = f"Another ssl_context{each}; verify and cert are the same."
    return " ".join(part for part in (said, requested(facts)) if part)


def tls_cure(facts: Facts) -> str:
    """The same settings each time."""
    names = facts.get("differs") or ["cert", "verify"]
    if names == ["ssl_context"]:
        return (
            "Make the ssl_context once, not for each pool or request (in an adapter: when it is "
            "made), and pass the same."
        )
    if "cert" in names and "differs" in facts:
        return (
            "Use one client certificate for all requests, unless they are meant to differ: each "
            "certificate needs connections of its own."
        )
    same = "verify and cert" if {*names} <= {"verify", "cert"} else " and ".join(names)
    return f"Use the same {same} for all requests of a Session."


def pool(facts: Facts) -> str:
    """How many requests were in flight, and how many connections the pool keeps."""
    if "most_at_once" not in facts:
        return ""
    kept = f"; the pool keeps {facts['pool_size']}" if "pool_size" in facts else ""
    said = f"Up to {many(facts['most_at_once'], 'request')} at once{kept}."
    return " ".join(part for part in (said, made_at(facts, "Session")) if part)


def pool_cure(facts: Facts) -> str:
    """A pool with room for all."""
    needed = facts.get("needed", "N")
    threads = ", N the number of threads" if needed == "N" else ""
    return f"tuned_session(threads={needed}), or HTTPAdapter(pool_maxsize={needed}){threads}."
