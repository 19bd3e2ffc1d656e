"""What all tests share: an environment in which nobody's CA bundle, proxy or netrc has a say."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from keptalive.bench.influences import neutral

pytest_plugins = ["pytester", "tests.servers.fixtures"]
collect_ignore = ["data"]  # programs and a project for tests to run


@pytest.fixture(scope="session", autouse=True)
def _interruptible() -> Iterator[None]:
    """Programs that the tests run inherit it if SIGINT is ignored, as in a shell's background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session", autouse=True)
def _neutral_environment() -> Iterator[None]:
    with neutral():
        yield
