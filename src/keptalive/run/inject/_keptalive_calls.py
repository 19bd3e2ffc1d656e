"""Functions of `os` by which a process ends, forks or becomes another program."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

PATH = "PYTHONPATH"
MARK = "_keptalive"  # on our wrappers: where os._exit has it, this process is watched


def like(theirs: Any, ours: Callable[..., Any]) -> Callable[..., Any]:
    """A plain function in the place of one of `os`, which answers to the same name."""

    def wrapper(*args: Any, **named: Any) -> Any:
        return ours(*args, **named)

    wrapper.__name__ = wrapper.__qualname__ = theirs.__name__
    wrapper.__doc__ = theirs.__doc__
    wrapper.__module__ = theirs.__module__
    wrapper.__wrapped__ = theirs  # type: ignore[attr-defined]
    setattr(wrapper, MARK, True)
    return wrapper


def led_by(folder: str, variables: Mapping[Any, Any]) -> dict[str, str]:
    """What to change in these variables so that a folder on PYTHONPATH, ours, is its first.

    So the next program begins with our `sitecustomize`, which runs the one behind it; one in front
    of it, as opentelemetry-instrument has put there, would not run ours.
    """
    entries = str(variables.get(PATH, "")).split(os.pathsep)
    if folder not in entries[1:] or entries[0] == folder:
        return {}
    others = [entry for entry in entries if entry != folder]
    return {PATH: os.pathsep.join([folder, *others])}


def in_popen() -> bool:
    """Whether subprocess has just forked, to execute another program."""
    frame = sys._getframe()  # noqa: SLF001
    while frame.f_back is not None and _is_ours(frame.f_globals.get("__name__")):
        frame = frame.f_back
    where = frame.f_globals.get("__name__"), frame.f_code.co_name
    return where == ("subprocess", "_execute_child")


def _is_ours(name: object) -> bool:
    return str(name).rpartition(".")[2].startswith("_keptalive_")
