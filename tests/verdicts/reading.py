"""What the tests of verdicts ask a watch for."""

from __future__ import annotations

from typing import Any

from keptalive.causes.judge import report
from keptalive.records.report import Cause, Finding, HostReport, Report
from keptalive.render.verdict import NOTHING_TO_CHANGE, verdict
from keptalive.watching.api import Watch


def of(watched: Watch) -> Report:
    return report([watched.record()], source="watch")


def only_host(watched: Watch) -> HostReport:
    (host,) = of(watched).hosts
    return host


def causes(watched: Watch) -> dict[str, int]:
    return {cause.cause: cause.count for cause in only_host(watched).causes if cause.count}


def cause(watched: Watch, name: str) -> Cause:
    return next(one for one in only_host(watched).causes if one.cause == name)


def perfect(watched: Watch) -> Any:
    found = only_host(watched).perfect
    assert found is not None
    assert found.least == found.most
    return found.most


def finding(watched: Watch, name: str) -> Finding:
    return next(one for one in of(watched).findings if one.finding == name)


def findings(watched: Watch) -> list[str]:
    return [one.finding for one in of(watched).findings]


def nothing_to_change(watched: Watch) -> bool:
    return verdict(of(watched)).startswith(NOTHING_TO_CHANGE)
