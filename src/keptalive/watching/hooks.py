"""The places in requests and urllib3 where connections are taken, opened, used and given back.

While at least one `Recorder` listens, these functions are wrapped; afterwards they are as before.
A wrapper calls the original exactly once, with what it was given, and hands on what it returns or
raises. What it notes on the way may fail by a mistake of ours: then the recorders are told, never
the program. An exception of the program's own that strikes meanwhile passes (`_keptalive_faults`).

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
from types import FrameType
from typing import Any

import requests
import urllib3.connection
import urllib3.connectionpool
import urllib3.response
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.poolmanager import PoolManager
from urllib3.util.retry import Retry

from keptalive.watching.observer import Observer
from keptalive.watching.patching import replaced
from keptalive.watching.phases import CLOCK, OPENING, PHASE, REST, Clock, timing
from keptalive.watching.tracking import (
    CALL,
    CONNECTING,
    Call,
    Connecting,
    current_call,
)

Function = Callable[..., Any]
Wrapper = Callable[[Observer, Function], Function]


def _noted(see: Observer, note: Function, *what: Any, **more: Any) -> Any:
    """Tell the observer: every hook's way to it, but for the three of a request on a connection."""
    try:
        return note(*what, **more)
    except Exception as error:
        if not see.fault(error):
            raise
        return None


# -- Requests of the program's --------------------------------------------------------------------


def _session_send(see: Observer, send: Function) -> Function:
    @functools.wraps(send)
    def wrapper(self: Any, request: Any, **settings: Any) -> Any:
        if not see.recorders:
            return send(self, request, **settings)
        outer = CALL.get()
        if outer is not None and outer.by and _noted(see, _is_within, outer, self, settings):
            return _follow(see, outer, send, self, request, **settings)
        call = Call()  # nothing here can fail; what can is noted
        call.by, call.began, call.asked = id(self), next(see.ticks), request
        if settings.get("stream"):
            _noted(see, see.places, call)
        try:
            CALL.set(call)
            return send(self, request, **settings)
        finally:
            call.by = call.asked = None  # it is over, and stays until the next
            if outer is not None and outer.by:
                CALL.set(outer)

    return wrapper


def _is_within(outer: Call, session: Any, settings: dict[str, Any]) -> bool:
    """Whether this Session sends within its own request: it follows a redirect."""
    if outer.by != id(session) or settings.get("allow_redirects") is not False:
        return False
    # behind `_noted` and the wrapper; requests itself, behind subclasses' own `send`; not a hook
    frame: FrameType | None = sys._getframe(2)  # noqa: SLF001 - the documented way to the stack
    while frame is not None and frame.f_code.co_name in ("wrapper", "send"):
        frame = frame.f_back
    return frame is not None and frame.f_code.co_name == "resolve_redirects"


def _follow(see: Observer, call: Call, function: Function, *args: Any, **settings: Any) -> Any:
    """Send on to where a redirect leads, within this request of the program's."""
    _noted(see, see.follows, call, *args, settings)
    before = call.redirected
    try:
        call.redirected = True
        return function(*args, **settings)
    finally:
        call.redirected = before


def _manager_urlopen(see: Observer, urlopen: Function) -> Function:
    @functools.wraps(urlopen)
    def wrapper(self: Any, *args: Any, **settings: Any) -> Any:
        if not see.recorders:
            return urlopen(self, *args, **settings)
        outer = CALL.get()
        if outer is not None and outer.by == id(self):  # within itself it follows a redirect
            return _follow(see, outer, urlopen, self, *args, **settings)
        call = _noted(see, see.call_of_manager, self, args, settings)
        try:
            CALL.set(call)
            return urlopen(self, *args, **settings)
        finally:
            if call is not None:
                call.by = call.asked = None
            if outer is not None and outer.by:
                CALL.set(outer)

    return wrapper


_INCREMENTS = ("method", "url", "response", "error", "_pool", "_stacktrace")


def _increment(see: Observer, increment: Function) -> Function:
    @functools.wraps(increment)
    def wrapper(self: Any, *args: Any, **settings: Any) -> Any:
        left = increment(self, *args, **settings)  # raises where nothing is left
        if see.recorders:
            given = {**dict(zip(_INCREMENTS, args, strict=False)), **settings}
            _noted(see, see.tries_again, given.get("_pool"), given.get("response"))
        return left

    return wrapper


# -- Owners and pools -----------------------------------------------------------------------------


def _session_mount(see: Observer, mount: Function) -> Function:
    @functools.wraps(mount)
    def wrapper(self: Any, prefix: Any, adapter: Any) -> Any:
        if see.recorders:
            _noted(see, see.mounted, adapter)
        return mount(self, prefix, adapter)

    return wrapper


def _closing(see: Observer, close: Function) -> Function:
    @functools.wraps(close)
    def wrapper(self: Any) -> Any:
        if see.recorders:
            _noted(see, see.owner_closes, self)
        return close(self)

    return wrapper


def _new_pool(see: Observer, new_pool: Function) -> Function:
    @functools.wraps(new_pool)
    def wrapper(self: Any, *args: Any, **settings: Any) -> Any:
        if not see.recorders:
            return new_pool(self, *args, **settings)
        context = settings.get("request_context") or (args[3] if len(args) > 3 else None)
        # before urllib3 takes parts of it away
        tls = _noted(see, see.tls_of, context or {}) or ""
        pool = new_pool(self, *args, **settings)
        _noted(see, see.pool_made, self, pool, tls)
        return pool

    return wrapper


# -- A request on a connection --------------------------------------------------------------------


def _make_request(see: Observer, make_request: Function) -> Function:
    @functools.wraps(make_request)
    def wrapper(self: Any, conn: Any, *args: Any, **settings: Any) -> Any:
        if not see.recorders:
            return make_request(self, conn, *args, **settings)
        state, call, headers = None, CALL.get(), settings.get("headers")
        if call is not None and call.by is None:
            call = None  # as `current_call`
        try:
            state = see.asks(self, conn, args[1] if len(args) > 1 else "", headers, call)
        except Exception as error:
            if not see.fault(error):
                raise
        try:
            response = make_request(self, conn, *args, **settings)
        except BaseException as error:
            _noted(see, see.has_failed, self, conn, error)
            raise
        if state is not None:
            try:
                see.is_answered(conn, state, headers, response, call)
            except Exception as error:
                if not see.fault(error):
                    raise
        return response

    return wrapper


def _put_conn(see: Observer, put_conn: Function) -> Function:
    @functools.wraps(put_conn)
    def wrapper(self: Any, conn: Any) -> Any:
        if conn is not None and see.recorders:
            try:
                see.gives_back(conn)
            except Exception as error:
                if not see.fault(error):
                    raise
        return put_conn(self, conn)

    return wrapper


# -- Opening and closing --------------------------------------------------------------------------


def _new_conn(see: Observer, new_conn: Function) -> Function:
    @functools.wraps(new_conn)
    def wrapper(self: Any) -> Any:
        conn = new_conn(self)
        if see.recorders:
            _noted(see, see.made, self, conn)
        return conn

    return wrapper


def _prepare_proxy(see: Observer, prepare: Function) -> Function:
    @functools.wraps(prepare)
    def wrapper(self: Any, conn: Any) -> Any:
        if not see.recorders:
            return prepare(self, conn)
        _noted(see, see.asks, self, conn, "", None, current_call())
        try:
            return prepare(self, conn)
        except BaseException as error:
            _noted(see, see.has_failed, self, conn, error)
            raise

    return wrapper


def _connect(see: Observer, connect: Function) -> Function:
    @functools.wraps(connect)
    def wrapper(self: Any) -> Any:
        outer = CONNECTING.get()
        if not see.recorders or (outer is not None and outer.identity == id(self)):
            return connect(self)
        _noted(see, see.connects, self)
        clock, clock_outside, phase_outside = Clock(), CLOCK.get(), PHASE.get()
        phase = "tls" if isinstance(self, HTTPSConnection) else REST
        connecting = Connecting(id(self))
        try:
            CONNECTING.set(connecting)  # a name may be looked up over HTTP, for one
            CLOCK.set(clock)
            PHASE.set(phase)
            return connect(self)
        finally:
            # The program's own exception may strike at each call from here on: first it is over
            connecting.identity = 0
            CONNECTING.set(outer)
            CLOCK.set(clock_outside)
            PHASE.set(phase_outside)
            try:
                clock.stop(phase)
            finally:
                _noted(see, see.has_connected, self, clock, connecting)

    return wrapper


def _new_socket(see: Observer, new_conn: Function) -> Function:  # noqa: ARG001 - as all wrappers
    @functools.wraps(new_conn)
    def wrapper(self: Any) -> Any:
        connecting, clock = CONNECTING.get(), CLOCK.get()
        if connecting is None or clock is None or not connecting.identity:
            return new_conn(self)
        outer = PHASE.get()
        clock.stop(outer)
        try:
            PHASE.set("connect")
            sock = new_conn(self)
            connecting.sockets += 1
        finally:
            PHASE.set(outer)
            clock.stop("connect")
        return sock

    return wrapper


def _address(see: Observer, connect: Function) -> Function:
    @functools.wraps(connect)
    def wrapper(self: Any, address: Any, /) -> Any:
        connecting = CONNECTING.get()
        if connecting is None or not connecting.identity:
            return connect(self, address)
        began = time.perf_counter()
        try:
            return connect(self, address)
        except OSError as error:
            _noted(see, connecting.fails, address, time.perf_counter() - began, error)
            raise

    return wrapper


def _is_dropped(see: Observer, is_dropped: Function) -> Function:
    @functools.wraps(is_dropped)
    def wrapper(conn: Any) -> Any:
        dropped = is_dropped(conn)
        if dropped and see.recorders:
            _noted(see, see.found_dropped, conn)
        return dropped

    return wrapper


def _close(see: Observer, close: Function) -> Function:
    @functools.wraps(close)
    def wrapper(self: Any) -> Any:
        caller = sys._getframe().f_back  # noqa: SLF001 - none, if a thread begins with it
        # The nearest place of urllib3's or of a pool, behind what a subclass does in its close().
        # A finalizer, of a pool or a response, is none: what strikes there is lost.
        for _ in range(_MOST_BETWEEN):
            if caller is None or caller.f_code.co_filename in _URLLIB3:
                break
            if caller.f_code.co_name in _OF_A_POOL:
                break
            caller = caller.f_back
        else:
            caller = None
        if caller is not None and caller.f_code.co_name in _CLOSES and see.recorders:
            _noted(see, _CLOSES[caller.f_code.co_name], see, self)
        return close(self)

    return wrapper


def _fails_to_read(see: Observer, conn: Any) -> None:
    error = sys.exc_info()[1]  # for which urllib3 closes a connection while a body is read
    if error is not None and not isinstance(error, GeneratorExit):  # the program reads no further
        see.fails_to_read(conn, error)


# Where a connection is closed, in urllib3 1.26 and 2.x, and what that tells; a response that is
# closed unread shows by itself when its connection comes back, or does not (`Pool.sweep`)
_CLOSES: dict[str, Callable[[Observer, Any], None]] = {
    "_put_conn": lambda see, conn: see.discards(conn),
    "_get_conn": lambda see, conn: see.replaces(conn),
    "urlopen": lambda see, conn: see.breaks_off(conn),
    "_error_catcher": _fails_to_read,
}
_OF_A_POOL = ("_put_conn", "_get_conn")  # of a class of anybody's
_URLLIB3 = (urllib3.connectionpool.__file__, urllib3.response.__file__)
_MOST_BETWEEN = 6  # frames


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
    (HTTPConnection, "_new_conn", _new_socket),
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
    with timing(OPENING), replaced(wrappers) as observer.replacements:
        yield
