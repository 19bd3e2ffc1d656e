"""Functions of ours in the place of others': who takes them away, and how that shows."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest

from keptalive.watching.patching import Replacements, replaced


class Owner:
    """Whose function is replaced."""

    def work(self) -> str:
        return "done"

    def warns(self) -> None:
        warnings.warn("of the function that we wrap", UserWarning, stacklevel=2)


def ours(theirs: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(theirs)
    def wrapper(*args: Any) -> Any:
        return theirs(*args)

    return wrapper


PLACES = [(Owner, "work", ours)]


def laid_over(theirs: Callable[..., Any]) -> dict[str, Callable[..., Any]]:
    """Patches over a function that call it, as people write them."""

    @functools.wraps(theirs)
    def wrapped(self: Owner) -> Any:
        return theirs(self)

    def by_default(self: Owner, call: Callable[..., Any] = theirs) -> Any:
        return call(self)

    namespace: dict[str, Any] = {"original": theirs}
    exec("def by_global(self):\n return original(self)", namespace)
    return {
        "wraps": wrapped,
        "closure": lambda self: theirs(self),
        "default": by_default,
        "global": namespace["by_global"],
        "mock": mock.Mock(wraps=theirs),
        "partial": functools.partial(theirs),
    }


@pytest.fixture
def replacements() -> Any:
    with replaced(PLACES) as made:
        yield made


def test_a_place_where_nobody_has_patched_is_not_bypassed(replacements: Replacements):
    assert replacements.bypassed() == []


@pytest.mark.parametrize("way", laid_over(Owner.work))
def test_a_patch_that_calls_what_it_found_does_not_bypass_us(replacements, way, monkeypatch):
    monkeypatch.setattr(Owner, "work", laid_over(Owner.work)[way])
    assert replacements.bypassed() == []


def test_a_mock_that_calls_nothing_bypasses_us(replacements, monkeypatch):
    monkeypatch.setattr(Owner, "work", mock.Mock())
    assert replacements.bypassed() == ["Owner.work"]


def test_whoever_puts_back_what_they_found_before_us_bypasses_us():
    patch = mock.patch.object(Owner, "work")
    patch.start()
    with replaced(PLACES) as replacements:
        patch.stop()  # crossed: ours was laid over theirs
        assert replacements.bypassed() == ["Owner.work"]
    assert Owner().work() == "done"


def test_ours_goes_when_a_patch_that_was_laid_over_it_is_gone():
    first = Owner.work
    patch = mock.patch.object(Owner, "work")
    with replaced(PLACES):
        patch.start()
    patch.stop()  # puts ours back, which is silent
    with replaced(PLACES):
        pass
    assert Owner.work is first


def test_a_warning_that_means_its_caller_names_the_same_line_through_ours():
    def line_of_warning() -> tuple[str, int]:
        with pytest.warns(UserWarning, match="that we wrap") as heard:
            Owner().warns()
        return heard[0].filename, heard[0].lineno

    before = line_of_warning()
    with replaced([(Owner, "warns", ours)]):
        assert line_of_warning() == before
