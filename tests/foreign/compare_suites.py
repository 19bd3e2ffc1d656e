"""Do requests' and urllib3's own test suites have the same outcomes with keptalive in them?

``python tests/foreign/compare_suites.py [--folder DIR] [--with REQUIREMENT]... [SUITE...]`` fetches
the sdist of each SUITE ("requests", "urllib3==2.5.0"; both, at the versions that are installed, if
none is given), makes a virtual environment for its tests and runs them, with no network but
loopback:

plain, tuned (each Session of requests sends through `TunedAdapter`), watched (under ``keptalive run
-m pytest``), run-tuned (the same with ``--tuned``, requests' suite only), and plain again. The
tests are then compared one by one. A test whose two plain runs differ is flaky, and shows nothing
either way; one that differs in a treated run alone gets a second chance there, since a busy machine
is no treatment, and is told in any case.

REQUIREMENTs go to pip as they are ("urllib3==1.26.20"). DIR keeps what was made, for a next time.
It needs Linux, pip and its package index, and root or user namespaces; nothing outside the standard
library, so that any Python that has venv can run it.

Exit codes: 0 all the same but what a suite's `known` explains, 1 differences (or too little was
tested to say so), 2 it cannot be done here.
"""

# ruff: noqa: T201 - a command, and printing is what it does

from __future__ import annotations

import argparse
import importlib.metadata
import sys
import tempfile
from pathlib import Path

from environments import CannotCompareError, describe, fetch, install, isolation, make_environment
from outcomes import Comparison, Outcome, Run, compare
from running import OURS, NothingShownError, Runner
from suites import SUITES, Suite, Treatment


def compared(suite: Suite, version: str, folder: Path, requirements: list[str]) -> bool:
    """Run one suite in all its ways and tell; says whether nothing was harmed."""
    isolated = isolation()
    folder.mkdir(parents=True, exist_ok=True)
    python = make_environment(folder)
    unpacked = fetch(python, suite, version, folder)
    install(python, suite, version, unpacked, requirements)
    print(f"\n{suite.package}'s own tests: {describe(python, suite)}", flush=True)
    runner = Runner(suite, python, unpacked, isolated)
    plain = _told("plain", runner.run("plain", None))
    if plain.passed() < suite.least_passed:
        raise NothingShownError(f"only {plain.passed()} tests passed without keptalive")
    treated = [(t, _treated(runner, t)) for t in suite.treatments]
    plain_again = _told("plain again", runner.run("plain-again", None))
    harmed = [t for t, run in treated if not _harmless(runner, t, plain, run, plain_again)]
    return not harmed


def _treated(runner: Runner, treatment: Treatment) -> Run:
    run = _told(treatment.name, runner.run(treatment.name, treatment), treatment.unit)
    if (run.seen or 0) < runner.suite.least_seen[treatment.name]:
        raise NothingShownError(f"{treatment.name}: only {run.seen} {treatment.unit}")
    return run


def _told(name: str, run: Run, unit: str = "") -> Run:
    print(f"{name:<12} {run.counts()}{f'; {run.seen} {unit}' if unit else ''}", flush=True)
    return run


def _harmless(
    runner: Runner, treatment: Treatment, plain: Run, treated: Run, plain_again: Run
) -> bool:
    found = compare(plain, treated, plain_again, runner.suite.known)
    again = _second_chance(runner, treatment, found)
    steady = [test for test in found.different if again.kind(test) != plain.kind(test)]
    print(
        f"\n{treatment.name}: same {len(found.same)}, different {len(steady)}, different once "
        f"{len(found.different) - len(steady)}, known differences {len(found.known)}, flaky "
        f"without us {len(found.flaky)}"
    )
    for test in found.flaky:
        print(f"flaky      {test}: {plain.kind(test)}, then {plain_again.kind(test)}")
    for test in found.known + found.different:
        name = "DIFFERENT" if test in steady else "known" if test in found.known else "once"
        _tell(f"{name:<10} {test}", plain, treated, test, treatment.name)
    faults = [note for note in treated.notes if OURS in note]
    for note in treated.notes:
        print(f"{'FAULT     ' if note in faults else 'note      '} {note}")
    return not steady and not faults


def _second_chance(runner: Runner, treatment: Treatment, found: Comparison) -> Run:
    if not found.different:
        return Run({})
    files = sorted({test.split("::")[0] for test in found.different})
    return runner.run(f"{treatment.name}-again", treatment, *files)


def _tell(headline: str, plain: Run, treated: Run, test: str, name: str) -> None:
    print(headline)
    for side, run in (("plain", plain), (name, treated)):
        outcome = run.outcomes.get(test, Outcome("not there"))
        print(f"  {side:<8} {outcome.kind}{outcome.why and ': ' + outcome.why}")


def _asked(words: list[str]) -> list[tuple[Suite, str]]:
    """The suites that were named, each with its version; all of them if none was."""
    suites = {suite.package: suite for suite in SUITES}
    asked = []
    for word in words or list(suites):
        name, _, version = word.partition("==")
        if name not in suites:
            raise CannotCompareError(f"no suite {name}; there are {' and '.join(suites)}")
        asked.append((suites[name], version or importlib.metadata.version(name)))
    return asked


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("suite", nargs="*", help="requests, urllib3, or requests==2.32.5")
    parser.add_argument("--with", action="append", default=[], dest="requirements", metavar="X",
                        help="for pip, as it is: urllib3==1.26.20")  # fmt: skip
    parser.add_argument("--folder", type=Path, help="keep environments, logs and reports here")
    asked = parser.parse_args()
    harmless = True
    try:
        with tempfile.TemporaryDirectory(prefix="keptalive-suites-") as temporary:
            folder = (asked.folder or Path(temporary)).resolve()
            for suite, version in _asked(asked.suite):
                harmless &= compared(suite, version, folder / suite.package, asked.requirements)
    except importlib.metadata.PackageNotFoundError as error:
        print(f"compare_suites: {error.name} is not installed: say which version", file=sys.stderr)
        return 2
    except CannotCompareError as error:
        print(f"compare_suites: cannot be done here: {error}", file=sys.stderr)
        return 2
    except NothingShownError as error:
        print(f"compare_suites: nothing is shown: {error}", file=sys.stderr)
        return 1
    return 0 if harmless else 1


if __name__ == "__main__":
    sys.exit(main())
