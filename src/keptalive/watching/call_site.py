"""What the stack tells: whose request this is, and from which line of the program.

Looked at where a connection is opened or a Session made, never on the way of a warm request.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import requests.adapters
from requests.adapters import HTTPAdapter

_ADAPTERS = requests.adapters.__file__
_DEPTH = 20  # frames, between an adapter's send and the pools
# http.client too: urllib3 reconnects from within it
_LIBRARIES = tuple(
    str(Path(file).parent) + "/"
    for name in ("requests", "urllib3", "http", "keptalive")
    if (file := getattr(sys.modules.get(name), "__file__", None))
)


def adapter_on_the_stack() -> Any:
    """The adapter of requests that is sending just now on this thread, if one is."""
    frame = sys._getframe(1)  # noqa: SLF001 - the documented way to the stack
    for _ in range(_DEPTH):
        # the program's own frames are not looked into: that would keep what is in them alive
        if frame.f_code.co_name == "send" and frame.f_code.co_filename == _ADAPTERS:
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
