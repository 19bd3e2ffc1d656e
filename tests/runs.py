"""Runs made up for tests of what is done with them: no server, no clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from keptalive.bench.plan import Plan
from keptalive.bench.summary import summarise
from keptalive.records.counts import HostCounts
from keptalive.records.report import Cause, HostReport, Range, Report
from keptalive.records.run import About, Run, Trace, Trial, Witnesses

LABELS = {"fresh": "requests.get", "session": "Session", "tuned": "tuned Session"}
# A little noise, the same in each run: a ratio to fresh is spread by some percent
NOISE = (1.0, 1.01, 0.99, 1.02, 0.98, 1.005, 0.995, 1.015)


def trial(strategy: str, number: int, seconds: float, **changed: Any) -> Trial:
    """A trial of four requests; ``changed`` are counts, or ``scenario``."""
    opened = 4 if strategy == "fresh" else 1
    scenario = changed.pop("scenario", "keep-alive")
    counts = {"requests": 4, "opened": opened, **changed}
    if counts["opened"] is not None:
        counts = {"reused": 4 - counts["opened"], "connects": counts["opened"], **counts}
    return Trial(
        scenario=scenario,
        strategy=strategy,
        round=number,
        warm_up=number == 0,
        counts=HostCounts(**counts),
        witnesses=Witnesses(pool_log=counts["opened"], sockets=counts["opened"], server=None),
        seconds=seconds,
        cpu_seconds=seconds / 2,
        request_seconds=(seconds / 4,) * 4,
    )


def run(
    trials: Sequence[Trial] | None = None,
    *,
    rounds: int = 8,
    plan: Mapping[str, Any] | None = None,
    environment: Mapping[str, Any] | None = None,
    **changed: Any,
) -> Run:
    """A run of these trials; without any, of fresh and session, the latter four times as fast."""
    trials = usual(rounds) if trials is None else trials
    strategies = dict.fromkeys(trial.strategy for trial in trials)
    return Run(
        plan={**Plan().as_dict(), **(plan or {})},
        environment={"python": "3.11.7", "urllib3": "2.7.0", **(environment or {})},
        strategies={
            name: About(label=LABELS[name], settings="requests' defaults") for name in strategies
        },
        trials=tuple(trials),
        summary=summarise(trials),
        ended=changed.pop("ended", "rounds"),
        seconds=9.0,
        **changed,
    )


def trace(strategy: str, scenario: str = "keep-alive", **causes: int) -> Trace:
    """A trace with so many connections of each cause; of its names, hyphens are underscores."""
    found = tuple(
        Cause(cause=name.replace("_", "-"), count=count) for name, count in causes.items()
    )
    unknown = ("seconds_opening", "seconds_saved", "seconds_waiting_for_pool", "seconds_lost")
    host = HostReport(
        host="https://127.0.0.1:1",
        requests=4,
        attempts=4,
        connects=sum(causes.values()),
        opened=sum(causes.values()),
        opened_unanswered=0,
        reopened=0,
        reused=4 - sum(causes.values()),
        unanswered=0,
        in_flight=0,
        perfect=Range(least=1, most=1),
        most_at_once=1,
        **dict.fromkeys(unknown),
        causes=found,
    )
    report = Report(source="bench", hosts=(host,))
    return Trace(scenario=scenario, strategy=strategy, report=report)


def usual(rounds: int = 8, *, slower: float = 1.0, **session: Any) -> list[Trial]:
    """A warm-up round and so many more; what is named changes the session's trials."""
    trials = []
    for number in range(rounds + 1):
        noise = NOISE[number % len(NOISE)]
        trials.append(trial("fresh", number, 0.4 * NOISE[(3 * number + 1) % len(NOISE)]))
        trials.append(trial("session", number, 0.1 * slower * noise, **session))
    return trials
