"""What one route has counted since a watch began, as exporters of metrics take it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteTotals:
    """Numbers that only grow, and how many connections are open now.

    Attributes:
        host, via: the route, as in `connection.Connection`; ``other`` is many together.
        opened, reopened, unanswered: connections by cause, as in `counts.HostCounts`.
        reused: responses on a kept connection.
        idle, active: connections that are open now, without and with a request.
    """

    host: str
    via: str | None = None
    opened: Mapping[str, int] = field(default_factory=dict)
    reopened: Mapping[str, int] = field(default_factory=dict)
    unanswered: Mapping[str, int] = field(default_factory=dict)
    reused: int = 0
    idle: int = 0
    active: int = 0
