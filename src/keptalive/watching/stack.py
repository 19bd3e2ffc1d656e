"""What the stack tells: whose request this is, and from which line of the program.

Looked at where a connection is opened or a Session made, never on the way of a warm request.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from requests.adapters import HTTPAdapter

_DEPTH = 20  # frames, between an adapter's send and the pools
_LIBRARIES = tuple(
    str(Path(file).parent) + "/"
    for name in ("requests", "urllib3", "keptalive")
    if (file := getattr(sys.modules.get(name), "__file__", None))
)


def adapter_on_the_stack() -> Any:
    """The adapter of requests that is sending just now on this thread, if one is."""
    frame = sys._getframe(1)  # noqa: SLF001 - the documented way to the stack
    for _ in range(_DEPTH):
        if frame.f_code.co_name == "send":
            sender = frame.f_locals.get("self")
            if isinstance(sender, HTTPAdapter):
                return sender
        if frame.f_back is None:
            break
        frame = frame.f_back
    return None


def place_in_program() -> str | None:
    """The nearest line on the stack that is neither ours nor requests' nor urllib3's."""
    frame = sys._getframe(1)  # noqa: SLF001 - the documented way to the stack
    while frame is not None and frame.f_code.co_filename.startswith(_LIBRARIES):
        if frame.f_back is None:
            return None
        frame = frame.f_back
    return f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}"  # noqa: PTH119 - fast
