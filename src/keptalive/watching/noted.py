"""How a hook tells the observer: a mistake of ours goes no further, any other exception passes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keptalive.watching.observer import Observer

Function = Callable[..., Any]


def noted(see: Observer, note: Function, *what: Any, **more: Any) -> Any:
    """Call a method of the observer's: every hook's way to it, but for those of a warm request."""
    try:
        return note(*what, **more)
    except Exception as error:
        if not see.fault(error):
            raise
        return None
