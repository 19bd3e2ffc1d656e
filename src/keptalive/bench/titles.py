"""What a scenario is called on the screens and in sentences."""

from __future__ import annotations

from keptalive.bench.plan_checks import AS_IS
from keptalive.lookalike.behaviour import SCENARIOS


def full_title(scenario: str) -> str:
    """What the server does; the name of a scenario that this version does not have."""
    name = scenario.partition("=")[0]
    if name == AS_IS:
        return "Your server"
    return SCENARIOS[name].title if name in SCENARIOS else name


def short_title(scenario: str) -> str:
    """The same without what stands in brackets."""
    return full_title(scenario).partition(" (")[0]


def scenario_title(scenario: str, *, of_programs: bool = False) -> str:
    """The short title, and the scenario where it has a number of its own.

    Args:
        scenario: of a result.
        of_programs: programs were run, and their servers are not known without a scenario.
    """
    if of_programs and scenario == AS_IS:
        return "Your programs"
    title = short_title(scenario)
    return f"{title} ({scenario})" if "=" in scenario else title
