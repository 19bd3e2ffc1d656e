"""What a log shows beside the causes of connections: failed tries, full pools, slow openings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from keptalive.causes.log_sets import FULL, LEARNS
from keptalive.logs.failures import FailedTries
from keptalive.logs.host import LogHost
from keptalive.logs.host_report import Known, full_pool, is_counted
from keptalive.records.report import Finding, HostReport

UNPROVEN_S = 5.0  # so slow an opening is worth a word though it may have been the response
_PATHS_NAMED = 3
_ENDED = (
    *("ConnectionResetError", "RemoteDisconnected", "BrokenPipeError", "ConnectionAbortedError"),
    *("ProtocolError", "BadStatusLine"),
)
_CURES = {
    "ReadTimeoutError": "The server was slow, or the path forgot a kept connection: a longer "
    "timeout helps with the first, tuned_session() with the second.",
    "ConnectTimeoutError": "Is the host reachable from here: its address, port, firewall, proxy?",
    "NewConnectionError": "Is the host reachable from here: its address, port, firewall, proxy?",
    "NameResolutionError": "Correct the name of the host, or this machine's name server.",
    "ProxyError": "Correct the proxy's address, or the login for it.",
    "SSLError": "Correct the certificate, the CA bundle (verify=PATH) or the TLS versions.",
    "SSLCertVerificationError": "Correct the certificate, or the CA bundle (verify=PATH).",
}


def of_host(host: LogHost, shown: HostReport, known: Known) -> Iterator[Finding]:
    """The findings of one host.

    Args:
        host: what was read.
        shown: its report.
        known: of the log.
    """
    counted = is_counted(host, known)
    if host.failures.count:
        yield failed_tries(
            host.failures,
            host.name,
            knows_new=counted or shown.begun is not None,
            knows_ends=counted or shown.requests is not None,
        )
    nothing_to_save = shown.perfect is not None and shown.perfect.least == shown.opened
    if host.discarded and (nothing_to_save or all(one.cause != FULL for one in shown.causes)):
        yield _full_pool(host, known)
    if shown.requests and shown.opened is None:
        yield _no_openings(host, shown.host)
    if counted:
        yield from _slow_openings(host, one_thread=known.one_thread(host))


def failed_tries(
    failures: FailedTries, host: str | None, *, knows_new: bool = False, knows_ends: bool = False
) -> Finding:
    """Tries that failed, and that urllib3 repeated.

    Args:
        failures: all of them.
        host: whose; None if no line names it.
        knows_new: the log shows whether a connection had been opened for them.
        knows_ends: it shows what became of the requests.
    """
    count, at = failures.count, f" at {host}" if host else ""
    parts = [f"{_tries(count)} failed{at} and {_was(count)} repeated: {_counted(failures.errors)}."]
    if failures.paths:
        parts.append(f"Requested: {_named(failures.paths)}.")
    if knows_new:
        parts.append(_on_which(failures))
    is_timed = failures.seconds >= 1
    if is_timed:
        parts.append(f"{failures.seconds:.1f} s passed from these openings to the errors.")
    if failures.last and not knows_ends:
        parts.append(
            f"For {_requests(failures.last)} no retry was left; how it ended is not shown."
        )
    return Finding(
        finding="failed-tries",
        host=host,
        facts={
            "errors": dict(failures.errors),
            "paths": dict(failures.paths),
            "on_new_connections": failures.new if knows_new else None,
            "last_retries": failures.last,
        },
        evidence=" ".join(parts),
        cure=_cure_of(failures, knows_new=knows_new),
        seconds=round(failures.seconds, 3) if is_timed else None,
    )


def _tries(count: int) -> str:
    return "1 try" if count == 1 else f"{count} tries"


def _requests(count: int) -> str:
    return "1 request" if count == 1 else f"{count} requests"


def _was(count: int) -> str:
    return "was" if count == 1 else "were"


def _counted(errors: Mapping[str, int]) -> str:
    return ", ".join(f"{times} × {name}" for name, times in errors.items())


def _named(paths: Mapping[str, int]) -> str:
    often = sorted(paths.items(), key=lambda one: -one[1])
    named = ", ".join(f"{path} ({times})" for path, times in often[:_PATHS_NAMED])
    more = len(often) - _PATHS_NAMED
    return f"{named} and {more} more" if more > 0 else named


def _on_which(failures: FailedTries) -> str:
    if failures.new == failures.count:
        return "All on connections that were new, so no kept one was stale."
    if not failures.new:
        return "All on kept connections."
    return f"On new connections: {failures.new}; on kept ones: {failures.count - failures.new}."


def _cure_of(failures: FailedTries, *, knows_new: bool) -> str:
    """For the error that was most frequent."""
    error = max(failures.errors, key=lambda name: failures.errors[name])
    if error not in _ENDED:
        return _CURES.get(error, "Find out why they failed.")
    if knows_new and failures.new == failures.count:
        return (
            "New connections are ended by the server, or by what is before it (firewall, proxy, "
            "load balancer): look there."
        )
    if knows_new and not failures.new:
        return f"If the server had closed idle connections: {LEARNS}."
    return (
        f"If the server had closed idle connections: {LEARNS}. Else look at the server, and at "
        "what is before it (firewall, proxy, load balancer)."
    )


def _full_pool(host: LogHost, known: Known) -> Finding:
    full = full_pool(host, known)
    return Finding(
        finding="pool-too-small",
        host=host.name,
        facts=full.facts(),
        evidence=full.evidence(),
        cure=full.cure(),
    )


def _no_openings(host: LogHost, name: str) -> Finding:
    """Responses, and no line of an opening; a log may also begin later than its connections."""
    if host.has_port:
        why = (
            "they were opened before this log begins, or this client logs no openings (it has a "
            "connection class of its own)"
        )
    else:
        why = "this client logs no openings, as docker's does, or the log begins later"
    return Finding(
        finding="no-openings-logged",
        host=name,
        facts={"responses": host.reused, "has_port": host.has_port},
        evidence=f"No line says how connections to {name} were opened: {why}.",
        cure="keptalive run PROGRAM counts them.",
    )


def _slow_openings(host: LogHost, *, one_thread: bool) -> Iterator[Finding]:
    """Much time between the line that announces a connection and its first response."""
    slow = host.slow
    kept_s = slow.kept_s if one_thread else None
    is_proven = bool(slow) and kept_s is not None and kept_s < slow.span.least / 4
    if not slow or (not is_proven and slow.span.most < UNPROVEN_S):
        return
    each = (
        f"each of {slow.count}" if slow.count == host.opened else f"{slow.count} of {host.opened}"
    )
    what = "one connection" if host.opened == 1 else f"{each} connections"
    said = (
        f"Opening {what} took {slow.span.text('.1f')} s, from urllib3's line to the response: "
        "name lookup, connect, TLS and the response together."
    )
    if is_proven:
        said += f" On a kept connection a response took {kept_s:.1f} s, so most was the opening."
    yield Finding(
        finding="slow-opening",
        host=host.name,
        facts={
            "count": slow.count,
            "seconds_each": slow.span.facts(),
            "kept_s": None if kept_s is None else round(kept_s, 3),
        },
        evidence=said,
        cure="keptalive run PROGRAM shows which phase it is. "
        + (
            "Often: a name server, an address that does not answer (IPv6), a proxy."
            if is_proven
            else "It may be the response that is slow."
        ),
        seconds=round(slow.seconds - slow.count * (kept_s or 0.0), 3) if is_proven else None,
    )


def of_log(failures: FailedTries) -> Iterable[Finding]:
    """The findings that belong to no host."""
    return [failed_tries(failures, None)] if failures.count else []
