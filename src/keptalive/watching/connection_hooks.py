"""Wrappers of functions that take, open, use and give back connections.

See `hooks` for what a wrapper may do.
"""

from __future__ import annotations

import functools
import sys
import time
from typing import Any

from urllib3.connection import HTTPSConnection

from keptalive.watching.calls import CALL, CONNECTING, Connecting, current_call
from keptalive.watching.endings import MARK
from keptalive.watching.foreign import get
from keptalive.watching.noted import Function, noted
from keptalive.watching.observer import Observer
from keptalive.watching.phases import CLOCK, PHASE, REST, Clock

# -- A request on a connection --------------------------------------------------------------------


def make_request(see: Observer, send: Function) -> Function:
    """Of ``HTTPConnectionPool._make_request``: a request is sent, its response's head is read."""

    @functools.wraps(send)
    def wrapper(self: Any, conn: Any, *args: Any, **settings: Any) -> Any:
        if not see.recorders:
            return send(self, conn, *args, **settings)
        state, call, headers = None, CALL.get(), settings.get("headers")
        if call is not None and call.by is None:
            call = None  # as `current_call`
        try:
            method, url = args[:2] if len(args) > 1 else ("", "")
            state = see.on_request(self, conn, method, url, headers, call)
        except Exception as error:
            if not see.fault(error):
                raise
        try:
            response = send(self, conn, *args, **settings)
        except BaseException as error:
            noted(see, see.has_failed, self, conn, error, *args[:1])
            raise
        if state is not None:
            try:
                see.on_response(conn, state, headers, response, call)
            except Exception as error:
                if not see.fault(error):
                    raise
        return response

    return wrapper


def put_conn(see: Observer, put: Function) -> Function:
    """Of ``HTTPConnectionPool._put_conn``: a connection comes back."""

    @functools.wraps(put)
    def wrapper(self: Any, conn: Any) -> Any:
        if conn is None or not see.recorders:
            return put(self, conn)
        state = None
        try:
            state = see.on_release(conn)
        except Exception as error:
            if not see.fault(error):
                raise
        if state is None:
            return put(self, conn)
        number = state.number
        try:
            return put(self, conn)
        finally:
            try:
                see.has_released(self, conn, state, number)
            except Exception as error:
                if not see.fault(error):
                    raise

    return wrapper


def waiting(see: Observer, take: Function) -> Function:
    """Of a pool's function that may wait for a connection: ``_get_conn`` of one that blocks."""

    @functools.wraps(take)
    def wrapper(self: Any, *args: Any, **settings: Any) -> Any:
        wait = noted(see, see.may_wait, self) if see.recorders else None
        if wait is None:
            return take(self, *args, **settings)
        try:
            return take(self, *args, **settings)
        except BaseException as error:
            noted(see, see.was_refused, self, error)
            raise
        finally:
            noted(see, see.has_waited, self, wait)

    return wrapper


# -- Opening and closing --------------------------------------------------------------------------


def new_conn(see: Observer, make: Function) -> Function:
    """Of ``HTTPConnectionPool._new_conn``: a pool makes a connection object."""

    @functools.wraps(make)
    def wrapper(self: Any) -> Any:
        conn = make(self)
        if see.recorders:
            noted(see, see.made, self, conn)
        return conn

    return wrapper


def prepare_proxy(see: Observer, prepare: Function) -> Function:
    """Of ``HTTPSConnectionPool._prepare_proxy``: a tunnel is asked for."""

    @functools.wraps(prepare)
    def wrapper(self: Any, conn: Any) -> Any:
        if not see.recorders:
            return prepare(self, conn)
        noted(see, see.on_request, self, conn, "CONNECT", "", None, current_call())
        try:
            return prepare(self, conn)
        except BaseException as error:
            noted(see, see.has_failed, self, conn, error)
            raise

    return wrapper


def connect(see: Observer, connects: Function) -> Function:
    """Of a connection's ``connect``: it is opened, and that is timed."""

    @functools.wraps(connects)
    def wrapper(self: Any, *args: Any, **settings: Any) -> Any:  # somebody's own may take more
        outer = CONNECTING.get()
        if not see.recorders or (outer is not None and outer.identity == id(self)):
            return connects(self, *args, **settings)
        noted(see, see.connects, self)
        clock, clock_outside, phase_outside = Clock(), CLOCK.get(), PHASE.get()
        phase = "tls" if isinstance(self, HTTPSConnection) else REST
        connecting = Connecting(id(self))
        try:
            CONNECTING.set(connecting)  # a name may be looked up over HTTP, for one
            CLOCK.set(clock)
            PHASE.set(phase)
            return connects(self, *args, **settings)
        finally:
            # The program's own exception may strike at each call from here on: first it is over
            connecting.identity = 0
            CONNECTING.set(outer)
            CLOCK.set(clock_outside)
            PHASE.set(phase_outside)
            try:
                clock.stop(phase)
            finally:
                noted(see, see.has_connected, self, clock, connecting)

    return wrapper


def tunnel(see: Observer, asks: Function) -> Function:  # noqa: ARG001 - as all wrappers
    """Of a connection's ``_tunnel``: a proxy is asked for it, and answers."""

    @functools.wraps(asks)
    def wrapper(self: Any) -> Any:
        connecting, clock = CONNECTING.get(), CLOCK.get()
        if connecting is None or clock is None or not connecting.identity:
            return asks(self)
        outer = PHASE.get()
        clock.stop(outer)
        try:
            PHASE.set("tunnel")
            return asks(self)
        finally:
            PHASE.set(outer)
            clock.stop("tunnel")

    return wrapper


def new_socket(see: Observer, make: Function) -> Function:  # noqa: ARG001 - as all wrappers
    """Of a connection's ``_new_conn``: TCP connects, names are looked up."""

    @functools.wraps(make)
    def wrapper(self: Any) -> Any:
        connecting, clock = CONNECTING.get(), CLOCK.get()
        if connecting is None or clock is None or not connecting.identity:
            return make(self)
        outer = PHASE.get()
        clock.stop(outer)
        try:
            PHASE.set("connect")
            sock = make(self)
            connecting.sockets += 1
        finally:
            PHASE.set(outer)
            clock.stop("connect")
        return sock

    return wrapper


def address(see: Observer, connects: Function) -> Function:
    """Of ``socket.connect``: one address is tried."""

    @functools.wraps(connects)
    def wrapper(self: Any, address: Any, /) -> Any:
        connecting, clock = CONNECTING.get(), CLOCK.get()
        if connecting is None or clock is None or not connecting.identity:
            return connects(self, address)
        began, outer = time.perf_counter(), PHASE.get()
        clock.stop(outer)
        try:
            PHASE.set("connect")  # if its class does not call ``_new_conn``
            return connects(self, address)
        except OSError as error:
            noted(see, connecting.fails, address, time.perf_counter() - began, error)
            raise
        except BaseException:
            noted(see, connecting.breaks_off, self)
            raise
        finally:
            PHASE.set(outer)
            clock.stop("connect")

    return wrapper


def is_dropped(see: Observer, is_dropped: Function) -> Function:
    """Of ``is_connection_dropped``: a kept connection was wanted and is of no use."""

    @functools.wraps(is_dropped)
    def wrapper(conn: Any) -> Any:
        dropped = is_dropped(conn)
        if dropped and see.recorders:
            noted(see, see.found_dropped, conn)
        return dropped

    return wrapper


def close(see: Observer, closes: Function) -> Function:
    """Of a connection's ``close``.

    Nothing of ours runs where urllib3 closes in a finalizer: what strikes there is lost.
    """

    @functools.wraps(closes)
    def wrapper(self: Any) -> Any:
        if see.recorders:
            if sys.exc_info()[1] is not None:
                noted(see, see.fails_to_read, self)
            elif MARK in get(self, "__dict__"):
                noted(see, see.closes, self)
        return closes(self)

    return wrapper


def error_catcher(see: Observer, catcher: Function) -> Function:
    """Of ``HTTPResponse._error_catcher``, which urllib3 enters for each read from a response."""

    @functools.wraps(catcher)
    def wrapper(self: Any) -> Any:
        if see.streams and see.recorders:
            noted(see, see.on_read, self)
        return catcher(self)

    return wrapper
