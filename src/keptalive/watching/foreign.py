"""What our code asks of other people's objects while their program waits: nothing that can fail.

An exception that somebody's own class raises when we call it cannot be told from one of the
program's (`_keptalive_faults`). So its methods are called only where the class is one that we know,
and a URL is taken apart by a pattern.
"""

from __future__ import annotations

import http.client
import itertools
import re
from collections import OrderedDict
from collections.abc import Iterable
from enum import Enum
from typing import Any

from requests.structures import CaseInsensitiveDict
from urllib3._collections import HTTPHeaderDict, RecentlyUsedContainer
from urllib3.response import HTTPResponse

_HEADERS = (dict, OrderedDict, CaseInsensitiveDict, HTTPHeaderDict, http.client.HTTPMessage)
_TEXT = (str, bytes)
get = object.__getattribute__  # past a ``__getattr__`` of theirs
GREENLETS = ("gevent", "eventlet")  # their sockets are called as Python's are
NAME = "_keptalive_seen"  # of the attribute that we hang on their objects
LONGEST_NAME = 200
_numbers = itertools.count(1)
_URL = re.compile(
    r"(?P<scheme>https?)://(?:[^/?#@]*@)?(?P<host>\[[^\]/?#]*\]|[^:/?#@\[\]]+)(?::(?P<port>\d{1,5}))?"
    r"(?=[/?#]|\Z)",
    re.IGNORECASE,
)


def own(thing: Any, name: str, default: Any = None) -> Any:
    """What it has of this name by itself or by its class; the default if that is nothing."""
    try:
        return get(thing, name)
    except AttributeError:
        return default


def attached_to(thing: Any) -> Any:
    """What we have hung on it; None if nothing."""
    try:
        return get(thing, NAME)
    except AttributeError:
        return None


def socket_of(conn: Any) -> Any:
    """The socket of a connection; None if it has none now, or is no connection."""
    try:
        return get(conn, "sock")
    except AttributeError:
        return None


def name_of(setting: Any) -> str:
    """What tells this value of a TLS setting from others.

    A context gets a number: its `id` may be another one's when it is collected.
    """
    if type(setting) in (str, bytes) and len(setting) > LONGEST_NAME:
        return f"{type(setting).__name__} {hash(setting):x}"  # a certificate itself
    if type(setting) in (str, bytes, int, bool) or isinstance(setting, Enum):
        return str(setting)
    number = attached_to(setting)
    if type(number) is not int and type(own(setting, "__dict__")) is dict:
        number = next(_numbers)
        object.__setattr__(setting, NAME, number)
    elif type(number) is not int:
        number = id(setting)  # a class with no room for it
    return f"{type(setting).__name__} {number}"


def pools_kept_by(keeper: Any) -> tuple[int | None, list[Any]]:
    """How many pools it keeps at most, and those that it has; None if it keeps them otherwise."""
    pools = own(keeper, "pools")
    if type(pools) is not RecentlyUsedContainer:
        return None, []
    known, most = own(pools, "_container"), own(pools, "_maxsize")
    return (
        most if type(most) is int else None,
        list(known.values()) if isinstance(known, dict) else [],
    )


def pairs_of(headers: Any) -> Iterable[tuple[str, str | bytes]]:
    """The names and values of these headers; none of a class that we do not know."""
    if type(headers) not in _HEADERS:
        return
    for name, value in headers.items():
        if type(name) in _TEXT and type(value) in _TEXT:
            yield (name if type(name) is str else name.decode("latin-1")), value


def text_of(headers: Any, name: str) -> str | None:
    """The value of this header, if there is one and it is text."""
    for known, value in pairs_of(headers):
        if known.lower() == name.lower():
            return value if isinstance(value, str) else value.decode("latin-1")
    return None


def origin_of(url: Any) -> tuple[str, str, int | None] | None:
    """Scheme, host and port of an absolute http(s) URL; None if it is not one."""
    found = _URL.match(url) if type(url) is str else None
    if found is None:
        return None
    port = found["port"]
    return found["scheme"].lower(), found["host"].lower(), int(port) if port else None


def is_redirect(response: Any) -> bool:
    """Whether this response of urllib3's leads elsewhere."""
    return type(response) is HTTPResponse and bool(response.get_redirect_location())
