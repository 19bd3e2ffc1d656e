"""The places in requests and urllib3 where connections are taken, opened, used and given back.

While at least one `Recorder` listens, these functions are wrapped; afterwards they are as before.
A wrapper calls the original exactly once, with what it was given, and hands on what it returns or
raises. What it notes on the way may fail: then the recorders are told, never the program.

Stable from urllib3 1.26 to 2.x: ``HTTPConnectionPool._put_conn``, ``_new_conn`` and
``_make_request``; ``PoolManager._new_pool``; ``connectionpool.is_connection_dropped``.
"""

from __future__ import annotations

import functools
import socket
import sys
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
from urllib3.util.retry import Retry

from keptalive.watching.observer import Observer
from keptalive.watching.patching import replaced
from keptalive.watching.phases import OPENING, timing
from keptalive.watching.registry import NAME
from keptalive.watching.states import Call

Function = Callable[..., Any]
Wrapper = Callable[[Observer, Function], Function]


def _told(see: Observer, tell: Function, *what: Any, **more: Any) -> Any:
    """Tell the observer; a fault of its own is for the recorders alone."""
    try:
        return tell(*what, **more)
    except Exception as error:  # noqa: BLE001 - whatever it is, the program goes on
        see.fault(error)
        return None


# -- Requests of the program's --------------------------------------------------------------------


def _session_send(see: Observer, send: Function) -> Function:
    threads = see.threads

    @functools.wraps(send)
    def wrapper(self: Any, request: Any, **settings: Any) -> Any:
        if not see.recorders:
            return send(self, request, **settings)
        here = threads.here
        outer = here.call
        if (
            outer is not None
            and outer.by is self
            and settings.get("allow_redirects") is False
            and _follows_a_redirect()
        ):
            _told(see, see.follows, outer, request.url, request.headers)
            return _redirected(outer, send, self, request, **settings)
        try:
            here.call = see.call(self, request.url, request.headers, stream=settings.get("stream"))
        except Exception as error:  # noqa: BLE001 - as `_told`, which would cost too much here
            see.fault(error)
        try:
            return send(self, request, **settings)
        finally:
            here.call = outer

    return wrapper


def _follows_a_redirect() -> bool:
    """Whether requests itself sends, behind subclasses' own `send`; not a hook of the program's."""
    frame = sys._getframe(2)  # noqa: SLF001 - the documented way to the stack
    while frame.f_code.co_name == "send" and frame.f_back is not None:
        frame = frame.f_back
    return frame.f_code.co_name == "resolve_redirects"


def _redirected(call: Call, function: Function, *args: Any, **settings: Any) -> Any:
    before, call.redirected = call.redirected, True
    try:
        return function(*args, **settings)
    finally:
        call.redirected = before


def _manager_urlopen(see: Observer, urlopen: Function) -> Function:
    threads = see.threads

    @functools.wraps(urlopen)
    def wrapper(self: Any, *args: Any, **settings: Any) -> Any:
        if not see.recorders:
            return urlopen(self, *args, **settings)
        here = threads.here
        outer = here.call
        url = settings["url"] if "url" in settings else args[1] if len(args) > 1 else None
        if outer is not None and outer.by is self:  # within itself it follows a redirect
            _told(see, see.follows, outer, url, settings.get("headers") or self.headers)
            return _redirected(outer, urlopen, self, *args, **settings)
        stream, headers = settings.get("preload_content") is False, settings.get("headers")
        here.call = _told(see, see.call, self, url, headers or self.headers, stream=stream)
        try:
            return urlopen(self, *args, **settings)
        finally:
            here.call = outer

    return wrapper


_INCREMENTS = ("method", "url", "response", "error", "_pool", "_stacktrace")


def _increment(see: Observer, increment: Function) -> Function:
    @functools.wraps(increment)
    def wrapper(self: Any, *args: Any, **settings: Any) -> Any:
        left = increment(self, *args, **settings)  # raises where nothing is left
        if see.recorders:
            given = {**dict(zip(_INCREMENTS, args, strict=False)), **settings}
            _told(see, see.tries_again, given.get("_pool"), given.get("response"))
        return left

    return wrapper


# -- Owners and pools -----------------------------------------------------------------------------


def _session_mount(see: Observer, mount: Function) -> Function:
    @functools.wraps(mount)
    def wrapper(self: Any, prefix: Any, adapter: Any) -> Any:
        if see.recorders:
            _told(see, see.mounted, adapter)
        return mount(self, prefix, adapter)

    return wrapper


def _closing(see: Observer, close: Function) -> Function:
    @functools.wraps(close)
    def wrapper(self: Any) -> Any:
        if see.recorders:
            _told(see, see.owner_closes, self)
        return close(self)

    return wrapper


def _new_pool(see: Observer, new_pool: Function) -> Function:
    @functools.wraps(new_pool)
    def wrapper(self: Any, *args: Any, **settings: Any) -> Any:
        if not see.recorders:
            return new_pool(self, *args, **settings)
        context = settings.get("request_context") or (args[3] if len(args) > 3 else None)
        # before urllib3 takes parts of it away
        tls = _told(see, see.tls_of, context or {}) or ""
        pool = new_pool(self, *args, **settings)
        _told(see, see.pool_made, self, pool, tls)
        return pool

    return wrapper


# -- A request on a connection --------------------------------------------------------------------


def _make_request(see: Observer, make_request: Function) -> Function:
    threads = see.threads

    @functools.wraps(make_request)
    def wrapper(self: Any, conn: Any, *args: Any, **settings: Any) -> Any:
        if not see.recorders:
            return make_request(self, conn, *args, **settings)
        state, call, headers = None, threads.here.call, settings.get("headers")
        try:
            state = see.asks(self, conn, args[1] if len(args) > 1 else "", headers, call)
        except Exception as error:  # noqa: BLE001
            see.fault(error)
        try:
            response = make_request(self, conn, *args, **settings)
        except BaseException as error:
            _told(see, see.has_failed, self, conn, error)
            raise
        if state is not None:
            try:
                see.is_answered(conn, state, headers, response, call)
            except Exception as error:  # noqa: BLE001
                see.fault(error)
        return response

    return wrapper


def _put_conn(see: Observer, put_conn: Function) -> Function:
    @functools.wraps(put_conn)
    def wrapper(self: Any, conn: Any) -> Any:
        if conn is not None and see.recorders:
            try:
                see.gives_back(conn)
            except Exception as error:  # noqa: BLE001
                see.fault(error)
        return put_conn(self, conn)

    return wrapper


def _is_dropped(see: Observer, is_dropped: Function) -> Function:
    @functools.wraps(is_dropped)
    def wrapper(conn: Any) -> Any:
        dropped = is_dropped(conn)
        if dropped and see.recorders:
            _told(see, see.found_dropped, conn)
        return dropped

    return wrapper


# -- Opening and closing --------------------------------------------------------------------------


def _new_conn(see: Observer, new_conn: Function) -> Function:
    @functools.wraps(new_conn)
    def wrapper(self: Any) -> Any:
        conn = new_conn(self)
        if see.recorders:
            _told(see, see.made, self, conn)
        return conn

    return wrapper


def _prepare_proxy(see: Observer, prepare: Function) -> Function:
    @functools.wraps(prepare)
    def wrapper(self: Any, conn: Any) -> Any:
        if not see.recorders:
            return prepare(self, conn)
        _told(see, see.asks, self, conn, "", None, see.here.call)
        try:
            return prepare(self, conn)
        except BaseException as error:
            _told(see, see.has_failed, self, conn, error)
            raise

    return wrapper


def _connect(see: Observer, connect: Function) -> Function:
    threads = see.threads

    @functools.wraps(connect)
    def wrapper(self: Any) -> Any:
        here = threads.here
        if not see.recorders or here.connecting is self:
            return connect(self)
        _told(see, see.connects, self)
        outer = here.connecting, here.in_vain  # a name may be looked up over HTTP, for one
        in_vain: list[tuple[str, float, str]] = []
        here.connecting, here.in_vain = self, in_vain
        seconds: dict[str, float] = {}
        try:
            with see.phases.of_a_call() as seconds:
                return connect(self)
        finally:
            here.connecting, here.in_vain = outer
            _told(see, see.has_connected, self, seconds, in_vain)

    return wrapper


def _address(see: Observer, connect: Function) -> Function:
    threads = see.threads

    @functools.wraps(connect)
    def wrapper(self: Any, address: Any, /) -> Any:
        in_vain = threads.here.in_vain
        if in_vain is None:
            return connect(self, address)
        began = time.perf_counter()
        try:
            return connect(self, address)
        except OSError as error:
            name = str(address[0]) if isinstance(address, tuple) else "a local socket"
            in_vain.append((name, time.perf_counter() - began, type(error).__name__))
            raise

    return wrapper


def _close(see: Observer, close: Function) -> Function:
    @functools.wraps(close)
    def wrapper(self: Any) -> Any:
        if see.recorders and hasattr(self, NAME):
            _told(see, _closes, see, self)
        return close(self)

    return wrapper


def _closes(see: Observer, conn: Any) -> None:
    frame = sys._getframe(2)  # noqa: SLF001 - the wrapper, behind this and `_told`
    caller = frame.f_back  # none, if a thread begins with it
    name = caller.f_code.co_name if caller is not None else ""
    if caller is not None and name == "_put_conn":
        see.discards(caller.f_locals.get("self"), conn)
    elif name == "_get_conn":
        see.replaces(conn)
    elif name == "urlopen":
        see.breaks_off(conn)
    else:
        see.closes(conn, by_error=_of_reading() if name == "_error_catcher" else None)


def _of_reading() -> BaseException | None:
    """The error for which urllib3 closes a connection while a body is read."""
    error = sys.exc_info()[1]
    return None if isinstance(error, GeneratorExit) else error  # the program reads no further


PLACES: tuple[tuple[Any, str, Wrapper], ...] = (
    (requests.Session, "send", _session_send),
    (requests.Session, "mount", _session_mount),
    (HTTPAdapter, "close", _closing),
    (PoolManager, "clear", _closing),
    (PoolManager, "_new_pool", _new_pool),
    (PoolManager, "urlopen", _manager_urlopen),
    (Retry, "increment", _increment),
    (HTTPConnectionPool, "_put_conn", _put_conn),
    (HTTPConnectionPool, "_make_request", _make_request),
    (HTTPConnectionPool, "_new_conn", _new_conn),
    (HTTPSConnectionPool, "_new_conn", _new_conn),
    (HTTPSConnectionPool, "_prepare_proxy", _prepare_proxy),
    (HTTPConnection, "connect", _connect),
    (HTTPSConnection, "connect", _connect),
    (HTTPConnection, "close", _close),
    (urllib3.connectionpool, "is_connection_dropped", _is_dropped),
    (socket.socket, "connect", _address),
)


@contextmanager
def observed(observer: Observer) -> Iterator[None]:
    """Wrap all `PLACES` for the length of a `with` block."""
    wrappers = [
        (owner, name, functools.partial(wrapper, observer)) for owner, name, wrapper in PLACES
    ]
    with timing(observer.phases, OPENING), replaced(wrappers):
        yield
