"""The places in requests and urllib3 where connections are taken, opened, used and given back.

While at least one `Recorder` listens, these functions are wrapped; afterwards they are as before.
A wrapper calls the original exactly once, with what it was given, and hands on what it returns or
raises. What it notes on the way may fail: then the recorders are told, never the program.

Stable from urllib3 1.26 to 2.x: ``HTTPConnectionPool._get_conn``, ``_put_conn``, ``_new_conn`` and
``_make_request``; ``PoolManager._new_pool``; ``connectionpool.is_connection_dropped``.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import requests
import urllib3.connection
import urllib3.connectionpool
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.poolmanager import PoolManager

from keptalive.watching.observer import Observer

Wrapper = Callable[[Observer, Callable[..., Any]], Callable[..., Any]]


def _session_send(see: Observer, send: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(send)
    def wrapper(self: Any, request: Any, **settings: Any) -> Any:
        see.send_begins()
        try:
            return send(self, request, **settings)
        finally:
            see.send_ends()

    return wrapper


def _urlopen(see: Observer, urlopen: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(urlopen)
    def wrapper(*args: Any, **settings: Any) -> Any:
        see.urlopen_begins()
        try:
            return urlopen(*args, **settings)
        finally:
            see.urlopen_ends()

    return wrapper


def _session_mount(see: Observer, mount: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(mount)
    def wrapper(self: Any, prefix: Any, adapter: Any) -> Any:
        try:
            see.mounted(adapter)
        except Exception as error:  # noqa: BLE001 - see Observer.fault, here and below
            see.fault(error)
        return mount(self, prefix, adapter)

    return wrapper


def _closing(see: Observer, close: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(close)
    def wrapper(self: Any) -> Any:
        try:
            see.owner_closes(self)
        except Exception as error:  # noqa: BLE001
            see.fault(error)
        return close(self)

    return wrapper


def _new_pool(see: Observer, new_pool: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(new_pool)
    def wrapper(self: Any, *args: Any, **settings: Any) -> Any:
        context = settings.get("request_context") or (args[3] if len(args) > 3 else None)
        tls = see.tls_of(context or {})  # before urllib3 takes parts of it away
        pool = new_pool(self, *args, **settings)
        try:
            see.pool_made(self, pool, tls)
        except Exception as error:  # noqa: BLE001
            see.fault(error)
        return pool

    return wrapper


def _get_conn(see: Observer, get_conn: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(get_conn)
    def wrapper(self: Any, *args: Any, **settings: Any) -> Any:
        connection = get_conn(self, *args, **settings)
        try:
            see.taken(self, connection)
        except Exception as error:  # noqa: BLE001
            see.fault(error)
        return connection

    return wrapper


def _new_conn(see: Observer, new_conn: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(new_conn)
    def wrapper(self: Any) -> Any:
        connection = new_conn(self)
        try:
            see.made(self, connection)
        except Exception as error:  # noqa: BLE001
            see.fault(error)
        return connection

    return wrapper


def _put_conn(see: Observer, put_conn: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(put_conn)
    def wrapper(self: Any, conn: Any) -> Any:
        result = put_conn(self, conn)
        try:
            see.given_back(self, conn)
        except Exception as error:  # noqa: BLE001
            see.fault(error)
        return result

    return wrapper


def _make_request(see: Observer, make_request: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(make_request)
    def wrapper(self: Any, conn: Any, *args: Any, **settings: Any) -> Any:
        try:
            see.asks(self, conn, settings.get("headers"))
        except Exception as error:  # noqa: BLE001
            see.fault(error)
        try:
            response = make_request(self, conn, *args, **settings)
        except BaseException as error:
            see.has_failed(self, conn, error)
            raise
        try:
            see.is_answered(self, conn, response)
        except Exception as error:  # noqa: BLE001
            see.fault(error)
        return response

    return wrapper


def _connect(see: Observer, connect: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(connect)
    def wrapper(self: Any) -> Any:
        began = time.perf_counter()
        try:
            return connect(self)
        finally:
            see.has_connected(self, time.perf_counter() - began)

    return wrapper


def _close(see: Observer, close: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(close)
    def wrapper(self: Any) -> Any:
        try:
            see.closes(self)
        except Exception as error:  # noqa: BLE001
            see.fault(error)
        return close(self)

    return wrapper


def _is_dropped(see: Observer, is_dropped: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(is_dropped)
    def wrapper(conn: Any) -> Any:
        dropped = is_dropped(conn)
        if dropped:
            try:
                see.found_dropped(conn)
            except Exception as error:  # noqa: BLE001
                see.fault(error)
        return dropped

    return wrapper


PLACES: tuple[tuple[Any, str, Wrapper], ...] = (
    (requests.Session, "send", _session_send),
    (requests.Session, "mount", _session_mount),
    (HTTPAdapter, "close", _closing),
    (PoolManager, "clear", _closing),
    (PoolManager, "_new_pool", _new_pool),
    (HTTPConnectionPool, "urlopen", _urlopen),
    (HTTPConnectionPool, "_get_conn", _get_conn),
    (HTTPConnectionPool, "_put_conn", _put_conn),
    (HTTPConnectionPool, "_make_request", _make_request),
    (HTTPConnectionPool, "_new_conn", _new_conn),
    (HTTPSConnectionPool, "_new_conn", _new_conn),
    (HTTPConnection, "connect", _connect),
    (HTTPSConnection, "connect", _connect),
    (HTTPConnection, "close", _close),
    (urllib3.connectionpool, "is_connection_dropped", _is_dropped),
)


@contextmanager
def observed(observer: Observer) -> Iterator[None]:
    """Wrap all `PLACES` for the length of a `with` block.

    Whoever has wrapped one of them on top of us meanwhile keeps that; in it, we are silent then.
    """
    ours = []
    for owner, name, wrapper in PLACES:
        inherited = name not in vars(owner)
        original = getattr(owner, name)
        wrapped = wrapper(observer, original)
        setattr(owner, name, wrapped)
        ours.append((owner, name, wrapped, original, inherited))
    try:
        yield
    finally:
        for owner, name, wrapped, original, inherited in ours:
            if vars(owner).get(name) is not wrapped:
                continue
            if inherited:
                delattr(owner, name)
            else:
                setattr(owner, name, original)
