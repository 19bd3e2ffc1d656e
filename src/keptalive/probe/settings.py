"""What a probe may do: how long, how many requests, how fast."""

from __future__ import annotations

from dataclasses import dataclass

MOST_CONNECTIONS = 6  # at the same time
BUDGET_S = 130.0  # longer than the 120 s that IIS and waitress have
MOST_REQUESTS = 110  # on one connection: Apache and Tomcat close after 100
OTHER_REQUESTS = 12  # at most, on the other connections
REDIRECTS = 5
RUNGS_S = (60.0, 240.0, 350.0, 400.0, 600.0)  # idle times after which load balancers forget


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a probe may do.

    Attributes:
        budget_s: how long it may take in all.
        most_requests: on one connection.
        silent_drops: search for them too, if the server closes nothing.
        pace_s: the shortest time between the beginnings of two requests.
        stagger_s: between the beginnings of connections that are watched: so they meet the ticks
            of a server that looks once a second at different moments.
        answer_s: how long a response may take, and a connection to open.
        rungs_s: idle times after which a connection that a path forgets would be forgotten.
        watch_s: how long idle connections are watched when all else is done; None: until the budget
            ends.
        control_s: how often the connection beside these is used.
    """

    budget_s: float = BUDGET_S
    most_requests: int = MOST_REQUESTS
    silent_drops: bool = False
    pace_s: float = 0.05
    stagger_s: float = 1 / 3
    answer_s: float = 10.0
    rungs_s: tuple[float, ...] = RUNGS_S
    watch_s: float | None = None
    control_s: float = 10.0
