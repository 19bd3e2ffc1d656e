"""After each test everything is as it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from tests.tuned.servers import (
    Authority,
    Server,
    authority,
)

from .state import same, state


@pytest.fixture(autouse=True)
def _everything_is_as_before() -> Iterator[None]:
    before = state()
    yield
    assert same(before, state())


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("unharmed"))


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    with ExitStack() as stack:
        yield lambda *scripts, **options: stack.enter_context(Server(*scripts, **options))
