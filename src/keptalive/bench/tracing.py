"""One more trial under watch, not timed: why each connection was opened.

It comes after the counted rounds, so that nothing it does is in their times. The clock is the
target's: in a pause the look-alike only advances its clock, and connections are idle meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from typing import Any

from keptalive.bench.answers import Answers, DisagreementError
from keptalive.bench.calls import Step
from keptalive.bench.plan import Plan
from keptalive.bench.targets import Target
from keptalive.bench.trial import run_trial
from keptalive.causes import judge
from keptalive.records.connection import ConnectionEnd, OpeningFacts
from keptalive.records.process import ProcessRecord
from keptalive.records.report import Report
from keptalive.records.run import Trace
from keptalive.watching.api import watch


def traced(
    step: Step, round_number: int, plan: Plan, target: Target, answers: Answers
) -> Trace | None:
    """Run a trial under watch; None if its strategy is not built on urllib3.

    Raises:
        DisagreementError: the watch's count is not the pool log's, or the trial has others.
        TargetError: the server wants fewer requests.
    """
    if not step.strategy.built_on_urllib3:
        return None
    with watched(target.clock) as report_of:
        trial = run_trial(step, round_number, plan, target, answers)
    report = report_of()
    opened = sum(host.opened or 0 for host in report.hosts)
    if opened != trial.counts.opened:
        raise DisagreementError(
            f"The counts disagree ({step.strategy.label}, {step.scenario}, traced): "
            f"pool log {trial.counts.opened}, watch {opened}."
        )
    return Trace(scenario=step.scenario, strategy=step.name, report=report)


@contextmanager
def watched(clock: Callable[[], float]) -> Iterator[Callable[[], Report]]:
    """Watch this process; what it is given is the report, once the block has ended."""
    with watch(clock=clock, timeline=True) as watch_:
        yield lambda: judge.report([without_places(watch_.record())], source="bench")


def _no_places(record: type[OpeningFacts | ConnectionEnd]) -> dict[str, Any]:
    places = ("_location", "_library", "_entered")
    return {one.name: None for one in fields(record) if one.name.endswith(places)}


def without_places(record: ProcessRecord) -> ProcessRecord:
    """The record without places in the program, which would be places in keptalive."""
    return replace(
        record,
        left_at=(),
        connections=tuple(
            replace(
                one,
                facts=replace(one.facts, **_no_places(OpeningFacts)),
                end=one.end and replace(one.end, **_no_places(ConnectionEnd)),
            )
            for one in record.connections
        ),
        exchanges=tuple(replace(one, where=None) for one in record.exchanges or ()),
    )
