"""The cell of a notebook, or the input of IPython's shell, that a code object comes from."""

from __future__ import annotations

import sys

from keptalive.watching.foreign import own


def cell_of(filename: str) -> str | None:
    """``In [3]`` for the file name that IPython made up for its third input; None for any other.

    IPython 7.23 to 9 keep the numbers in ``InteractiveShell.compile._filename_map``
    (`IPython.core.compilerop.CachingCompiler.cache`); ipykernel's names are as
    ``/tmp/ipykernel_123/456.py``. No code of theirs is called.
    """
    shells = sys.modules.get("IPython.core.interactiveshell")
    if shells is None:
        return None
    shell = own(own(shells, "InteractiveShell"), "_instance")
    numbers = own(own(shell, "compile"), "_filename_map")
    number = numbers.get(filename) if type(numbers) is dict else None
    return f"In [{number}]" if type(number) is int else None
