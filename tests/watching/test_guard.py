"""Whose an exception is, told by its type and by where it was raised."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from keptalive.watching import guard
from keptalive.watching.guard import is_ours, raised_in


class OwnError(Exception):
    """The program's."""


def raising(error: Exception, file: str) -> Callable[[], Any]:
    """A function of this file that raises it."""
    names: dict[str, Any] = {"error": error}
    exec(compile("def fails():\n raise error", file, "exec"), names)
    return names["fails"]


def calling(function: Callable[[], Any], file: str) -> Callable[[], Any]:
    """A function of this file that calls another one."""
    names: dict[str, Any] = {"function": function}
    exec(compile("def calls():\n return function()", file, "exec"), names)
    return names["calls"]


def caught(function: Callable[[], Any]) -> Exception:
    with pytest.raises(Exception) as info:  # noqa: PT011 - any
        function()
    return info.value


def test_a_builtin_exception_that_our_code_raises_is_a_mistake_of_ours():
    assert is_ours(caught(raising(RuntimeError(), guard.__file__)))


def test_a_builtin_exception_that_a_c_function_raises_for_our_code_is_a_mistake_of_ours():
    assert is_ours(caught(calling({}.popitem, guard.__file__)))


def test_an_exception_of_a_class_of_the_programs_is_not_ours_wherever_it_strikes():
    assert not is_ours(caught(raising(OwnError(), guard.__file__)))


def test_a_builtin_exception_of_a_handler_that_runs_within_our_code_is_not_ours():
    handler = raising(TimeoutError(), __file__)
    assert not is_ours(caught(calling(handler, guard.__file__)))


def test_an_exception_that_was_never_raised_is_not_ours():
    assert not is_ours(RuntimeError())


def test_code_in_a_folder_whose_name_only_begins_like_ours_is_not_ours():
    file = guard.__file__.replace("/keptalive/", "/keptalive_of_somebody/")
    assert not is_ours(caught(raising(RuntimeError(), file)))


def test_the_innermost_frame_tells_where_it_was_raised():
    error = caught(calling(raising(OwnError(), "/lib/ssl.py"), "/our/peek.py"))
    assert raised_in(error, "/lib/ssl.py")
    assert not raised_in(error, "/our/")
