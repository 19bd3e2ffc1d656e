"""Probes with times that suit tests, and the look-alike that they share."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from tests.servers.scripted import PATIENCE_S

from keptalive.errors import TargetError
from keptalive.lookalike.process import Lookalike
from keptalive.probe.judge import judged
from keptalive.probe.prober import Prober
from keptalive.probe.route import route_to
from keptalive.probe.settings import Settings
from keptalive.probe.watcher import Watcher
from keptalive.records.probe import ProbeReport

QUICK = Settings(budget_s=10.0, most_requests=8, pace_s=0.005, stagger_s=0.03, answer_s=PATIENCE_S)
SCENARIOS = (
    "keep-alive",
    "close-announced",
    "http-1.0",
    "request-limit=1",
    "request-limit=3",
    "request-limit-announced=4",
    "idle-timeout=0.75",
    "idle-reset=0.75",
    "timeout-408=0.75",
    "stray-bytes=1",
    "stray-bytes=2",
    "stale=2",
    "truncated-body=6",
)


@pytest.fixture(scope="session")
def lookalike() -> Iterator[Lookalike]:
    with Lookalike.start(SCENARIOS) as running:
        yield running


@pytest.fixture
def probe() -> Callable[..., ProbeReport]:
    """Probe a URL; what is given is a setting, or the clock."""

    def run(
        url: str, *, clock: Callable[[], float] = time.monotonic, **settings: object
    ) -> ProbeReport:
        prober = Prober(route_to(url), replace(QUICK, **settings), Watcher(clock=clock))
        return judged(prober.run(), url=prober.route.url, via=prober.route.via)

    return run


def names(report: ProbeReport) -> set[str]:
    """The findings of this report."""
    return {finding.finding for finding in report.findings}


def fails_with(probe: Callable[..., ProbeReport], url: str, **settings: object) -> str:
    """The line that says why this target cannot be probed."""
    began = time.monotonic()
    with pytest.raises(TargetError) as raised:
        probe(url, **settings)
    assert time.monotonic() - began < 4
    (line,) = str(raised.value).splitlines()
    assert "Next: " in line
    return line
