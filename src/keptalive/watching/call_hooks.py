"""Wrappers of functions that begin the program's requests, and that make pools and close them.

See `hooks` for what a wrapper may do.
"""

from __future__ import annotations

import functools
from typing import Any

from keptalive.watching.attachments import address
from keptalive.watching.call_site import follows_a_redirect
from keptalive.watching.calls import CALL, Call
from keptalive.watching.foreign import origin_of, own
from keptalive.watching.noted import Function, noted
from keptalive.watching.observer import Observer

# -- Requests of the program's --------------------------------------------------------------------


def session_send(see: Observer, send: Function) -> Function:
    """Of ``Session.send``: a request of the program's begins, or a redirect is followed."""

    @functools.wraps(send)
    def wrapper(self: Any, request: Any, **settings: Any) -> Any:
        if not see.recorders:
            return send(self, request, **settings)
        outer = CALL.get()
        if outer is not None and outer.by and noted(see, _is_within, outer, self, settings):
            return _follow(see, outer, send, self, request, **settings)
        call = Call()  # nothing here can fail; what can is noted
        call.by, call.asked = id(self), request
        if settings.get("stream"):
            noted(see, see.streamed, call)
        try:
            CALL.set(call)
            response = send(self, request, **settings)
            if not call.counted:  # by no pool: it was never sent
                noted(see, _by_others, see, request, response)
            return response
        finally:
            call.by = call.asked = None  # it is over, and stays until the next
            if outer is not None and outer.by:
                CALL.set(outer)

    return wrapper


def _by_others(see: Observer, request: Any, response: Any) -> None:
    """A request was answered by no pool: by a mock or a cache, unless it was for a file, say."""
    origin = origin_of(own(request, "url"))
    if origin is not None:
        see.answered_by_others(address(*origin), response)


def _is_within(outer: Call, session: Any, settings: dict[str, Any]) -> bool:
    """Whether this Session sends within its own request: it follows a redirect."""
    if outer.by != id(session) or settings.get("allow_redirects") is not False:
        return False
    return follows_a_redirect()


def _follow(see: Observer, call: Call, function: Function, *args: Any, **settings: Any) -> Any:
    """Send on to where a redirect leads, within this request of the program's."""
    noted(see, see.follows, call, *args, settings)
    before = call.redirected
    try:
        call.redirected = True
        return function(*args, **settings)
    finally:
        call.redirected = before


def manager_urlopen(see: Observer, urlopen: Function) -> Function:
    """Of ``PoolManager.urlopen``: the same where there is no Session."""

    @functools.wraps(urlopen)
    def wrapper(self: Any, *args: Any, **settings: Any) -> Any:
        if not see.recorders:
            return urlopen(self, *args, **settings)
        outer = CALL.get()
        if outer is not None and outer.by == id(self):  # within itself it follows a redirect
            return _follow(see, outer, urlopen, self, *args, **settings)
        call = noted(see, see.call_of_manager, self, args, settings)
        try:
            CALL.set(call)
            response = urlopen(self, *args, **settings)
            if call is not None and not call.counted:
                noted(see, _by_others, see, call.asked, response)
            return response
        finally:
            if call is not None:
                call.by = call.asked = None
            if outer is not None and outer.by:
                CALL.set(outer)

    return wrapper


_INCREMENTS = ("method", "url", "response", "error", "_pool", "_stacktrace")


def increment(see: Observer, increment: Function) -> Function:
    """Of ``Retry.increment``: a try has failed, and another one follows."""

    @functools.wraps(increment)
    def wrapper(self: Any, *args: Any, **settings: Any) -> Any:
        left = increment(self, *args, **settings)  # raises where nothing is left
        if see.recorders:
            given = {**dict(zip(_INCREMENTS, args, strict=False)), **settings}
            noted(see, see.tries_again, given.get("_pool"), given.get("response"))
        return left

    return wrapper


def back_off(see: Observer, sleep: Function) -> Function:
    """Of ``Retry.sleep``: a time to wait before the next try."""

    @functools.wraps(sleep)
    def wrapper(self: Any, *args: Any, **settings: Any) -> Any:
        if not see.recorders:
            return sleep(self, *args, **settings)
        began = see.clock()
        try:
            return sleep(self, *args, **settings)
        finally:
            noted(see, see.has_backed_off, began)

    return wrapper


# -- Owners and pools -----------------------------------------------------------------------------


def session_mount(see: Observer, mount: Function) -> Function:
    """Of ``Session.mount``: an adapter begins to keep pools."""

    @functools.wraps(mount)
    def wrapper(self: Any, prefix: Any, adapter: Any) -> Any:
        if see.recorders:
            noted(see, see.mounted, adapter)
        return mount(self, prefix, adapter)

    return wrapper


def closing(see: Observer, close: Function) -> Function:
    """Of ``HTTPAdapter.close`` and ``PoolManager.clear``: all pools are closed."""

    @functools.wraps(close)
    def wrapper(self: Any) -> Any:
        if see.recorders:
            noted(see, see.owner_closes, self)
        return close(self)

    return wrapper


def new_pool(see: Observer, new_pool: Function) -> Function:
    """Of ``PoolManager._new_pool``."""

    @functools.wraps(new_pool)
    def wrapper(self: Any, *args: Any, **settings: Any) -> Any:
        if not see.recorders:
            return new_pool(self, *args, **settings)
        context = settings.get("request_context") or (args[3] if len(args) > 3 else None)
        # before urllib3 takes parts of it away
        tls = noted(see, see.tls_of, context or {}) or ()
        pool = new_pool(self, *args, **settings)
        noted(see, see.pool_made, self, pool, tls)
        return pool

    return wrapper
