"""What the tests of several commands share: a server that keeps connections, and a short plan."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.small_bundle import started

from keptalive.lookalike.process import Lookalike

from .benching import SMALL


@pytest.fixture(scope="module")
def lookalike() -> Iterator[Lookalike]:
    with Lookalike.start(["keep-alive"]) as running:
        yield running


@pytest.fixture
def small_bundles(monkeypatch: pytest.MonkeyPatch) -> None:
    """The look-alike of each command has one certificate in its CA bundle."""
    monkeypatch.setattr(Lookalike, "start", functools.partial(started, Lookalike.start))


@pytest.fixture
def small_plan(tmp_path: Path) -> Path:
    path = tmp_path / "small.toml"
    path.write_text(SMALL)
    return path
