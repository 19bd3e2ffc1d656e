"""What all benchmarks share: nobody's CA bundle, proxy or netrc has a say in them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from keptalive.bench.influences import neutral


@pytest.fixture(scope="session", autouse=True)
def _neutral_environment() -> Iterator[None]:
    with neutral():
        yield
