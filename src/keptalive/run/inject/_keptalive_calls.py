"""Wrappers for functions of `os` that end the process or execute another program."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

PATH = "PYTHONPATH"
MARK = "_keptalive"  # an attribute of our wrappers: if os._exit has it, this process is watched


def like(theirs: Any, ours: Callable[..., Any]) -> Callable[..., Any]:
    """A plain function that replaces one of `os` and has its name and docstring."""

    def wrapper(*args: Any, **named: Any) -> Any:
        return ours(*args, **named)

    wrapper.__name__ = wrapper.__qualname__ = theirs.__name__
    wrapper.__doc__ = theirs.__doc__
    wrapper.__module__ = theirs.__module__
    wrapper.__wrapped__ = theirs  # type: ignore[attr-defined]
    setattr(wrapper, MARK, True)
    return wrapper


def led_by(folder: str, variables: Mapping[Any, Any]) -> dict[str, str]:
    """Changes to these environment variables that put our folder first on PYTHONPATH.

    So the next program begins with our `sitecustomize`, which runs the one after it. A
    `sitecustomize` before ours, such as that of opentelemetry-instrument, would not run ours.
    """
    entries = str(variables.get(PATH, "")).split(os.pathsep)
    if folder not in entries[1:] or entries[0] == folder:
        return {}
    others = [entry for entry in entries if entry != folder]
    return {PATH: os.pathsep.join([folder, *others])}


def in_popen() -> bool:
    """Whether this is the child of a fork by subprocess, which will execute another program."""
    frame = sys._getframe()  # noqa: SLF001
    while frame.f_back is not None and _is_ours(frame.f_globals.get("__name__")):
        frame = frame.f_back
    where = frame.f_globals.get("__name__"), frame.f_code.co_name
    return where == ("subprocess", "_execute_child")


def _is_ours(name: object) -> bool:
    return str(name).rpartition(".")[2].startswith("_keptalive_")
