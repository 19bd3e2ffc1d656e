"""A plan says what is benchmarked: a small TOML file, checked key by key.

What each key must be stands in a table (`plan_checks`); a file that has anything else gets one line
naming it. Without a file the defaults below are the plan.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Set
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from keptalive.bench.checking import OPTIONS, checked
from keptalive.bench.gate import Limit
from keptalive.bench.plan_checks import AS_IS, CHECKS, LOOKALIKE, PROGRAMS
from keptalive.bench.plan_headers import Headers
from keptalive.bench.plan_requests import PlannedRequest
from keptalive.bench.plan_sense import idle_key, idle_limit, not_at_once, too_many
from keptalive.bench.plan_tuning import Settings
from keptalive.bench.programs.plan import URL, Program, variants_of
from keptalive.bounded import MIB, text_of
from keptalive.errors import UsageError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

DEFAULT_BUDGET_S = 75.0
LARGEST = MIB  # ten thousand requests, each of a hundred characters


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Which requests go where, how often, and for how long.

    ``rounds`` and ``budget_s`` are None where not set: without both, the run goes on until its
    intervals are narrow or `DEFAULT_BUDGET_S` is used up; ``rounds`` alone is exact.

    Attributes:
        requests: a path alone stands for a GET.
        threads: each sends the list ``repeats`` times; they share what a strategy shares.
        bursts: the threads begin each request together.
        headers: sent with every request.
        token: ``env:NAME``, or None for where `keptalive.bench.github.token` looks.
        retry, pool: settings of the tuned Session.
        program: programs that are run instead.
    """

    target: str = LOOKALIKE
    requests: tuple[str | PlannedRequest, ...] = (
        "/user",
        "/user/repos?per_page=30",
        "/user/repos?per_page=30&page=2",
    )
    repeats: int = 2
    threads: int = 1
    bursts: bool = False
    strategies: tuple[str, ...] = ("fresh", "session", "tuned")
    rounds: int | None = None
    budget_s: float | None = None
    scenarios: tuple[str, ...] = ("keep-alive", "idle-timeout=60")
    rtt_ms: float = 20.0
    link: str = "auto"
    headers: Headers = ()
    token: str | None = None
    auth: str = "bearer"
    compare: str = "body"
    retry: Settings = ()
    pool: Settings = ()
    gate: tuple[Limit, ...] = ()
    program: tuple[Program, ...] = ()

    @property
    def targets(self) -> tuple[PlannedRequest, ...]:
        """The requests that a thread sends in one trial, in order."""
        return () if self.program else self.distinct * self.repeats

    @property
    def names(self) -> tuple[str, ...]:
        """Who takes part: strategies, or programs."""
        return tuple(variants_of(self.program)) if self.program else self.strategies

    @property
    def distinct(self) -> tuple[PlannedRequest, ...]:
        """The requests as listed."""
        return tuple(
            PlannedRequest(path=one) if isinstance(one, str) else one for one in self.requests
        )

    def as_dict(self) -> dict[str, Any]:
        """For the result file: without secrets that stand in the plan, and without bodies.

        Programs have no arguments there, which may be secret.
        """
        plain = {
            **asdict(self),
            "requests": tuple(request.for_a_file for request in self.distinct),
            "headers": {header.name: header.for_a_file for header in self.headers},
            "retry": dict(self.retry),
            "pool": dict(self.pool),
            "program": tuple(f"{one.name}: {one.shown}" for one in self.program),
        }
        if self.program:
            plain |= {"requests": (), "repeats": 1, "strategies": self.names}
        return plain


# -- Reading -------------------------------------------------------------------------------------


def read_plan(path: Path) -> Plan:
    """The plan in this TOML file.

    Raises:
        UsageError: it cannot be read, is not TOML, or has a key or value that no plan has.
    """
    try:
        text = text_of(path, limit=LARGEST, what="The plan", next_step="name a TOML file of a plan")
    except FileNotFoundError:
        raise UsageError(f"There is no plan {path}. Next: name one, or leave it out.") from None
    if (parts := _longest_key(text)) > _PARTS:
        raise UsageError(
            f"The plan {path} has a key of {parts} parts; no plan has more than {_PARTS}. "
            "Next: leave it out."
        )
    try:
        values = tomllib.loads(text)
    except RecursionError:
        raise UsageError(f"The plan {path} is nested too deeply. Next: leave that out.") from None
    except ValueError as error:  # of Python's, for a number of too many digits
        raise UsageError(
            f"The plan {path} is not TOML: {str(error)[:200]}.{_meant(path)}"
        ) from None
    return with_values(Plan(), values, source=f"The plan {path}")


def _meant(path: Path) -> str:
    """The next step for a file that is no plan."""
    if path.suffix == ".py":
        return f" Next: to measure a program, keptalive bench --program 'python {path}'."
    return " Next: mend that line."


# tomllib takes the square of a dotted key's parts in time, and as many levels of nesting
_PARTS = 16
_PART = r"""(?:"(?:\\.|[^"\\\n])*"|'[^'\n]*'|[\w-]+)"""
_KEY = re.compile(rf"{_PART}(?:[ \t]*\.[ \t]*{_PART})*")


def _longest_key(text: str) -> int:
    """How many parts the longest dotted key has, or what looks like one."""
    dotted = (key for key in _KEY.findall(text) if key.count(".") >= _PARTS)
    return max((len(re.findall(_PART, key)) for key in dotted), default=0)


def gate_of(plan: Mapping[str, Any], *, source: str) -> tuple[Limit, ...]:
    """The limits in a plan as a result file keeps it.

    Raises:
        UsageError: they are none that a plan has.
    """
    kept = plan.get("gate", ())
    value = list(kept) if isinstance(kept, tuple) else kept
    limits: tuple[Limit, ...] = checked(CHECKS, {"gate": value}, source)["gate"]
    return limits


def with_values(plan: Plan, values: Mapping[str, Any], *, source: str | None) -> Plan:
    """The plan with these values instead of its own, each checked; no source: the options.

    Raises:
        UsageError: a key or a value that no plan has; the sentence begins with ``source``.
    """
    changed = replace(plan, **checked(CHECKS, values, source))
    if (fault := idle_key(values, changed)) is not None:
        raise UsageError(f"{source or 'The command'}: {fault}")
    for fault in (too_many(changed), not_at_once(changed)):
        if fault is not None:
            raise UsageError(f"{source or 'The command'}: {fault}")
    if changed.program:
        named = {*values, "scenarios", "target"} if plan.program else {*values}
        changed = _of_programs(changed, named, source)
    for limit in changed.gate:
        if (fault := idle_limit(limit, changed)) is not None:
            raise UsageError(f"{source or 'The command'}: gate: {fault}.")
    return changed


_IDLE = (
    *("requests", "repeats", "threads", "bursts", "strategies", "auth", "compare"),
    *("headers", "token", "retry", "pool"),
)


def _of_programs(plan: Plan, named: Set[str], source: str | None) -> Plan:
    """The plan with the target that its programs have.

    Args:
        plan: with programs.
        named: the keys that somebody has set.
        source: how a refusal begins; None for the options.

    Raises:
        UsageError: a key that does nothing where programs are run.
    """
    usual = Plan()
    is_served = plan.target == LOOKALIKE and not named.isdisjoint(("target", "scenarios"))
    idle = [key for key in _IDLE if key in named or getattr(plan, key) != getattr(usual, key)]
    if plan.target not in (LOOKALIKE, PROGRAMS):
        idle.append("target")
    if not is_served:
        idle += [key for key in ("rtt_ms", "link") if key in named]
    if idle:
        what = f"{source}: {idle[0]}" if source else OPTIONS.get(idle[0], idle[0])
        raise UsageError(
            f"{what} does nothing for programs, which send requests of their own. "
            "Next: leave it out."
        )
    if not is_served and any(URL in word for one in plan.program for word in one.command):
        raise UsageError(
            f"{source or 'The command'}: there is no {URL} without a scenario. "
            'Next: scenarios = ["keep-alive"] in a plan, or --target lookalike.'
        )
    if not is_served:
        return replace(plan, target=PROGRAMS, scenarios=(AS_IS,))
    is_own = "scenarios" in named and plan.scenarios != (AS_IS,)
    return replace(plan, scenarios=plan.scenarios if is_own else ("keep-alive",))
