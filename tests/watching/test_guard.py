"""Whose an exception is, told by its type and by where it was raised."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any

import pytest

from keptalive.watching import guard
from keptalive.watching.guard import is_ours


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
    # as the code that called it would catch it: without the frames around
    return info.value.with_traceback(info.tb.tb_next)


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


def test_a_mistake_of_ours_that_the_programs_handler_has_met_is_the_handlers():
    ours = raising(RuntimeError(), guard.__file__)
    handler = calling(ours, __file__)
    assert not is_ours(caught(calling(handler, guard.__file__)))


def test_an_expected_exception_of_a_module_that_we_have_called_is_ours():
    error = caught(calling(raising(ssl.SSLWantReadError(), ssl.__file__), guard.__file__))
    assert is_ours(error, ssl)
    assert not is_ours(error)
