"""Which exceptions are faults of ours: they are noted; every other one passes to the program.

An exception of the program's can strike while our code runs: a signal handler raises, another
thread injects one (``PyThreadState_SetAsyncExc``). It must arrive where it would arrive without
us. So nothing in the hooks swallows a `BaseException`, and what an ``except Exception`` catches is
raised again unless `is_ours` says that it is a mistake of our own: a built-in type, raised in our
own code or in a C function that it called. For that, code that runs within a hook calls no Python
code of others that may fail.

A built-in class that another thread injects cannot be told from a mistake of ours.
"""

from __future__ import annotations

import os
from types import ModuleType

_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep  # noqa: PTH100, PTH120


def is_ours(error: BaseException, *called: ModuleType) -> bool:
    """Whether this exception, just caught, is a mistake of our own code.

    Args:
        error: it was raised below the caller: each frame that it has passed is looked at.
        called: modules whose code we have called, and whose exceptions we expect.
    """
    files = (_OURS, *(module.__file__ or _OURS for module in called))
    trace = error.__traceback__
    if trace is None or type(error).__module__ not in (
        "builtins",
        *(module.__name__ for module in called),
    ):
        return False
    while trace is not None:
        if not trace.tb_frame.f_code.co_filename.startswith(files):
            return False  # a signal handler's, for one
        trace = trace.tb_next
    return True
