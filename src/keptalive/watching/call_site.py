"""All that is learnt from frames: whose request this is, and from which line of the program.

Looked at where a connection is opened, a Session made, a redirect followed or a body broken off,
never on the way of a warm request. What is relied on holds for requests 2.28 to 2.34 (the names
``HTTPAdapter.send``, ``SessionRedirectMixin.resolve_redirects``) and urllib3 1.26 to 2.8 (an error
while a body is read passes ``urllib3/response.py``); the tests run on the oldest and the newest.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, NamedTuple

import requests.adapters
import requests.sessions
import urllib3.response
from requests.adapters import HTTPAdapter

import keptalive
from keptalive.records.connection import where_of
from keptalive.watching import source_files
from keptalive.watching.notebook_cells import cell_of
from keptalive.watching.source_files import Kind, SourceFile

_ADAPTERS = requests.adapters.__file__
PROGRAM, LIBRARY, RUNNER = Kind.PROGRAM, Kind.LIBRARY, Kind.RUNNER
PASSED, STARTER = Kind.PASSED, Kind.STARTER
_SESSIONS = requests.sessions.__file__
_DEPTH = 30  # frames, between a Session's send and the pools
_PLUMBING = [
    str(Path(file).parent)
    for module in (keptalive, requests, urllib3)
    if (file := module.__file__) is not None
]
_seen: dict[str, SourceFile] = {}  # by the name of a code object's file
_OF_REQUESTS = ("requests", "urllib3")
_MOST_SEEN = 4096  # each cell of a notebook is another file
_files = source_files.of_this_process(_PLUMBING)


class Place(NamedTuple):
    """Where in the program something was done.

    Attributes:
        line: the nearest line on the stack that is the program's own, as ``sync.py:12``; None where
            there is none, as in a thread that runs ``session.get``.
        library: the line of the installed package by which it called requests or urllib3, as
            ``spotipy/client.py:229``; None where the program did so itself. Of several packages on
            the way it is the last, since that one has the Session, and its options.
        entered: where there is no line of the program: the outermost line of that package; without
            one that of requests or urllib3, as in a thread that runs ``requests.get``.
    """

    line: str | None = None
    library: str | None = None
    entered: str | None = None

    def facts(self, what: str) -> dict[str, Any]:
        """As fields of `OpeningFacts` and `ConnectionEnd` of these names."""
        names = (f"{what}_location", f"{what}_library", f"{what}_entered")
        return dict(zip(names, self, strict=True))

    def shown(self) -> str | None:
        """In a few words, with the library."""
        if self.line is None:
            return where_of(None, made=None, entered=self.entered)
        return self.line if self.library is None else f"{self.line} through {self.library}"


NOWHERE = Place()


def adapter_on_the_stack() -> Any:
    """The adapter of requests that is sending just now on this thread, if one is."""
    return _sender_on_the_stack(_ADAPTERS, HTTPAdapter)


def session_on_the_stack() -> Any:
    """The Session that is sending just now on this thread, if one is."""
    return _sender_on_the_stack(_SESSIONS, requests.Session)


def _sender_on_the_stack(file: str | None, kind: type) -> Any:
    frame = sys._getframe(2)  # noqa: SLF001 - the documented way to the stack
    for _ in range(_DEPTH):
        # the program's own frames are not looked into: that would keep what is in them alive
        if frame.f_code.co_name == "send" and frame.f_code.co_filename == file:
            sender = frame.f_locals.get("self")
            if isinstance(sender, kind):
                return sender
        if frame.f_back is None:
            break
        frame = frame.f_back
    return None


def look_from_here() -> None:
    """Show files relative to the working directory of now: a watch begins."""
    global _files
    _seen.clear()
    _files = source_files.of_this_process(_PLUMBING)


def place_in_program() -> Place:
    """Where in the program this is; one look at each frame, up to the program's own line."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - the documented way to the stack
    package = inner = outer = runner = passed = None
    while frame is not None:
        code = frame.f_code
        file = _seen.get(code.co_filename) or _file_of(frame)
        kind = file.kind
        if kind is PROGRAM or (kind is STARTER and not _only_starts(code, inner or runner)):
            return Place(_line(frame), _line(inner))
        if kind is LIBRARY:
            if inner is None:
                inner, package = frame, file.package
            if file.package == package:
                outer = frame
        elif kind is RUNNER and runner is None:
            runner = frame
        elif file.package in _OF_REQUESTS:
            passed = frame
        frame = frame.f_back
    return Place(None, _line(inner), _line(outer or runner or passed))


def _line(frame: FrameType | None) -> str | None:
    """The line that this frame is at; its number costs some time."""
    return None if frame is None else f"{_file_of(frame).name}:{frame.f_lineno}"


def location_in_program() -> str | None:
    """The program's own line; else the outermost one of the library that is at work."""
    place = place_in_program()
    return place.line or place.entered


def _only_starts(code: CodeType, started: FrameType | None) -> bool:
    """Whether this is the script of an installer's, which starts what was met on the stack."""
    has_functions = any(isinstance(one, CodeType) for one in code.co_consts)
    is_short = code.co_name == "<module>" and "exit" in code.co_names and not has_functions
    return started is not None and is_short


def _file_of(frame: FrameType) -> SourceFile:
    """Whose the code of this frame is; remembered by its file."""
    filename, names = frame.f_code.co_filename, frame.f_globals
    if (known := _seen.get(filename)) is not None:
        return known
    if (cell := cell_of(filename)) is not None:
        file = _seen[filename] = SourceFile(PROGRAM, cell)
        return file
    module, path = dict.get(names, "__name__"), dict.get(names, "__file__")
    module = module if type(module) is str else ""
    if filename.startswith("<") and not filename.startswith("<frozen "):
        # made by `exec`, in many modules under one name; ``python -c`` and notebooks have no file
        is_main = type(path) is not str and module == "__main__"
        is_programs = is_main or (
            type(path) is str and _files.of(path, module).kind in (PROGRAM, STARTER)
        )
        return SourceFile(PROGRAM if is_programs else PASSED, filename)
    if len(_seen) >= _MOST_SEEN:
        _seen.clear()
    file = _seen[filename] = _files.of(filename, module)
    return file


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
    return None if error is None or isinstance(error, GeneratorExit) else error_of_reading(error)


def error_of_reading(error: BaseException) -> BaseException | None:
    """This error, if it came up while urllib3 read a response whose head had come."""
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == _RESPONSE:
            return error
        trace = trace.tb_next
    return None
