"""What the socket of an idle connection shows of the server and the path to it: sights to events.

As in `policy`, there is no socket and no clock here.
"""

from __future__ import annotations

import math

from keptalive.tuned.events import Ended, Idle, Kept, Remembered, Sight
from keptalive.tuned.policy import CLOCK_TICK_S, PATH_REMEMBERS_S

TIMER_LATE = 1 / 8  # Linux' timers are late by no larger part of their time (kernel/time/timer.c)

READ_WITHIN_S = 1.0  # times of ours and of the kernel are rounded, and not read at one moment


def silence_s(idle: Idle, sight: Sight | None) -> float:
    """Seconds since the last sign of life from the other side, as far as it is known.

    Where the system does not say when a probe was acknowledged, it still gives the connection up
    when none is.
    """
    if sight is None:
        return idle.least_s
    if sight.silent_s is not None:
        return sight.silent_s
    return min(idle.least_s, sight.probes_s or math.inf)


def kept_until(connection: int, idle: Idle, sight: Sight | None) -> Kept:
    """What it says of the server that this idle connection is still open.

    That no FIN has come says nothing where the path may have forgotten the connection.
    """
    silent_s = sight.silent_s if sight and sight.silent_s is not None else idle.least_s
    known_s = max(idle.least_s - silent_s, 0.0) + PATH_REMEMBERS_S
    return Kept(connection=connection, idle_s=min(idle.least_s, known_s))


def remembered(idle: Idle, sight: Sight | None) -> Remembered | None:
    """What an acknowledged probe of TCP keepalive says of the path; None: there was none."""
    if sight is None or sight.silent_s is None or sight.probes_s is None:
        return None
    acknowledged_s = idle.least_s - sight.silent_s
    return Remembered(silent_s=sight.probes_s) if acknowledged_s >= sight.probes_s else None


def ended_at(connection: int, idle: Idle, sight: Sight | None, open_s: float) -> Ended:
    """When an idle connection that has ended was ended by the server.

    Args:
        connection: its number.
        idle: for how long it has been idle.
        sight: of its socket; None: unknown.
        open_s: the idle time at which it was last seen open; 0: never.
    """
    least_s, ago_s = open_s, 0.0
    if sight is not None and sight.readable:
        if sight.data_s is not None and sight.data_s < idle.least_s - CLOCK_TICK_S:
            ago_s = sight.data_s  # a TLS close, or a response that nobody asked for
            least_s = idle.least_s - ago_s
        elif sight.got_fin and sight.silent_s is not None:
            ago_s = min(sight.silent_s, idle.least_s)
            least_s = _first_fin_s(idle.least_s - ago_s, open_s, sight.probes_s)
    return Ended(connection=connection, least_s=max(least_s, open_s), most_s=idle.most_s - ago_s)


def _first_fin_s(last_s: float, open_s: float, probes_s: float | None) -> float:
    """The earliest time at which the FIN can have come, if the last segment came at ``last_s``.

    TCP keepalive goes on after a FIN, with a probe each time after ``probes_s`` of silence or a
    little more. So the FIN came a number of such times before the last segment.
    """
    if probes_s is None:
        return last_s
    probes = max(0, math.floor((last_s - open_s + READ_WITHIN_S) / probes_s))
    return last_s - probes * probes_s * (1 + TIMER_LATE)
