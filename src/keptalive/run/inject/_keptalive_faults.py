"""Decides whether an exception is a fault of our code or belongs to the program.

A signal handler may raise between any two steps of any code, ours too: celery's soft time limit, a
`TimeoutError` from SIGALRM. Without keptalive that exception would reach the program, so it must
reach it with keptalive. Therefore:

- Our code swallows no `BaseException`, and an ``except Exception`` raises again what `is_ours` does
  not call a fault of ours.
- No weakref callback and no ``__del__`` of ours runs Python code, since CPython drops
  what is raised there.
- A hook calls no Python code of others that may fail.

Two exceptions look like ours, since they have no frame: a built-in exception that
another thread injects (`PyThreadState_SetAsyncExc`), and one that a handler written in C raises.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # importing typing costs more than all of this
if TYPE_CHECKING:
    from collections.abc import Collection

# A mock belongs to the program, though unittest.mock raises its exceptions
_LIBRARY = sys.stdlib_module_names - {"unittest"}


def is_ours(error: BaseException, called: Collection[str] = ()) -> bool:
    """Whether our own code failed, so that the program must not see the exception.

    It is ours if its class is a built-in one and each frame of its traceback is ours or one of the
    standard library, which our code calls. The innermost frame alone is not enough: a handler of
    the program may fail in a function of the standard library.

    Args:
        error: as caught; its traceback begins where it was caught.
        called: more top-level packages whose frames and exception classes count as ours.
    """
    if not (isinstance(error, Exception) and _is_known(type(error).__module__, called, "builtins")):
        return False
    trace = error.__traceback__
    while trace is not None:
        name = trace.tb_frame.f_globals.get("__name__")
        if not (_is_known(name, called) or _top(name) in _LIBRARY):
            return False
        trace = trace.tb_next
    return error.__traceback__ is not None


def _is_known(name: object, called: Collection[str], *more: str) -> bool:
    top = _top(name)
    return top == "keptalive" or top.startswith("_keptalive_") or top in called or top in more


def _top(name: object) -> str:
    return name.partition(".")[0] if isinstance(name, str) else ""
