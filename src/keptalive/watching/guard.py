"""Which exceptions are faults of ours: they are noted; every other one passes to the program.

An exception of the program's can strike while our code runs: a signal handler raises, another
thread injects one (``PyThreadState_SetAsyncExc``). It must arrive where it would arrive without
us. So nothing here or in the hooks catches `BaseException`, and what an ``except Exception``
catches is raised again unless `is_ours` says that it is a mistake of our own: a built-in type,
raised in a frame of our own code or of a C function that it called. For that, code that runs
within a hook calls no Python code of others that may fail.

A built-in class that another thread injects cannot be told from a mistake of ours.
"""

from __future__ import annotations

import os

_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep  # noqa: PTH100, PTH120


def is_ours(error: BaseException) -> bool:
    """Whether this exception, just caught, is a mistake of our own code."""
    return type(error).__module__ == "builtins" and raised_in(error, _OURS)


def raised_in(error: BaseException, files: str) -> bool:
    """Whether its innermost frame is code of a file whose path begins so.

    That of an exception which a signal handler raises is the handler's.
    """
    innermost = error.__traceback__
    if innermost is None:
        return False
    while innermost.tb_next is not None:
        innermost = innermost.tb_next
    return innermost.tb_frame.f_code.co_filename.startswith(files)
