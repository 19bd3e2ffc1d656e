"""Whether a CA bundle of the environment has replaced ``session.verify``.

For a call without ``verify``, ``Session.request`` takes ``REQUESTS_CA_BUNDLE``, or else
``CURL_CA_BUNDLE``, and only then ``session.verify``: ``Session.merge_environment_settings``, alike
in requests 2.28 to 2.34. Looked at where a connection is opened.
"""

from __future__ import annotations

import os
import sys
from pathlib import PurePath
from types import FrameType
from typing import Any, NamedTuple

import requests.sessions

from keptalive.run.inject._keptalive_faults import is_ours
from keptalive.watching.foreign import own

_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")  # the first one wins
_DEPTH = 40  # frames, from the opening of a connection to ``Session.request``
_SESSIONS = requests.sessions.__file__


class Replaced(NamedTuple):
    """What the environment has replaced: ``NAME=bundle``, and the Session's own setting."""

    setting: str
    verify: str


def replaced_bundle() -> Replaced | None:
    """What the environment has put in place of ``session.verify``, for the current request."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - the documented way to the stack
    for _ in range(_DEPTH):
        if frame is None:
            return None
        # only requests' own frames are looked into
        if frame.f_code.co_name == "request" and frame.f_code.co_filename == _SESSIONS:
            return _replaced(frame.f_locals)
        frame = frame.f_back
    return None


def _replaced(local: Any) -> Replaced | None:
    session, merged = local.get("self"), local.get("settings")
    used = merged.get("verify") if type(merged) is dict else None
    own_setting = own(session, "verify")
    if isinstance(own_setting, PurePath):
        own_setting = str(own_setting)
    if local.get("verify") is not None or type(used) is not str:
        return None  # the call has its own, or the environment has none
    if own_setting is not False and type(own_setting) is not str:
        return None
    variable = next((name for name in _VARIABLES if os.environ.get(name)), None)
    if variable is None or os.environ.get(variable) != used or _is_same(used, own_setting):
        return None
    return Replaced(f"{variable}={used}", str(own_setting))


def _is_same(one: str, other: str | bool) -> bool:
    """Whether both are the same bundle, by its name or by its content."""
    if type(other) is not str or one == other:
        return one == other
    import filecmp  # of use to few programs: the others are not to load it

    try:
        return filecmp.cmp(one, other, shallow=False)  # which remembers its answers
    except OSError as error:
        if not is_ours(error):
            raise
        return False
