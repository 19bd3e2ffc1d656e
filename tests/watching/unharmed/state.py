"""What is patched, before and after."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from keptalive.watching.hooks import PLACES

MISSING = object()


def state() -> list[tuple[Any, str, Any, Any]]:
    """What each patched name is, and whether its owner or a base has it."""
    return [
        (owner, name, vars(owner).get(name, MISSING), getattr(owner, name))
        for owner, name, _ in PLACES
    ]


def same(one: list[tuple[Any, ...]], other: list[tuple[Any, ...]]) -> bool:
    flat = (sum(one, ()), sum(other, ()))
    return all(a is b for a, b in zip(*flat, strict=True))


@contextmanager
def unwatched() -> Iterator[None]:
    yield
