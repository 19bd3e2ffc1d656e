"""The timeline: one record of each request, where a watch asks for it."""

from __future__ import annotations

from typing import Any

from keptalive.records.connection import where_of
from keptalive.watching.call_site import place_in_program
from keptalive.watching.exchanges import ExchangeInProgress
from keptalive.watching.foreign import origin_of
from keptalive.watching.recorder import Recorder
from keptalive.watching.tracking import ConnectionState


def exchange_begins(
    recorders: tuple[Recorder, ...], state: ConnectionState, method: Any, url: Any
) -> None:
    """A request takes this connection; a tunnel's CONNECT is the beginning of the one behind it."""
    tunnel = state.exchange
    exchange = ExchangeInProgress(state.flow, state.sent_at)
    if method == "CONNECT":
        state.exchange = exchange
        return
    if tunnel is not None and not tunnel.path:  # nobody asks for an empty path, but a CONNECT
        exchange.started = tunnel.started
    attempt = state.attempt
    exchange.method = method if type(method) is str else ""
    exchange.path = path_of(url)
    place, owner = place_in_program(), None if state.pool is None else state.pool.owner
    made = None if owner is None else owner.made_at.line
    exchange.where = where_of(place.line, made=made, entered=place.entered)
    state.exchange = exchange
    for recorder in recorders:
        recorder.add_exchange(exchange)
        if attempt is not None and not state.was_closed:
            recorder.add_if_before(attempt)


def path_of(url: Any) -> str:
    """The path that is asked for, without query values, fragment, login and host.

    >>> path_of("/search?q=secret&page=2")
    '/search?q&page'
    """
    if type(url) is not str:
        return ""
    path, _, query = url.partition("#")[0].partition("?")
    if origin_of(url) is not None:  # a forward proxy is asked for a whole URL
        path = "/" + path.partition("://")[2].partition("/")[2]
    names = [part.partition("=")[0] for part in query.split("&") if part]
    return f"{path}?{'&'.join(names)}" if names else path


def exchange_goes_on(
    state: ConnectionState, *, head: float | None = None, status: Any = None
) -> None:
    """It is known by now which socket serves it; the head of its response may be there."""
    exchange = state.exchange
    exchange.connection = state.attempt.id if state.attempt is not None else 0
    if head is not None:
        exchange.head, exchange.status = head, status if type(status) is int else None
