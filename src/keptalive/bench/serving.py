"""The look-alike of a plan, on the link that the plan asks for."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from keptalive.bench.influences import influences, neutral
from keptalive.bench.own_strategies import NAMED
from keptalive.bench.plan import Plan
from keptalive.link.choice import Used, opened_link
from keptalive.lookalike.address import Address
from keptalive.lookalike.behaviour import nat_timeout_s, parse_scenario
from keptalive.lookalike.process import Lookalike


@dataclass(frozen=True, slots=True)
class Served:
    """The look-alike, and the link to it.

    Attributes:
        set_aside: variables of the environment that would change how requests connects.
    """

    lookalike: Lookalike
    link: Used
    set_aside: tuple[str, ...]

    def facts(self) -> Mapping[str, Any]:
        """What the result file says of the link."""
        return {"link": self.link.kind, "link_why": self.link.said}

    def notes(self) -> tuple[str, ...]:
        """What is to be said before the first request, in sentences."""
        said = [self.link.said] if self.link.said else []
        if self.set_aside:
            said.append(f"Set aside for the test server: {', '.join(self.set_aside)}.")
        return tuple(said)


@contextmanager
def served(plan: Plan) -> Iterator[Served]:
    """Serve the plan's scenarios; this process is on the link in the block.

    Raises:
        UsageError: this machine does not allow the link that the plan needs.
    """
    timeouts_s = {name: nat_timeout_s(parse_scenario(name)) for name in plan.scenarios}
    forgetful = {name: seconds for name, seconds in timeouts_s.items() if seconds is not None}
    with opened_link(
        plan.link,
        rtt_ms=plan.rtt_ms,
        needed_by=f"scenario {next(iter(forgetful))}" if forgetful else None,
        unless=_needs_this_machine(plan),
    ) as link:
        set_aside = influences(os.environ)
        with (
            neutral(),
            Lookalike.start(
                plan.scenarios,
                rtt_ms=link.delay_ms,
                address=Address(link.listen, link.named),
                settle=link.settle,
            ) as lookalike,
        ):
            for name, seconds in forgetful.items():
                port = urlsplit(lookalike.url(name)).port
                if link.true is not None and port is not None:
                    link.true.forget_after(port, seconds)
            yield Served(lookalike, link, set_aside)


def _needs_this_machine(plan: Plan) -> str | None:
    """Why the clients should see this machine's network, on which nobody else is on a true link."""
    if plan.program:
        return "your programs may need this machine's network"
    if any(NAMED.fullmatch(name) for name in plan.strategies):
        return "a method of your own may need this machine's network"
    return None
