"""All that is learnt from frames: whose request this is, and from which line of the program.

Looked at where a connection is opened, a Session made, a redirect followed or a body broken off,
never on the way of a warm request. What is relied on holds for requests 2.28 to 2.34 (the names
``HTTPAdapter.send``, ``SessionRedirectMixin.resolve_redirects``) and urllib3 1.26 to 2.8 (an error
while a body is read passes ``urllib3/response.py``); the tests run on the oldest and the newest.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import requests.adapters
import urllib3.response
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


def location_in_program() -> str | None:
    """The nearest line on the stack that is neither ours nor requests' nor urllib3's."""
    frame = sys._getframe(1)  # noqa: SLF001 - the documented way to the stack
    while frame is not None and frame.f_code.co_filename.startswith(_LIBRARIES):
        if frame.f_back is None:
            return None
        frame = frame.f_back
    return f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}"  # noqa: PTH119 - fast


def follows_a_redirect() -> bool:
    """Whether a Session that sends within its own request does so to follow a redirect.

    Called by way of `noted`, from a wrapper of ``Session.send``: behind them stand subclasses'
    own ``send``, and then requests itself; or a hook of the program's, which sends a new request.
    """
    frame: FrameType | None = sys._getframe(2)  # noqa: SLF001 - the documented way to the stack
    while frame is not None and frame.f_code.co_name in ("noted", "wrapper", "send"):
        frame = frame.f_back
    return frame is not None and frame.f_code.co_name == "resolve_redirects"


_RESPONSE = urllib3.response.__file__


def reading_error() -> BaseException | None:
    """The error that is being handled just now, if it came up while urllib3 read a response.

    A program that reads no further (`GeneratorExit`) has met no error.
    """
    error = sys.exc_info()[1]
    if error is None or isinstance(error, GeneratorExit):
        return None
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == _RESPONSE:
            return error
        trace = trace.tb_next
    return None
