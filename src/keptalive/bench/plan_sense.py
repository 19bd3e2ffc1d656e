"""What of a plan makes no sense: what would do nothing, too many requests, too many at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import urlsplit

from keptalive.bench.checking import MOST
from keptalive.bench.gate import Limit
from keptalive.bench.github.token import is_githubs
from keptalive.bench.plan_checks import AS_IS, GITHUB, LOOKALIKE
from keptalive.bench.plan_headers import Headers
from keptalive.bench.programs.plan import Program
from keptalive.bench.summary import reference_strategy
from keptalive.quantities import listed

TUNED = "tuned"
_LOOKALIKES_OWN = ("scenarios", "rtt_ms", "link")


class Planned(Protocol):
    """What is looked at of a plan."""

    @property
    def target(self) -> str: ...
    @property
    def requests(self) -> tuple[object, ...]: ...
    @property
    def repeats(self) -> int: ...
    @property
    def threads(self) -> int: ...
    @property
    def strategies(self) -> tuple[str, ...]: ...
    @property
    def names(self) -> tuple[str, ...]: ...
    @property
    def program(self) -> tuple[Program, ...]: ...
    @property
    def scenarios(self) -> tuple[str, ...]: ...
    @property
    def headers(self) -> Headers: ...


def idle_key(values: Mapping[str, Any], plan: Planned) -> str | None:
    """Why a key among these values does nothing, in a sentence; None if each does something.

    A key that another target needs is refused only where the same file names the target: with
    ``--target`` a plan may serve both.
    """
    target = plan.target if "target" in values else None
    if target is not None and target != LOOKALIKE:
        for key in _LOOKALIKES_OWN:
            if key in values:
                return f'{key} is for target = "{LOOKALIKE}" alone. Next: leave it out.'
    if target == LOOKALIKE and "token" in values:
        return (
            f'token is for other targets than "{LOOKALIKE}", which has its own. Next: leave it out.'
        )
    if "token" in values and values.get("auth") == "none":
        return 'token is not sent with auth = "none". Next: leave one out.'
    if "token" in values and any(one.name.lower() == "authorization" for one in plan.headers):
        return "headers has Authorization, and token would replace it. Next: leave one out."
    if values.get("bursts") and plan.threads == 1:
        return "bursts are of several threads. Next: threads = 8, or leave it out."
    for key in ("retry", "pool"):
        if key in values and TUNED not in plan.strategies:
            return f'[{key}] is for the strategy "{TUNED}", which the plan does not have.'
    return None


def too_many(plan: Planned) -> str | None:
    """That a run would have too many requests; None if it has not."""
    many = len(plan.requests) * plan.repeats * plan.threads
    if many <= MOST:
        return None
    return (
        f"repeats: {many} requests in a run; at most {MOST} can be made. "
        f"Next: fewer repeats{' or threads' if plan.threads > 1 else ''}."
    )


def not_at_once(plan: Planned) -> str | None:
    """That the target wants one request after another; None if threads may send to it at once."""
    host = (urlsplit(plan.target).hostname or "").rstrip(".")
    if plan.threads == 1 or not (plan.target == GITHUB or is_githubs(host)):
        return None
    return (
        f"threads = {plan.threads}: GitHub asks for one request after another. "
        f'Next: target = "{LOOKALIKE}", which imitates it, or leave threads out.'
    )


def idle_limit(limit: Limit, plan: Planned) -> str | None:
    """Why this limit would never be looked at; None if it will be."""
    if limit.strategy is not None and limit.strategy not in plan.names:
        what = "program" if plan.program else "strategy"
        return f"the plan has no {what} {limit.strategy}, only {listed(plan.names)}"
    if limit.min_speedup is not None and limit.strategy == reference_strategy(plan.names):
        return f"min_speedup is against {limit.strategy}, so not for it"
    if limit.strategy is None and len(plan.names) == 1 and not plan.program:
        only = plan.names[0]
        return f'only a limit with strategy = "{only}" is for {only}, the reference'
    if plan.target == LOOKALIKE and limit.scenario not in (None, *plan.scenarios):
        return f"the plan has no scenario {limit.scenario}"
    if plan.target != LOOKALIKE and limit.scenario not in (None, AS_IS):
        server = "a server of your programs'" if plan.program else plan.target
        return f"{server} has no scenario {limit.scenario}, only {AS_IS}"
    return None
