"""The tables of docs/servers.md, row by row; `tests/test_docs.py` writes them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from .setup import Policy, Server, Setup
from .table import SETUPS

NOTHING = "–"


def rows_of_servers() -> Iterator[tuple[str, ...]]:
    """For each server: its defaults, what it does, what to set."""
    for server in dict.fromkeys(setup.server for setup in SETUPS):
        policies = [setup.policy for setup in SETUPS if setup.server is server]
        yield (
            server.name,
            server.default,
            _each(policies, _closes_after),
            _each(policies, _requests),
            _closes_with(server),
            _each(policies, _announces),
            server.to_set,
        )


def rows_of_setups() -> Iterator[tuple[str, ...]]:
    """For each set-up: what a probe finds, which `test_policies.py` sees to."""
    for setup in SETUPS:
        policy = setup.policy
        yield (
            setup.server.name,
            f"`{setup.settings}`" if setup.settings else "as it comes",
            setup.scheme,
            _found(setup),
            str(policy.requests or NOTHING),
            policy.closes_with,
        )


def _each(policies: Iterable[Policy], say: Callable[[Policy], str | None]) -> str:
    said = dict.fromkeys(words for policy in policies if (words := say(policy)) is not None)
    return ", ".join(said) or NOTHING


def _closes_after(policy: Policy) -> str | None:
    if policy.idle_s is None:
        return None
    sooner = f"T + {policy.adds_s:g} s" if policy.adds_s else "T"
    return f"{sooner} to T + {policy.varies_s:g} s" if policy.varies_s else sooner


def _requests(policy: Policy) -> str | None:
    if policy.requests_set is None:
        return None
    return f"N + {policy.serves_more}" if policy.serves_more else "N"


def _announces(policy: Policy) -> str | None:
    if policy.announces is None:
        return None
    said = re.sub(r"timeout=\d+", "timeout=T", policy.announces)
    return f"`{re.sub('max=[0-9]+', 'max=N', said)}`"


def _closes_with(server: Server) -> str:
    said = {setup.scheme: setup.policy.closes_with for setup in SETUPS if setup.server is server}
    return "; ".join(
        f"{scheme}: {how}" if len(set(said.values())) > 1 else how
        for scheme, how in list(said.items())[: len(set(said.values()))]
    )


def _found(setup: Setup) -> str:
    policy = setup.policy
    if not policy.keeps:
        return "not kept"
    idle = f"{policy.closes_s:g}"
    if policy.varies_s:
        idle += f" to {policy.closes_s + policy.varies_s:g}"
    age = "" if policy.age_s is None else f"; {policy.age_s:g} s of age"
    return f"{idle} s{age}"
