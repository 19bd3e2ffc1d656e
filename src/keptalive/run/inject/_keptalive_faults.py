"""Tell a fault of our own code from an exception of the program's that struck while it ran.

A signal handler may raise between any two steps of any code, ours included: celery's soft time
limit, a `TimeoutError` from SIGALRM. Without us it would have arrived in the program; so it must
with us. So nothing of ours swallows a `BaseException`, an ``except Exception`` raises again what
`is_ours` does not call a fault of ours, and no callback of a weak reference and no ``__del__`` of
ours runs Python code, since CPython loses what is raised there. Within a hook nobody else's
Python code is called that may fail. What cannot be told apart: a built-in exception that another
thread injects (`PyThreadState_SetAsyncExc`) and one that a handler written in C raises, since
neither has a frame.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # typing costs more than all of this
if TYPE_CHECKING:
    from collections.abc import Collection

# A mock is the program's, though unittest.mock raises for it
_LIBRARY = sys.stdlib_module_names - {"unittest"}


def is_ours(error: BaseException, called: Collection[str] = ()) -> bool:
    """Whether our own code failed, so that the program must not see it.

    It is ours if its class is a built-in one, and each frame that it passed is ours or one of the
    standard library, which our code calls. The innermost frame alone would not say it: a handler
    of the program's may fail in a function of the standard library.

    Args:
        error: as caught; its traceback begins where it was caught.
        called: top-level packages that count as ours, for their frames and exception classes.
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
