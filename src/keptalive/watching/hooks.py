"""The places in requests and urllib3 where connections are taken, opened, used and given back.

While at least one `Recorder` listens, these functions are wrapped; afterwards they are as before.
A wrapper calls the original exactly once, with what it was given, and hands on what it returns or
raises. What it notes on the way may fail: then the recorders are told, never the program.

Stable from urllib3 1.26 to 2.x: ``HTTPConnectionPool._get_conn``, ``_put_conn``, ``_new_conn`` and
``_make_request``; ``PoolManager._new_pool``; ``connectionpool.is_connection_dropped``.
"""

from __future__ import annotations

import functools
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

from keptalive.watching.observer import Observer, Use

Wrapper = Callable[[Observer, Callable[..., Any]], Callable[..., Any]]


def _session_send(see: Observer, send: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(send)
    def wrapper(self: Any, request: Any, **settings: Any) -> Any:
        if not see.recorders:
            return send(self, request, **settings)
        try:
            # requests follows a redirect by a send within the send
            before = see.call_begins(follows=settings.get("allow_redirects") is False)
        except Exception as error:  # noqa: BLE001 - see Observer.fault, here and below
            see.fault(error)
            return send(self, request, **settings)
        try:
            return send(self, request, **settings)
        finally:
            _call_ends(see, before)

    return wrapper


def _manager_urlopen(see: Observer, urlopen: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(urlopen)
    def wrapper(self: Any, *args: Any, **settings: Any) -> Any:
        if not see.recorders:
            return urlopen(self, *args, **settings)
        try:
            before = see.call_begins(follows=True)  # within itself it follows a redirect
        except Exception as error:  # noqa: BLE001
            see.fault(error)
            return urlopen(self, *args, **settings)
        try:
            return urlopen(self, *args, **settings)
        finally:
            _call_ends(see, before)

    return wrapper


def _urlopen(see: Observer, urlopen: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(urlopen)
    def wrapper(self: Any, *args: Any, **settings: Any) -> Any:
        if not see.recorders:
            return urlopen(self, *args, **settings)
        try:
            before = see.call_begins()
        except Exception as error:  # noqa: BLE001
            see.fault(error)
            return urlopen(self, *args, **settings)
        try:
            if self.proxy is not None:
                return _through_proxy(see, urlopen, self, args, settings)
            return urlopen(self, *args, **settings)
        finally:
            _call_ends(see, before)

    return wrapper


def _through_proxy(
    see: Observer,
    urlopen: Callable[..., Any],
    pool: Any,
    args: tuple[Any, ...],
    settings: dict[str, Any],
) -> Any:
    before = None
    try:
        before = see.forwards(settings["url"] if "url" in settings else args[1])
    except Exception as error:  # noqa: BLE001
        see.fault(error)
    try:
        return urlopen(pool, *args, **settings)
    finally:
        try:
            see.forwarded(before)
        except Exception as error:  # noqa: BLE001
            see.fault(error)


def _call_ends(see: Observer, before: bool) -> None:
    try:
        see.call_ends(before)
    except Exception as error:  # noqa: BLE001
        see.fault(error)


def _session_mount(see: Observer, mount: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(mount)
    def wrapper(self: Any, prefix: Any, adapter: Any) -> Any:
        try:
            if see.recorders:
                see.mounted(adapter)
        except Exception as error:  # noqa: BLE001
            see.fault(error)
        return mount(self, prefix, adapter)

    return wrapper


def _closing(see: Observer, close: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(close)
    def wrapper(self: Any) -> Any:
        try:
            if see.recorders:
                see.owner_closes(self)
        except Exception as error:  # noqa: BLE001
            see.fault(error)
        return close(self)

    return wrapper


def _new_pool(see: Observer, new_pool: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(new_pool)
    def wrapper(self: Any, *args: Any, **settings: Any) -> Any:
        if not see.recorders:
            return new_pool(self, *args, **settings)
        tls = ""
        try:
            context = settings.get("request_context") or (args[3] if len(args) > 3 else None)
            tls = see.tls_of(context or {})  # before urllib3 takes parts of it away
        except Exception as error:  # noqa: BLE001
            see.fault(error)
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
        if not see.recorders:
            return get_conn(self, *args, **settings)
        use = None
        try:
            use = see.takes(self)
        except Exception as error:  # noqa: BLE001
            see.fault(error)
        try:
            connection = get_conn(self, *args, **settings)
        except BaseException:
            _is_over(see, use)
            raise
        try:
            if use is not None:
                see.taken(connection, use)
        except Exception as error:  # noqa: BLE001
            see.fault(error)
        return connection

    return wrapper


def _is_over(see: Observer, use: Use | None) -> None:
    try:
        see.is_over(use)
    except Exception as error:  # noqa: BLE001
        see.fault(error)


def _new_conn(see: Observer, new_conn: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(new_conn)
    def wrapper(self: Any) -> Any:
        connection = new_conn(self)
        try:
            if see.recorders:
                see.made(self, connection)
        except Exception as error:  # noqa: BLE001
            see.fault(error)
        return connection

    return wrapper


def _put_conn(see: Observer, put_conn: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(put_conn)
    def wrapper(self: Any, conn: Any) -> Any:
        if conn is None or not see.recorders:
            return put_conn(self, conn)
        use = None
        try:
            use = see.gives_back(self, conn)
        except Exception as error:  # noqa: BLE001
            see.fault(error)
        try:
            return put_conn(self, conn)
        finally:
            _is_over(see, use)  # only now: meanwhile it was in nobody's reach

    return wrapper


def _make_request(see: Observer, make_request: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(make_request)
    def wrapper(self: Any, conn: Any, *args: Any, **settings: Any) -> Any:
        if not see.recorders:
            return make_request(self, conn, *args, **settings)
        try:
            see.asks(self, conn, settings.get("headers"))
        except Exception as error:  # noqa: BLE001
            see.fault(error)
        try:
            response = make_request(self, conn, *args, **settings)
        except BaseException as error:
            _failed(see, self, conn, error)
            raise
        try:
            see.is_answered(self, conn, response.headers)
        except Exception as error:  # noqa: BLE001
            see.fault(error)
        return response

    return wrapper


def _prepare_proxy(see: Observer, prepare: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(prepare)
    def wrapper(self: Any, conn: Any) -> Any:
        try:
            return prepare(self, conn)
        except BaseException as error:
            if see.recorders:
                _failed(see, self, conn, error)
            raise

    return wrapper


def _failed(see: Observer, pool: Any, conn: Any, error: BaseException) -> None:
    try:
        see.has_failed(pool, conn, error)
    except Exception as own:  # noqa: BLE001
        see.fault(own)


def _connect(see: Observer, connect: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(connect)
    def wrapper(self: Any) -> Any:
        began = time.perf_counter()
        try:
            return connect(self)
        finally:
            try:
                if see.recorders:
                    see.has_connected(self, time.perf_counter() - began)
            except Exception as error:  # noqa: BLE001
                see.fault(error)

    return wrapper


def _close(see: Observer, close: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(close)
    def wrapper(self: Any) -> Any:
        try:
            caller = sys._getframe(1)  # noqa: SLF001 - the documented way to the stack
            name = caller.f_code.co_name
            if not see.recorders:
                pass
            elif name == "_put_conn":
                see.discards(caller.f_locals.get("self"), self)
            else:
                see.closes(self, by_error=_of_reading() if name == "_error_catcher" else None)
        except Exception as error:  # noqa: BLE001
            see.fault(error)
        return close(self)

    return wrapper


def _of_reading() -> BaseException | None:
    """The error for which urllib3 closes a connection while a body is read."""
    error = sys.exc_info()[1]
    return None if isinstance(error, GeneratorExit) else error  # the program reads no further


def _is_dropped(see: Observer, is_dropped: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(is_dropped)
    def wrapper(conn: Any) -> Any:
        dropped = is_dropped(conn)
        if dropped and see.recorders:
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
    (PoolManager, "urlopen", _manager_urlopen),
    (HTTPConnectionPool, "urlopen", _urlopen),
    (HTTPConnectionPool, "_get_conn", _get_conn),
    (HTTPConnectionPool, "_put_conn", _put_conn),
    (HTTPConnectionPool, "_make_request", _make_request),
    (HTTPConnectionPool, "_new_conn", _new_conn),
    (HTTPSConnectionPool, "_new_conn", _new_conn),
    (HTTPSConnectionPool, "_prepare_proxy", _prepare_proxy),
    (HTTPConnection, "connect", _connect),
    (HTTPSConnection, "connect", _connect),
    (HTTPConnection, "close", _close),
    (urllib3.connectionpool, "is_connection_dropped", _is_dropped),
)


# What of ours had to stay under a wrapper of somebody else's: (owner, name) -> ours, how it was
_left: dict[tuple[Any, str], tuple[Any, Any, bool]] = {}


@contextmanager
def observed(observer: Observer) -> Iterator[None]:
    """Wrap all `PLACES` for the length of a `with` block.

    Whoever has wrapped one of them on top of us meanwhile keeps that; in it, we are silent then.
    """
    ours = []
    for owner, name, wrapper in PLACES:
        left = _left.get((owner, name))
        if left is not None and vars(owner).get(name) is left[0]:
            _take_away(owner, name, *_left.pop((owner, name)))
        inherited = name not in vars(owner)
        original = getattr(owner, name)
        wrapped = wrapper(observer, original)
        setattr(owner, name, wrapped)
        ours.append((owner, name, wrapped, original, inherited))
    try:
        yield
    finally:
        for one in ours:
            _take_away(*one)


def _take_away(owner: Any, name: str, wrapped: Any, original: Any, inherited: bool) -> None:
    if vars(owner).get(name) is not wrapped:
        _left.setdefault((owner, name), (wrapped, original, inherited))
        return
    if inherited:
        delattr(owner, name)
    else:
        setattr(owner, name, original)
