"""What all tests share: an environment in which no CA bundle, proxy, netrc or CI has a say."""

from __future__ import annotations

import gc
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import hypothesis
import pytest
from tests import invariants, schema

from keptalive import redaction
from keptalive.bench.influences import neutral
from keptalive.records.plain import as_plain

pytest_plugins = ["pytester", "tests.servers.fixtures"]
collect_ignore = ["data"]  # programs and a project for tests to run

# A busy machine is no failure: how fast an example is made or run says nothing
hypothesis.settings.register_profile(
    "any-machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any-machine")


def pytest_collection_finish() -> None:
    """What is there now stays: to look for garbage in it takes longer than most tests."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _interruptible() -> Iterator[None]:
    """Programs that the tests run inherit what is ignored: in a shell's background, by nohup."""
    wanted = {signal.SIGINT: signal.default_int_handler, signal.SIGHUP: signal.SIG_DFL}
    before = {number: signal.signal(number, handler) for number, handler in wanted.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


# What a person or a CI has set, and would change what commands print, or where
OF_THE_MACHINE = (
    "VIRTUAL_ENV",  # keptalive run would take its Python
    *("CI", "GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "GITHUB_WORKSPACE"),
    *("NO_COLOR", "FORCE_COLOR", "PY_COLORS", "COLUMNS", "LINES"),
    *("KEPTALIVE_DEBUG", "KEPTALIVE_TOKEN", "GITHUB_TOKEN", "GH_TOKEN"),
    "PYTHONWARNINGS",  # of programs that the tests start, some lose files on purpose
)


@pytest.fixture(scope="session", autouse=True)
def _neutral_environment() -> Iterator[None]:
    with neutral(), pytest.MonkeyPatch.context() as patch:
        for name in OF_THE_MACHINE:
            patch.delenv(name, raising=False)
        yield


OPEN_FILES = Path("/dev/fd")  # of this process; on Linux and macOS


@pytest.fixture(autouse=True)
def _complaints_of_lost_files_come_here() -> Iterator[None]:
    """What a test has lost, it closes itself: else a later test is blamed for a ResourceWarning.

    A socket in a cycle of references, say one that an exception's traceback leads to, stays open
    until the garbage is collected, which may be many tests later.
    """
    before = _open_files()
    yield
    if _open_files() > before:
        gc.collect()


def _open_files() -> int:
    return sum(1 for _ in OPEN_FILES.iterdir()) if OPEN_FILES.exists() else 0


@pytest.fixture(autouse=True)
def _own_secrets() -> Iterator[None]:
    """What one test makes known as a secret is none in the next one."""
    with mock.patch.object(redaction.IN_USE, "_patterns", {}):
        yield


@pytest.fixture(autouse=True)
def _reports_are_sound(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever report a watch makes in a test, it contradicts nothing and fits the schema.

    Not where a test breaks keptalive on purpose: it has the mark `broken`.
    """
    if "keptalive.watching.api" not in sys.modules or request.node.get_closest_marker("broken"):
        yield
        return
    watch_class = sys.modules["keptalive.watching.api"].Watch
    made = watch_class.result

    def result(self: object) -> object:
        report = made(self)
        invariants.check(report)
        schema.validate(as_plain(report))
        return report

    watch_class.result = result  # not by `monkeypatch`, which must be undone before other fixtures
    yield
    watch_class.result = made
