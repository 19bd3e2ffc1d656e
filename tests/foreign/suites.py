"""Whose suites run, in which ways, and how much of each must have been met to show anything."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Treatment:
    """One way to run a suite that is to change nothing.

    Attributes:
        before: what stands between ``python`` and ``-m pytest``; {report} is a file to write.
        options: pytest's own.
        unit: what `Run.seen` counts, as a sentence's end.
    """

    name: str
    unit: str
    before: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


TUNED = Treatment("tuned", "requests sent through TunedAdapter", options=("-p", "tuned_everywhere"))
WATCHED = Treatment(
    "watched", "connections seen", before=("-m", "keptalive", "run", "--json", "{report}")
)
RUN_TUNED = Treatment(
    "run-tuned",
    "connections seen",
    before=("-m", "keptalive", "run", "--tuned", "--json", "{report}"),
)


@dataclass(frozen=True)
class Suite:
    """A package whose sdist has its tests.

    Attributes:
        requirements: the file in the sdist that names what the tests need.
        also_needed: requirements that the file does not name in every version.
        least_passed: with fewer, in the plain run, the suite has not really run.
        least_seen: by the name of a treatment: the least that shows anything.
        known: a test's id, and why it is right that it ends otherwise.
    """

    package: str
    tests: str
    requirements: str
    extras: str
    least_passed: int
    least_seen: dict[str, int]
    treatments: tuple[Treatment, ...]
    described: tuple[str, ...]
    also_needed: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    known: dict[str, str] = field(default_factory=dict)


SUITES = (
    Suite(
        package="requests",
        tests="tests",
        requirements="requirements-dev.txt",
        extras="socks",
        also_needed=("pytest-mock", "trustme"),
        least_passed=500,
        least_seen={"tuned": 200, "watched": 200, "run-tuned": 200},
        treatments=(TUNED, WATCHED, RUN_TUNED),
        described=("requests", "urllib3", "pytest", "pytest-httpbin", "httpbin", "certifi"),
    ),
    Suite(
        package="urllib3",
        tests="test",
        requirements="pyproject.toml",
        extras="socks,h2,brotli,zstd",
        options=(
            # it needs pytest's cache, and looks at memory alone
            *("-p", "no:memray"),
            # without us too it may wait for ever: where one of its threads fails, the lock that the
            # others wait for is never released
            *("-k", "not test_http2_probe_blocked_per_thread"),
        ),
        least_passed=1500,
        least_seen={"watched": 400},  # mocks, of which there are many, are no connections
        treatments=(WATCHED,),
        described=("urllib3", "requests", "pytest", "Hypercorn", "pyOpenSSL"),
    ),
)
