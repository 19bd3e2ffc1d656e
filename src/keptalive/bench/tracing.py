"""One more trial under watch, not timed: why each connection was opened.

It comes after the counted rounds, so that nothing it does is in their times. The clock is the
target's: of a pause for which the look-alike only advances its clock, connections were idle.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from keptalive.bench.plan import Plan
from keptalive.bench.targets import Target
from keptalive.bench.trial import Answers, DisagreementError, Step, run_trial
from keptalive.records.report import Cause, HostReport, Report
from keptalive.records.run import Trace
from keptalive.watching.api import watch


def traced(
    step: Step, round_number: int, plan: Plan, target: Target, answers: Answers
) -> Trace | None:
    """Run a trial under watch; None if its strategy is not built on urllib3.

    Raises:
        DisagreementError: the watch's count is not the pool log's, or the trial has others.
        TargetError: the server asks to stop.
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
    with watch(clock=clock) as watch_:
        yield lambda: _report_of(watch_.report())


def _report_of(plain: dict[str, Any]) -> Report:
    unknown = ("unanswered", "in_flight", "seconds_waiting_for_pool", "seconds_lost", "perfect")
    counted = ("requests", "attempts", "opened", "opened_unanswered", "reopened", "reused")
    hosts = tuple(
        HostReport(
            host=host["host"],
            **{name: host[name] for name in counted},
            **dict.fromkeys((*unknown, "connects", "seconds_saved")),
            most_at_once=host["at_once"],
            seconds_opening=host["seconds_opening"],
            causes=tuple(
                Cause(cause=one["cause"], count=one["count"], seconds=one["seconds"])
                for one in host["causes"]
            ),
        )
        for host in plain["hosts"]
    )
    return Report(source="bench", hosts=hosts)
