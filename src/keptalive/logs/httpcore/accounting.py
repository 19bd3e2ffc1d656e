"""What httpcore's and httpx's lines amount to: each line is a step of a request, in its order.

Lines of one thread or task follow each other; those of tasks that a log does not tell apart are
mixed. A line is of the request that its thread is at, if that one can take this step; else of the
one that has waited for it longest. So counts are exact; which request it was may not be.
"""

from __future__ import annotations

from collections.abc import Iterable

from keptalive.logs.httpcore.host import HttpcoreHost
from keptalive.logs.httpcore.lanes import Lane
from keptalive.logs.httpcore.pool import Pools
from keptalive.logs.httpcore.routes import Routes
from keptalive.logs.httpcore.scanner import SeenStep
from keptalive.logs.httpcore.steps import Steps
from keptalive.records.report import Range

_LANES_KEPT = 4096
_PROCESSES_KEPT = 1024


class HttpcoreLedger:
    """Takes httpcore's and httpx's lines in their order, and counts for each route.

    Attributes:
        routes: the counts.
        first_s, last_s: the times of the first line and the last.
        has_parts: times have parts of a second.
    """

    def __init__(self) -> None:
        self.routes = Routes()
        self.first_s: float | None = None
        self.last_s: float | None = None
        self.has_parts = False
        self._pools: dict[int | None, Pools] = {}
        self._lanes: dict[tuple[int, ...], Steps] = {}

    def totals(self) -> tuple[int, int]:
        """How many requests there were so far, and how many connections were opened."""
        routes = self.routes
        requests = sum(host.requests for host in routes.all) + routes.unplaced
        return (
            requests + sum(routes.responses_only.values()),
            sum(host.opened for host in routes.all),
        )

    def record(self, seen: Iterable[SeenStep]) -> None:
        """Take lines into account."""
        for step, at_s, origin in seen:
            if at_s is not None:
                self.first_s = at_s if self.first_s is None else self.first_s
                self.last_s = at_s
                self.has_parts = self.has_parts or at_s % 1 != 0
            lane = self._lanes.get(origin.who)
            if lane is None:
                lane = self._lane(origin.who, origin.process)
            lane.pools.has_parts = self.has_parts
            lane.take(step, at_s)

    def _lane(self, who: tuple[int, ...], process: int | None) -> Steps:
        if len(self._lanes) >= _LANES_KEPT:
            self._finish(self._lanes.pop(next(iter(self._lanes))))
        if process not in self._pools and len(self._pools) >= _PROCESSES_KEPT:
            process = next(iter(self._pools))
        pools = self._pools.setdefault(process, Pools())
        lane = self._lanes[who] = Steps(self.routes, Lane(), pools)
        return lane

    def finish(self) -> None:
        """The log is over: what has no response yet is in flight."""
        for lane in self._lanes.values():
            self._finish(lane)
        self._lanes.clear()

    def _finish(self, steps: Steps) -> None:
        for flow in steps.lane.flows:
            if flow.has_head:
                self.routes.answered(flow, steps.pools)
            elif flow.host is not None:
                self.routes.requested(flow)
                flow.host.in_flight += 1

    def perfect(self, host: HttpcoreHost) -> Range:
        """What perfect reuse would have opened: of each process, since none can share.

        Of several hosts behind one proxy it is only known how many requests were in flight at once
        from when their tunnels were made, so it may be more.
        """
        least = most = 0
        is_guess = host.unsure > 0 and not self.routes.any_responses
        for pools in self._pools.values():
            use = pools.uses.get(host)
            if use is None or not use.opened:
                continue
            enough = min(use.opened, max(1, use.needed))
            least += min(enough, max(1, use.most_sure)) if is_guess else enough
            most += min(use.opened, max(enough, 0 if use.multiplexes else host.most_at_proxy))
        is_exact = host.is_alone_at_proxy and not is_guess
        return Range(least=most if is_exact else least, most=most)

    def most_at_once(self, host: HttpcoreHost) -> int:
        """The most requests in flight at once, summed over the processes."""
        return sum(
            max(pools.uses[host].most, host.most_at_proxy if host.is_alone_at_proxy else 0)
            for pools in self._pools.values()
            if host in pools.uses
        )
