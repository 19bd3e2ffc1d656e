"""Responses that take longer on kept connections than on new ones: delayed acknowledgements.

Where a message goes in two packets, the second may wait for the acknowledgement of the first
(Nagle's algorithm, RFC 896), and who receives it may delay that (RFC 9293, 3.8.6.3). Linux does so
for 40 ms, but not on a new connection.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from statistics import median
from typing import NamedTuple

from keptalive.quantities import duration
from keptalive.records.counts import HostCounts, ResponseTime
from keptalive.records.report import Finding, HostReport

FEWEST_KEPT = 4  # responses on kept connections that were timed; fewer show nothing
DELAY_S = 0.038  # Linux' 40 ms, less what its clock may be off
# How much longer than on a new connection, which a busy machine may have made slow, too
LEAST_S, MOST_S = 0.015, 0.065
LARGEST_SPREAD_S = 0.012  # of half of the late ones: a timer is exact, a server's work is not
LARGEST_BYTES = 16_384  # of a response: a larger one may take as long to arrive
ANYHOW = 0.1  # the share of first responses that may take as long, on a busy machine

Time = Callable[[ResponseTime], float | None]


class Delay(NamedTuple):
    """How many of the responses that were timed were late, and by how much."""

    late: int
    timed: int
    seconds: float


def delayed_ack(host: HostReport, counts: HostCounts) -> Iterator[Finding]:
    """Two packets, of which the second waits for a delayed acknowledgement of the first."""
    for phase, (time, shows, evidence, cure) in _PHASES.items():
        delay = delay_of(counts.first_responses, counts.kept_responses, time, shows)
        if delay is None:
            continue
        late = round((host.reused or 0) * delay.late / delay.timed)
        yield Finding(
            finding="delayed-ack",
            host=host.host,
            facts={
                "phase": phase,
                "responses_timed": delay.timed,
                "responses_late": delay.late,
                "seconds_each": round(delay.seconds, 4),
            },
            evidence=f"{delay.late} of {delay.timed} responses on kept connections took about "
            f"{duration(delay.seconds)} longer than on new ones, {evidence}",
            cure=cure,
            seconds=delay.seconds * late,
        )


def delay_of(
    first: Sequence[ResponseTime],
    kept: Sequence[ResponseTime],
    time: Time,
    shows: Callable[[ResponseTime], bool],
) -> Delay | None:
    """By how much responses are late on kept connections; None unless at least half of them are.

    Args:
        first: what responses took on new connections.
        kept: what they took on kept ones.
        time: which part of it.
        shows: whether the packets of a late one show a delayed acknowledgement.
    """
    new_s = [took for one in first if (took := time(one)) is not None]
    timed = [(one, took) for one in kept if (took := time(one)) is not None]
    if not new_s or len(timed) < FEWEST_KEPT:
        return None
    usual_s = median(new_s)
    if sum(_is_late(took, usual_s) for took in new_s) > ANYHOW * len(new_s):
        return None
    late_s = sorted(took for one, took in timed if _is_late(took, usual_s) and shows(one))
    if 2 * len(late_s) < len(timed):
        return None
    if late_s[3 * len(late_s) // 4] - late_s[len(late_s) // 4] > LARGEST_SPREAD_S:
        return None
    return Delay(late=len(late_s), timed=len(timed), seconds=median(late_s) - usual_s)


def _is_late(took_s: float, usual_s: float) -> bool:
    return took_s >= DELAY_S and LEAST_S <= took_s - usual_s <= MOST_S


# -- In which part of a response the delay shows, and what shows it ------------------------------


def _to_head(one: ResponseTime) -> float | None:
    return one.head_s


def _rest(one: ResponseTime) -> float | None:
    return one.rest_s


def _request_in_two(one: ResponseTime) -> bool:
    """This side has sent the request in two packets, and its own Nagle's algorithm is on."""
    return one.nagle and (one.sent_packets or 0) > 1


def _response_in_two(one: ResponseTime) -> bool:
    """A part came, this side acknowledged it, and then came the rest.

    A server that was busy for as long would have acknowledged the request meanwhile.
    """
    if _request_in_two(one) or one.acks_received:
        return False
    return (one.acks_sent or 0) > 0 and (one.received_packets or 0) > 1


def _head_in_two(one: ResponseTime) -> bool:
    return not one.whole and _response_in_two(one)


def _all_in_two(one: ResponseTime) -> bool:
    return one.whole and _response_in_two(one)


def _is_small(one: ResponseTime) -> bool:
    return one.received_bytes is not None and one.received_bytes <= LARGEST_BYTES


_SERVERS_CURE = (
    "Server: send head and body in one write, or set TCP_NODELAY. Client, on Linux: set "
    "TCP_QUICKACK before each response; once, at the start, does not help."
)
_SERVERS = (
    "the server sends a response in two packets, and waits in between for an acknowledgement "
    "(Nagle's algorithm), which comes 40 ms late on a kept connection."
)
_REQUEST = (
    "until their head came: the request goes in two packets, and the second waits for an "
    "acknowledgement (Nagle's algorithm is on in the client), which the server delays."
)
_REQUESTS_CURE = (
    "Add (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1) to the client's socket_options; "
    "tuned_session() sets it, through proxies too."
)
_PHASES: dict[str, tuple[Time, Callable[[ResponseTime], bool], str, str]] = {
    "request": (_to_head, _request_in_two, _REQUEST, _REQUESTS_CURE),
    "head": (_to_head, _head_in_two, f"until their head came: {_SERVERS}", _SERVERS_CURE),
    "response": (_to_head, _all_in_two, f"until they had come: {_SERVERS}", _SERVERS_CURE),
    "body": (_rest, _is_small, f"between head and body: most likely {_SERVERS}", _SERVERS_CURE),
}
