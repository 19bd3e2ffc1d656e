"""How each test of a suite ended, and how two ways to run it compare. No I/O but a file's text."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Outcome:
    """How a test ended, and the last line that says why."""

    kind: str
    why: str = ""


@dataclass(frozen=True)
class Run:
    """One run of a suite: each test's outcome by its id.

    Attributes:
        seen: how much of the treatment was met, in its own unit; None for a plain run.
        notes: what else is to be told of it.
    """

    outcomes: dict[str, Outcome]
    seen: int | None = None
    notes: tuple[str, ...] = ()

    def kind(self, test: str) -> str:
        return self.outcomes.get(test, Outcome("not there")).kind

    def passed(self) -> int:
        return sum(outcome.kind == "passed" for outcome in self.outcomes.values())

    def counts(self) -> str:
        kinds = Counter(outcome.kind for outcome in self.outcomes.values())
        return f"{len(self.outcomes)} tests: " + ", ".join(
            f"{count} {kind}" for kind, count in kinds.most_common()
        )


@dataclass(frozen=True)
class Comparison:
    """Every test of any side, in exactly one of four lists."""

    same: list[str] = field(default_factory=list)
    different: list[str] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    flaky: list[str] = field(default_factory=list)


def compare(plain: Run, treated: Run, plain_again: Run, known: dict[str, str]) -> Comparison:
    """Tests whose two plain runs differ are flaky, and show nothing either way."""
    found = Comparison()
    for test in sorted(plain.outcomes | treated.outcomes | plain_again.outcomes):
        if plain.kind(test) != plain_again.kind(test):
            found.flaky.append(test)
        elif plain.kind(test) == treated.kind(test):
            found.same.append(test)
        elif test in known:
            found.known.append(test)
        else:
            found.different.append(test)
    return found


# --- pytest's report ------------------------------------------------------------------------------


def outcomes_of(report: ET.Element) -> dict[str, Outcome]:
    outcomes: dict[str, Outcome] = {}
    for case in report.iter("testcase"):
        test, outcome = _test_id(case), _outcome_of(case)
        # a test that fails and whose teardown fails too stands there twice
        if test not in outcomes or outcomes[test].kind == "passed":
            outcomes[test] = outcome
    return outcomes


def property_of(report: ET.Element, name: str) -> int:
    """A number that the test suite has recorded; 0 where it has not."""
    values = [p.get("value", "0") for p in report.iter("property") if p.get("name") == name]
    return int(values[0]) if values else 0


def _test_id(case: ET.Element) -> str:
    file, name = case.get("file", ""), case.get("name", "")
    module = file.removesuffix(".py").replace("/", ".")
    within = case.get("classname", "").removeprefix(module).strip(".")
    return "::".join(part for part in (file, *within.split("."), name) if part)


def _outcome_of(case: ET.Element) -> Outcome:
    for kind in ("failure", "error", "skipped"):
        found = case.find(kind)
        if found is not None:
            xfailed = found.get("type") == "pytest.xfail"
            named = {"failure": "failed", "error": "error", "skipped": "skipped"}[kind]
            return Outcome("xfailed" if xfailed else named, _reason(found))
    return Outcome("passed")


def _reason(found: ET.Element) -> str:
    errors = re.findall(r"^E +(.*)$", found.text or "", flags=re.MULTILINE)
    return errors[-1] if errors else last_line(found.get("message", ""))


def last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1].strip() if lines else ""
