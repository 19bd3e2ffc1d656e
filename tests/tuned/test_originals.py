"""A function that somebody has replaced, at whatever time, is noticed."""

from __future__ import annotations

import functools
import http.client
from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest
import requests

from keptalive.tuned.originals import Originals


def wrapped_with_functools(function: Callable[..., Any]) -> Any:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


class Proxy:
    """As wrapt's: whatever is asked of it, the function answers."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.__wrapped__ = function

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__wrapped__, name)


@pytest.mark.parametrize("wrap", [wrapped_with_functools, Proxy])
@pytest.mark.parametrize(
    ("owner", "name"), [(requests.Session, "prepare_request"), (http.client, "parse_headers")]
)
def test_a_replaced_function_is_noticed(owner: Any, name: str, wrap: Callable[..., Any]) -> None:
    before = Originals((owner, name))
    assert before.are_unchanged()
    with mock.patch.object(owner, name, wrap(getattr(owner, name))):
        assert not before.are_unchanged()
        while_replaced = Originals((owner, name))
        assert not while_replaced.are_unchanged()
    assert before.are_unchanged()
    assert not while_replaced.are_unchanged()


def test_what_a_version_does_not_have_is_not_asked_for() -> None:
    assert Originals((requests.Session, "no_such_method")).are_unchanged()
