"""After each test everything is as it was."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .state import same, state


@pytest.fixture(autouse=True)
def _everything_is_as_before() -> Iterator[None]:
    before = state()
    yield
    assert same(before, state())
