"""The one class that counts requests and connections, whoever observes them."""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass, field, fields


@dataclass(slots=True, kw_only=True)
class FailedAddress:
    """An address of a host that did not answer before another one did: how often, how long."""

    count: int = 0
    seconds: float = 0.0
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseTime:
    """What one response took, and how it went over the network.

    Attributes:
        head_s: from when the request could be sent, its connection open, to the head.
        rest_s: from there until the connection was given back; None if the program read the body
            when it liked, or of a ``whole`` one.
        whole: body and head were read in one call, so that ``head_s`` is the time of both.
        nagle: this side's socket holds back small packets (no TCP_NODELAY).
        acks_sent, acks_received: packets without data, from the request to the head.
        sent_packets, received_packets: packets with data, as long. These five are only known of a
            head that may have been late, on Linux, and not of the first response of a connection.
        received_bytes: the size of the whole response; likewise, where the rest may be late.
    """

    head_s: float
    rest_s: float | None
    whole: bool = False
    nagle: bool = False
    acks_sent: int | None = None
    acks_received: int | None = None
    sent_packets: int | None = None
    received_packets: int | None = None
    received_bytes: int | None = None


@dataclass(slots=True, kw_only=True)
class HostCounts:
    """What happened on one route. What a source cannot know is None, never a false 0.

    It holds in each snapshot: ``attempts = opened + reused + unanswered + in_flight``, and where a
    server counts its accepts, they are ``opened + opened_unanswered``.

    Attributes:
        host, via: the route, as in `connection.Connection`.
        origins: of a forward proxy, whom it was asked for.
        requests: the program's calls, whatever retries and redirects they led to.
        connects: attempts to connect, whatever came of them.
        opened: connections on which a response came.
        opened_unanswered: connections that were connected and never answered.
        reopened: those of ``opened`` for which urllib3 reconnected ("Resetting").
        reused: responses on a kept connection.
        unanswered: tries of requests that had no response.
        in_flight: tries that have neither a response nor an error yet.
        most_at_once: the most requests in flight at once: what perfect reuse would have opened.
        necessary: what perfect reuse would have opened, where these counts do not say it: in a
            window of time, or of several routes together. None: `causes.hosts` finds it.
        begun: what only a log has: openings that were begun, where it has no responses.
        discarded, pool_size: connections that a full pool has discarded, and how many that pool
            keeps; None where that was not seen.
        errors: how tries ended that had no response: names of exceptions, and how often.
        seconds_opening: spent on opening connections, by all threads together.
        seconds_waiting_for_pool: spent waiting for a connection of a blocking pool, by all threads
            together.
        waits, longest_wait_s: how many requests waited so, and how long the longest did.
        blocking_pool_size: how many connections the pool has for which they waited.
        pool_size_needed: the size with which none had waited: as many as were in use and waited for
            at once.
        seconds_lost: spent on tries that failed on a kept connection, and on the back-off before
            they were sent again.
        seconds_backing_off: spent on the back-off before all retries.
        phases: ``seconds_opening`` by what it was spent on.
        longest_survived_s: the longest idle time after which a connection still served.
        most_served: the most responses on one connection.
        retried: tries after the first of a call, which the program did not notice.
        retried_statuses: those of them that followed a response, by its status.
        cleartext_credentials: requests with credentials that anybody on the way can read.
        unverified: TLS connections whose other end was not verified.
        leaked_headers: secrets that a redirect took along from another host: how often, by
            ``"host header"``: a value behind a secret header's name would be hidden.
        failed_addresses: addresses that failed before another one answered, by address.
        first_responses, kept_responses: what the first responses took on new connections, and what
            some of those that followed took on kept ones; bounded.
    """

    host: str = ""
    via: str | None = None
    origins: list[str] = field(default_factory=list)
    requests: int | None = 0
    connects: int | None = 0
    opened: int | None = 0
    opened_unanswered: int | None = 0
    reopened: int | None = 0
    reused: int | None = 0
    unanswered: int | None = 0
    in_flight: int | None = 0
    most_at_once: int | None = 0
    necessary: int | None = None
    begun: int | None = None
    discarded: int | None = None
    pool_size: int | None = None
    errors: dict[str, int] = field(default_factory=dict)
    seconds_opening: float | None = 0.0
    seconds_waiting_for_pool: float | None = 0.0
    waits: int = 0
    longest_wait_s: float = 0.0
    blocking_pool_size: int | None = None
    pool_size_needed: int = 0
    seconds_lost: float | None = 0.0
    seconds_backing_off: float = 0.0
    phases: dict[str, float] = field(default_factory=dict)
    longest_survived_s: float = 0.0
    most_served: int = 0
    retried: int = 0
    retried_statuses: dict[str, int] = field(default_factory=dict)
    cleartext_credentials: int = 0
    unverified: int = 0
    leaked_headers: dict[str, int] = field(default_factory=dict)
    failed_addresses: dict[str, FailedAddress] = field(default_factory=dict)
    first_responses: list[ResponseTime] = field(default_factory=list)
    kept_responses: list[ResponseTime] = field(default_factory=list)

    @property
    def attempts(self) -> int | None:
        """Tries of requests, urllib3's retries included; None if a part of them is unknown."""
        parts = (self.opened, self.reused, self.unanswered, self.in_flight)
        return None if None in parts else sum(part for part in parts if part is not None)


# How two counts of one route become one; every other field is a sum
_GREATEST = (
    *("longest_survived_s", "most_served", "pool_size"),
    *("longest_wait_s", "blocking_pool_size", "pool_size_needed"),
)


def total(several: Iterable[HostCounts]) -> HostCounts:
    """The counts of one route in several processes, or trials, as one.

    ``most_at_once`` is a sum: processes cannot share a connection. What one of them does not know
    is unknown of all, but for the fields that only a log at WARNING has.
    """
    counts = list(several)
    first = counts[0] if counts else HostCounts()
    sums = HostCounts(host=first.host, via=first.via)
    for one in fields(HostCounts):
        values = [getattr(count, one.name) for count in counts]
        if one.name in ("host", "via") or not values:
            continue
        setattr(sums, one.name, _together(one.name, values))
    return sums


def _together(name: str, values: list[object]) -> object:
    known = [value for value in values if value is not None]
    if name == "origins":
        return list(dict.fromkeys(origin for value in known for origin in value))  # type: ignore[attr-defined]
    if name in ("first_responses", "kept_responses"):
        return [one for value in known for one in value]  # type: ignore[attr-defined]
    if name == "failed_addresses":
        return _addresses(known)
    if name in ("errors", "phases", "leaked_headers", "retried_statuses"):
        keys = dict.fromkeys(key for value in known for key in value)  # type: ignore[attr-defined]
        return {key: sum(value.get(key, 0) for value in known) for key in keys}  # type: ignore[attr-defined]
    if name in _GREATEST:
        return max(known, default=None)  # type: ignore[type-var]
    if name in ("begun", "discarded"):
        return sum(known) if known else None  # type: ignore[arg-type]
    return sum(known) if len(known) == len(values) else None  # type: ignore[arg-type]


def _addresses(several: list[object]) -> dict[str, FailedAddress]:
    together: dict[str, FailedAddress] = {}
    for addresses in several:
        for name, one in addresses.items():  # type: ignore[attr-defined]
            sums = together.setdefault(name, FailedAddress())
            sums.count, sums.seconds, sums.error = (
                sums.count + one.count,
                sums.seconds + one.seconds,
                one.error,
            )
    return together


# Of these, a part of the time cannot be told from the whole
_OF_ALL_TIME = (
    *("host", "via", "origins", "in_flight", "most_at_once", "necessary"),
    *("failed_addresses", "first_responses", "kept_responses", *_GREATEST),
)


def perfect_reuse(counts: Iterable[HostCounts]) -> int | None:
    """How many connections would have been enough: of each process, since none can share.

    As many as it had requests in flight at once; at least 1 where it opened one, and never more
    than it opened. None if one of these counts is unknown.
    """
    enough = 0
    for one in counts:
        if one.opened is None or one.most_at_once is None:
            return None
        most = max(1, one.most_at_once) if one.necessary is None else one.necessary
        enough += min(one.opened, most)
    return enough


def since(now: HostCounts, before: HostCounts) -> HostCounts:
    """What one route has counted between two snapshots of the same process.

    Maxima, and what is kept of single responses and addresses, are those of the whole time;
    ``in_flight`` is that of now.
    """
    counts = copy(now)
    for one in fields(HostCounts):
        then, value = getattr(before, one.name), getattr(now, one.name)
        if one.name in _OF_ALL_TIME or then is None or value is None:
            continue
        if isinstance(value, dict):
            left = {key: number - then.get(key, 0) for key, number in value.items()}
            setattr(counts, one.name, {key: number for key, number in left.items() if number})
        else:
            setattr(counts, one.name, value - then)
    return counts
