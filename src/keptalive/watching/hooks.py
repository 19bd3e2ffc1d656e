"""The places in requests and urllib3 where connections are taken, opened, used and given back.

While at least one `Recorder` listens, these functions are wrapped; afterwards they are as before.
A wrapper calls the original exactly once, with what it was given, and hands on what it returns or
raises. What it notes on the way may fail by a mistake of ours: then the recorders are told, never
the program. An exception of the program's own that strikes meanwhile passes (`_keptalive_faults`).

Stable from urllib3 1.26 to 2.x: ``HTTPConnectionPool._put_conn``, ``_new_conn`` and
``_make_request``; ``PoolManager._new_pool``; ``connectionpool.is_connection_dropped``;
``HTTPConnection._tunnel``, which is http.client's.
"""

from __future__ import annotations

import functools
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import requests
import urllib3.connectionpool
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.poolmanager import PoolManager
from urllib3.response import HTTPResponse
from urllib3.util.retry import Retry

from keptalive.watching import call_hooks, connection_hooks
from keptalive.watching.noted import Function
from keptalive.watching.observer import Observer
from keptalive.watching.own_classes import CONNECT
from keptalive.watching.patching import Replacements, replaced
from keptalive.watching.phases import OPENING, timing

Wrapper = Callable[[Observer, Function], Function]

PLACES: tuple[tuple[Any, str, Wrapper], ...] = (
    (requests.Session, "send", call_hooks.session_send),
    (requests.Session, "mount", call_hooks.session_mount),
    (HTTPAdapter, "close", call_hooks.closing),
    (PoolManager, "clear", call_hooks.closing),
    (PoolManager, "_new_pool", call_hooks.new_pool),
    (PoolManager, "urlopen", call_hooks.manager_urlopen),
    (Retry, "increment", call_hooks.increment),
    (Retry, "sleep", call_hooks.back_off),
    (HTTPConnectionPool, "_put_conn", connection_hooks.put_conn),
    (HTTPConnectionPool, "_make_request", connection_hooks.make_request),
    (HTTPConnectionPool, "_new_conn", connection_hooks.new_conn),
    (HTTPSConnectionPool, "_new_conn", connection_hooks.new_conn),
    (HTTPSConnectionPool, "_prepare_proxy", connection_hooks.prepare_proxy),
    (HTTPConnection, "_new_conn", connection_hooks.new_socket),
    (HTTPConnection, "_tunnel", connection_hooks.tunnel),
    (HTTPConnection, "connect", connection_hooks.connect),
    (HTTPSConnection, "connect", connection_hooks.connect),
    (HTTPConnection, "close", connection_hooks.close),
    (HTTPResponse, "_error_catcher", connection_hooks.error_catcher),
    (urllib3.connectionpool, "is_connection_dropped", connection_hooks.is_dropped),
    (socket.socket, "connect", connection_hooks.address),
)


@contextmanager
def observed(observer: Observer) -> Iterator[None]:
    """Wrap all `PLACES` for the length of a `with` block."""
    wrappers = [
        (owner, name, functools.partial(wrapper, observer)) for owner, name, wrapper in PLACES
    ]
    with timing(OPENING), replaced(wrappers) as observer.replacements:
        observer.wrap = functools.partial(_wrap, observer, observer.replacements)
        yield


def _wrap(observer: Observer, replacements: Replacements, owner: type, name: str) -> None:
    """Wrap a function of somebody's own class, which was met while we watch."""
    wrapper = connection_hooks.connect if name == CONNECT else connection_hooks.waiting
    replacements.add(owner, name, functools.partial(wrapper, observer))
