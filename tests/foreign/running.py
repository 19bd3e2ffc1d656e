"""Run a suite once, in one way, and read how each of its tests ended."""

from __future__ import annotations

import json
import os
import subprocess
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

from environments import HERE
from outcomes import Run, last_line, outcomes_of, property_of
from suites import Suite, Treatment

LONGEST_RUN_S = 1800
OURS = "keptalive itself failed"  # how a report begins to tell of a fault of the watcher


class NothingShownError(Exception):
    """The suite ran, but so little of it that equal outcomes would mean nothing."""


@dataclass(frozen=True)
class Runner:
    """A suite in its place: the folder above `unpacked` gets its logs and reports."""

    suite: Suite
    python: Path
    unpacked: Path
    isolated: list[str]

    def run(self, name: str, treatment: Treatment | None, *tests: str) -> Run:
        """Run the suite, or these tests of it.

        Raises:
            NothingShownError: it did not run to its end, or the treatment met too little.
        """
        report = self._file(name, "xml")
        told = self._file(name, "json")
        report.unlink(missing_ok=True)
        before = treatment.before if treatment else ()
        options = treatment.options if treatment else ()
        # xunit1 names each test's file; the cache would tell a run about the one before
        command = [*self.isolated, str(self.python), *(w.format(report=told) for w in before),
                   "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:benchmark",
                   "-o", "junit_family=xunit1", f"--junit-xml={report}",
                   *self.suite.options, *options, *(tests or [self.suite.tests])]  # fmt: skip
        self._finish(name, command)
        root = ET.parse(report).getroot()
        if treatment is None:
            return Run(outcomes_of(root))
        seen, notes = _watched(told) if before else (property_of(root, "tuned_sends"), ())
        return Run(outcomes_of(root), seen, notes)

    def _finish(self, name: str, command: list[str]) -> None:
        log = self._file(name, "log")
        with log.open("w") as output:
            try:
                done = subprocess.run(
                    command, cwd=self.unpacked, env=self._environment(), stdout=output,
                    stderr=subprocess.STDOUT, timeout=LONGEST_RUN_S, check=False,
                )  # fmt: skip
            except subprocess.TimeoutExpired:
                raise NothingShownError(f"{name}: not done after {LONGEST_RUN_S} s") from None
        if done.returncode not in (0, 1) or not self._file(name, "xml").exists():
            why = last_line(log.read_text())
            raise NothingShownError(f"{name}: pytest exited {done.returncode}: {why}")

    def _file(self, name: str, kind: str) -> Path:
        return self.unpacked.parent / f"{name}.{kind}"

    def _environment(self) -> dict[str, str]:
        """Nobody's CA bundle, proxy, netrc or pytest options have a say."""
        home = self.unpacked.parent / "home"
        home.mkdir(exist_ok=True)
        return {
            "PATH": f"{self.python.parent}:{os.defpath}",
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "PYTHONPATH": str(HERE / "plugin"),
            "PYTHONDONTWRITEBYTECODE": "1",
        }


def _watched(told: Path) -> tuple[int, tuple[str, ...]]:
    """How many connections the watcher has seen, and its warnings."""
    report = json.loads(told.read_text())
    return sum(host["opened"] for host in report["hosts"]), tuple(report["warnings"])
