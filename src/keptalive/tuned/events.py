"""What is seen of a server and the path to it, as `policy` hears it. All times are seconds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Idle:
    """For how long a connection was idle, from the server's point of view.

    Attributes:
        least_s: since the client had read the response, which the server had sent before.
        most_s: since the head of the response came: the server cannot have ended it before.
    """

    least_s: float
    most_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What an idle connection's socket shows, without a byte being read.

    Attributes:
        readable: something has come: data, a FIN or an error.
        got_fin: the server's FIN was the last thing to come; False also if that is unknown.
        silent_s: seconds since the last acknowledgement; None: unknown (not Linux).
        data_s: seconds since the last data; None: unknown.
        round_trip_s: the round-trip time as TCP measures it; None: unknown.
        probes_s: seconds of silence after which TCP keepalive sends a probe; None: never.
        unacknowledged: the other side has not acknowledged what was sent; None: unknown.
    """

    readable: bool
    got_fin: bool = False
    silent_s: float | None = None
    data_s: float | None = None
    round_trip_s: float | None = None
    probes_s: float | None = None
    unacknowledged: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """The server kept a connection for at least this long.

    Attributes:
        connection: its number.
        idle_s: for so long.
    """

    connection: int
    idle_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The server ended an idle connection between these two times. Attributes as in `Kept`."""

    connection: int
    least_s: float
    most_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """A response said ``Keep-Alive: timeout=`` this many seconds."""

    timeout_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundTrip:
    """TCP has measured a round-trip time."""

    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """A request got no acknowledgement on a connection without a packet for so long before."""

    silent_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """After so long without a packet, a probe was acknowledged."""

    silent_s: float


Event = Kept | Ended | Announced | RoundTrip | Forgotten | Remembered
