"""What of keptalive the plugin uses, each imported when it is first needed.

(PYTEST_DONT_REWRITE: it asserts nothing.)
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from keptalive.compare.rules import Rule
    from keptalive.records.report import Report
    from keptalive.watching.api import Watch


@contextmanager
def watching() -> Iterator[Watch]:
    """Watch this process while the block lasts."""
    with watcher()() as seen:
        yield seen


def watcher() -> Callable[[], AbstractContextManager[Watch]]:
    """`keptalive.watch`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of our import the project's tests know nothing
        from keptalive import watch
    return watch


def numbers_of(report: Report) -> dict[str, int]:
    """What was counted, over all hosts."""
    from keptalive.compare.limits import numbers_of_all

    return numbers_of_all(report.hosts)


def causes_of(report: Report) -> dict[str, int]:
    """How many connections each cause has, over all hosts."""
    from keptalive.compare.limits import causes_of_all

    return causes_of_all(report.hosts)


def rule_of(arguments: tuple[Any, ...], named: Mapping[str, Any]) -> Rule:
    """The rule that the arguments of a marker set; a UsageError if they make no sense."""
    from keptalive.compare import rules

    return rules.rule_of(arguments, named)


def refusal(rule: Rule, report: Report) -> str | None:
    """Why a test has broken its rule; None if it has not."""
    from keptalive.render import in_tests

    _hide_secrets()
    return in_tests.refusal(rule, report)


def nothing_seen(report: Report, marker: str) -> str | None:
    """Why a marker has checked nothing; None if it has."""
    from keptalive.render import in_tests

    _hide_secrets()
    return in_tests.nothing_seen(report, marker)


def shown(text: str) -> str:
    """What the plugin prints, without the secrets of this process, and with nothing to obey."""
    from keptalive import redaction

    _hide_secrets()
    return redaction.shown(text)


def _hide_secrets() -> None:
    from keptalive import redaction

    redaction.IN_USE.add_from(os.environ)
