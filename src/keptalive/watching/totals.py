"""The numbers of a watch for exporters of metrics: they only grow, whatever window it has."""

from __future__ import annotations

from collections import Counter

from keptalive.records.totals import RouteTotals
from keptalive.watching.doing import KEPT
from keptalive.watching.ledger import Ledger
from keptalive.watching.open_connections import OpenConnections
from keptalive.watching.route_counts import RouteCounts
from keptalive.watching.windows import Route, Tally


def totals_of(ledger: Ledger, observed: OpenConnections) -> tuple[RouteTotals, ...]:
    """What each route has counted since the watch began."""
    with ledger.settled():
        return tuple(_totals(ledger.routes, *_open_now(ledger.routes, observed)))


def _open_now(routes: RouteCounts, observed: OpenConnections) -> tuple[Counter[Route], ...]:
    """The connections of each route that are open: idle ones, and those with a request."""
    idle, active = Counter[Route](), Counter[Route]()
    for one in observed.open_ones():
        if one.attempt is not None and one.pool is not None:
            (idle if one.doing is KEPT else active)[routes.name(one.pool)] += 1
    return idle, active


def _totals(routes: RouteCounts, idle: Counter[Route], active: Counter[Route]) -> list[RouteTotals]:
    causes: dict[Route, dict[str, Tally]] = {}
    for (host, via, cause), tally in list(routes.totals.items()):
        causes.setdefault((host, via), {})[cause] = tally
    counts = routes.counts()
    return [
        RouteTotals(
            host=route[0],
            via=route[1],
            opened=_known({c: one.opened for c, one in causes.get(route, {}).items()}),
            reopened=_known({c: one.reopened for c, one in causes.get(route, {}).items()}),
            unanswered=_known({c: one.unanswered for c, one in causes.get(route, {}).items()}),
            reused=(counts[route].reused or 0) if route in counts else 0,
            idle=idle[route],
            active=active[route],
        )
        for route in dict.fromkeys([*counts, *causes, *idle, *active])
    ]


def _known(counts: dict[str, int]) -> dict[str, int]:
    return {cause: number for cause, number in counts.items() if number}
