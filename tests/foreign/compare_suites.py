"""Does requests' own test suite have the same outcomes with `TunedAdapter` in it?

``python tests/foreign/compare_suites.py [--folder DIR] [VERSION [REQUIREMENT...]]`` fetches the
sdist of requests VERSION (the installed one, if none is given), makes a virtual environment for its
tests and runs them plain, tuned and plain again, with no network but loopback. The tests are then
compared one by one. A test whose two plain runs differ is flaky, and shows nothing either way.

REQUIREMENTs go to pip as they are ("urllib3==1.26.20"). DIR keeps what was made, for a next time.
It needs Linux, pip and its package index, and root or user namespaces; nothing outside the standard
library, so that any Python that has venv can run it.

Exit codes: 0 all the same but what `KNOWN_DIFFERENCES` explains, 1 differences (or too little was
tested to say so), 2 it cannot be done here.
"""

# ruff: noqa: T201 - a command, and printing is what it does

from __future__ import annotations

import argparse
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent.parent

# A test's id, and why it is right that it ends otherwise with TunedAdapter
KNOWN_DIFFERENCES: dict[str, str] = {}

LEAST_PASSED = 500  # in the plain run: with fewer, the suite has not really run
LEAST_TUNED_SENDS = 200
LONGEST_RUN_S = 900

# The suite needs these without requirements-dev.txt saying so in every version
ALWAYS_NEEDED = ("pytest-mock", "trustme")
ENVIRONMENT_NAMES = ("requests", "urllib3", "pytest", "pytest-httpbin", "httpbin", "certifi")


class CannotCompareError(Exception):
    """This machine lacks something that the comparison needs."""


class NothingShownError(Exception):
    """The suite ran, but so little of it that equal outcomes would mean nothing."""


@dataclass(frozen=True)
class Outcome:
    """How a test ended, and the last line that says why."""

    kind: str
    why: str = ""


@dataclass(frozen=True)
class Run:
    """One run of the whole suite: each test's outcome by its id."""

    outcomes: dict[str, Outcome]
    tuned_sends: int

    def kind(self, test: str) -> str:
        return self.outcomes.get(test, Outcome("not there")).kind

    def counts(self) -> str:
        kinds = Counter(outcome.kind for outcome in self.outcomes.values())
        return f"{len(self.outcomes)} tests: " + ", ".join(
            f"{count} {kind}" for kind, count in kinds.most_common()
        )


@dataclass(frozen=True)
class Comparison:
    """Every test of either side, in exactly one of four lists."""

    same: list[str]
    different: list[str]
    known: list[str]
    flaky: list[str]


def compare(plain: Run, tuned: Run, plain_again: Run) -> Comparison:
    found = Comparison([], [], [], [])
    for test in sorted(plain.outcomes | tuned.outcomes | plain_again.outcomes):
        if plain.kind(test) != plain_again.kind(test):
            found.flaky.append(test)
        elif plain.kind(test) == tuned.kind(test):
            found.same.append(test)
        elif test in KNOWN_DIFFERENCES:
            found.known.append(test)
        else:
            found.different.append(test)
    return found


# --- the environment ------------------------------------------------------------------------------


def isolation() -> list[str]:
    """The command before a command, that leaves it nothing but loopback."""
    unshare = ["unshare", "--net"]
    if os.geteuid() != 0:
        unshare.insert(1, "--map-root-user")
    command = [*unshare, sys.executable, str(HERE / "loopback_only.py")]
    try:
        tried = subprocess.run([*command, "true"], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise CannotCompareError("there is no unshare here (Linux, util-linux)") from None
    if tried.returncode:
        raise CannotCompareError(
            f"no network namespace can be made here, be root: {last_line(tried.stderr)}"
        )
    return command


def pip(python: Path, *arguments: str) -> None:
    done = subprocess.run(
        [str(python), "-m", "pip", "--disable-pip-version-check", "--quiet", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if "error" in line.lower()]
        why = errors[-1].strip() if errors else last_line(done.stderr)
        raise CannotCompareError(f"pip {' '.join(arguments)}: {why}")


def make_environment(folder: Path) -> Path:
    """A virtual environment's Python."""
    python = folder / "venv" / "bin" / "python"
    if not python.exists():
        command = [sys.executable, "-m", "venv", str(folder / "venv")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            shutil.rmtree(folder / "venv", ignore_errors=True)
            raise CannotCompareError("no venv (on Debian: apt-get install python3-venv)")
    return python


def fetch_suite(python: Path, version: str, folder: Path) -> Path:
    """The unpacked sdist, without the package in it: the installed one is what is tested."""
    suite = folder / f"requests-{version}"
    if not suite.exists():
        pip(python, "download", "--no-deps", "--no-binary=requests", f"--dest={folder}",
            f"requests=={version}")  # fmt: skip
        (sdist,) = folder.glob(f"requests-{version}*.tar.gz")
        with tarfile.open(sdist) as archive:
            archive.extractall(folder, filter="data")
        for package in (suite / "requests", suite / "src"):
            shutil.rmtree(package, ignore_errors=True)
    if not (suite / "tests").is_dir():
        raise CannotCompareError(f"the sdist of requests {version} has no tests")
    return suite


def install(python: Path, version: str, suite: Path, requirements: list[str]) -> None:
    needed = suite.parent / "needed.txt"
    lines = (suite / "requirements-dev.txt").read_text().splitlines()
    needed.write_text("\n".join(line for line in lines if not line.startswith("-e")))
    pip(python, "install", f"requests[socks]=={version}", *requirements, *ALWAYS_NEEDED,
        f"--requirement={needed}")  # fmt: skip
    # What keptalive needs beside requests is for measuring; its pytest could contradict the suite's
    pip(python, "install", "--no-deps", "--force-reinstall", str(PROJECT))


def describe(python: Path) -> str:
    script = (
        "import importlib.metadata, platform, ssl, sys\n"
        "print('Python', platform.python_version() + ',', ssl.OPENSSL_VERSION, end='')\n"
        "for name in sys.argv[1:]: print(',', name, importlib.metadata.version(name), end='')\n"
    )
    command = [str(python), "-c", script, *ENVIRONMENT_NAMES]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


# --- the runs -------------------------------------------------------------------------------------


def run_suite(
    name: str, python: Path, suite: Path, isolated: list[str], *options: str, tuned: bool = False
) -> Run:
    report = suite.parent / f"{name}.xml"
    log = suite.parent / f"{name}.log"
    report.unlink(missing_ok=True)
    home = suite.parent / "home"
    home.mkdir(exist_ok=True)
    environment = {
        # nobody's CA bundle, proxy, netrc or pytest options have a say
        "PATH": f"{python.parent}:{os.defpath}",
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(HERE) if tuned else "",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    # xunit1 names each test's file; the cache would tell a run about the one before
    command = [*isolated, str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider",
               "-o", "junit_family=xunit1", f"--junit-xml={report}", *options, "tests"]  # fmt: skip
    with log.open("w") as output:
        try:
            done = subprocess.run(
                command, cwd=suite, env=environment, stdout=output, stderr=subprocess.STDOUT,
                timeout=LONGEST_RUN_S, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise NothingShownError(f"{name}: not done after {LONGEST_RUN_S} s") from None
    if done.returncode not in (0, 1) or not report.exists():
        raise NothingShownError(f"{name}: pytest exited {done.returncode}: {last_line(log)}")
    return read_report(report)


def read_report(report: Path) -> Run:
    root = ET.parse(report).getroot()
    outcomes: dict[str, Outcome] = {}
    for case in root.iter("testcase"):
        test, outcome = test_id(case), outcome_of(case)
        # a test that fails and whose teardown fails too stands there twice
        if test not in outcomes or outcomes[test].kind == "passed":
            outcomes[test] = outcome
    sends = [p.get("value", "0") for p in root.iter("property") if p.get("name") == "tuned_sends"]
    return Run(outcomes, int(sends[0]) if sends else 0)


def test_id(case: ET.Element) -> str:
    file, name = case.get("file", ""), case.get("name", "")
    module = file.removesuffix(".py").replace("/", ".")
    within = case.get("classname", "").removeprefix(module).strip(".")
    return "::".join(part for part in (file, *within.split("."), name) if part)


def outcome_of(case: ET.Element) -> Outcome:
    for kind in ("failure", "error", "skipped"):
        found = case.find(kind)
        if found is not None:
            xfailed = found.get("type") == "pytest.xfail"
            named = {"failure": "failed", "error": "error", "skipped": "skipped"}[kind]
            return Outcome("xfailed" if xfailed else named, reason(found))
    return Outcome("passed")


def reason(found: ET.Element) -> str:
    errors = re.findall(r"^E +(.*)$", found.text or "", flags=re.MULTILINE)
    return errors[-1] if errors else last_line(found.get("message", ""))


def last_line(text: str | Path) -> str:
    lines = (text.read_text() if isinstance(text, Path) else text).strip().splitlines()
    return lines[-1].strip() if lines else ""


# --- the command ----------------------------------------------------------------------------------


def report_on(found: Comparison, plain: Run, tuned: Run, plain_again: Run) -> None:
    print(f"plain        {plain.counts()}")
    print(f"tuned        {tuned.counts()}; {tuned.tuned_sends} requests sent through TunedAdapter")
    print(f"plain again  {plain_again.counts()}")
    print(
        f"\nsame {len(found.same)}, different {len(found.different)}, "
        f"known differences {len(found.known)}, flaky without us {len(found.flaky)}"
    )
    for test in found.flaky:
        print(f"\nflaky      {test}")
        print(f"  plain    {plain.kind(test)}, then {plain_again.kind(test)}")
    for test in found.known + found.different:
        print(f"\n{'known     ' if test in found.known else 'DIFFERENT '} {test}")
        for side, run in (("plain", plain), ("tuned", tuned)):
            outcome = run.outcomes.get(test, Outcome("not there"))
            print(f"  {side}    {outcome.kind}{outcome.why and ': ' + outcome.why}")
        if test in found.known:
            print(f"  because  {KNOWN_DIFFERENCES[test]}")


def compare_in(folder: Path, version: str, requirements: list[str]) -> Comparison:
    isolated = isolation()
    python = make_environment(folder)
    suite = fetch_suite(python, version, folder)
    install(python, version, suite, requirements)
    print(describe(python), flush=True)
    plain = run_suite("plain", python, suite, isolated)
    passed = sum(outcome.kind == "passed" for outcome in plain.outcomes.values())
    if passed < LEAST_PASSED:
        raise NothingShownError(f"only {passed} tests passed without TunedAdapter")
    tuned = run_suite("tuned", python, suite, isolated, "-p", "tuned_everywhere", tuned=True)
    if tuned.tuned_sends < LEAST_TUNED_SENDS:
        raise NothingShownError(f"only {tuned.tuned_sends} requests went through TunedAdapter")
    plain_again = run_suite("plain-again", python, suite, isolated)
    found = compare(plain, tuned, plain_again)
    report_on(found, plain, tuned, plain_again)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("version", nargs="?", help="of requests; the installed one by default")
    parser.add_argument("requirement", nargs="*", help="for pip, as it is: urllib3==1.26.20")
    parser.add_argument("--folder", type=Path, help="keep environment, logs and reports here")
    asked = parser.parse_args()
    try:
        version = asked.version or importlib.metadata.version("requests")
        with tempfile.TemporaryDirectory(prefix="keptalive-suites-") as temporary:
            folder = asked.folder or Path(temporary)
            folder.mkdir(parents=True, exist_ok=True)
            found = compare_in(folder.resolve(), version, asked.requirement)
    except importlib.metadata.PackageNotFoundError:
        print("compare_suites: say which version of requests; none is installed", file=sys.stderr)
        return 2
    except CannotCompareError as error:
        print(f"compare_suites: cannot be done here: {error}", file=sys.stderr)
        return 2
    except NothingShownError as error:
        print(f"compare_suites: nothing is shown: {error}", file=sys.stderr)
        return 1
    return 1 if found.different else 0


if __name__ == "__main__":
    sys.exit(main())
