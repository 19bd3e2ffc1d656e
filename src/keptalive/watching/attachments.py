"""The states of owners, pools and connections hang on urllib3's own objects, and are found here.

They hang there so that they end with them. What another observer saw, before this watch, is out of
date, and begun anew.
"""

from __future__ import annotations

import itertools
import os
import re
import socket
import weakref
from typing import Any
from urllib.parse import unquote

from requests.adapters import HTTPAdapter
from urllib3.connectionpool import HTTPConnectionPool

from keptalive.run.inject._keptalive_faults import is_ours
from keptalive.watching.call_site import (
    NOWHERE,
    adapter_on_the_stack,
    place_in_program,
    session_on_the_stack,
)
from keptalive.watching.circumstances import Circumstances, is_inherited
from keptalive.watching.elsewhere import is_exposed
from keptalive.watching.foreign import NAME, attached_to, name_of, own, pools_kept_by
from keptalive.watching.owners import Adapters, Owner
from keptalive.watching.tracking import ConnectionState, Pool

# Settings of TLS that are part of a pool's key in urllib3 (`poolmanager.PoolKey`)
_TLS = (
    *("cert_reqs", "ca_certs", "ca_cert_dir", "ca_cert_data", "cert_file", "key_file"),
    *("ssl_context", "ssl_version", "ssl_minimum_version", "ssl_maximum_version"),
    *("assert_hostname", "assert_fingerprint", "server_hostname"),
)
_QUOTED_PATH = re.compile(r"http\+unix://([^/]+)")  # as requests-unixsocket's
# Never the same twice in this process; its child, after a fork, goes on from there
_numbers = itertools.count(1)  # of owners and observers
_ticks = itertools.count(1)  # the order of things, whatever the clock says


class Attachments(Circumstances):
    """Finds the state of an object, and gives it one when it is seen first."""

    def __init__(self) -> None:
        super().__init__()
        self.number = next(_numbers)
        self.process = os.getpid()
        self.ticks = _ticks

    def begins_in_child(self) -> None:
        """This is the child of a fork now: whatever was seen was the parent's."""
        self.number, self.process = next(_numbers), os.getpid()

    def fault(self, error: Exception) -> bool:
        """Tell the recorders of a mistake of ours; False if the exception is the program's.

        Its words are left out: they may be secret.
        """
        if not is_ours(error):
            return False
        try:
            at, trace = "", error.__traceback__
            while trace is not None:
                at = f" at {trace.tb_frame.f_code.co_name}, line {trace.tb_lineno}"
                trace = trace.tb_next
            for recorder in self.recorders:
                recorder.warn(f"keptalive itself failed here: {type(error).__name__}{at}")
        except Exception as another:  # noqa: BLE001 - it is looked at
            return is_ours(another)  # then nothing is left that could be told
        return True

    def owner_of(self, keeper: Any) -> Owner:
        """The state of an adapter or a PoolManager."""
        owner = attached_to(keeper)
        if type(owner) is not Owner:
            owner = Owner(
                next(_numbers),
                is_tuned(keeper),
                max_idle_of(keeper),
                learns(keeper),
                is_bare=not isinstance(keeper, HTTPAdapter),
            )
            _attach(keeper, owner)
        return owner

    def mounted(self, adapter: Any) -> None:
        """A Session gets an adapter."""
        if not isinstance(adapter, HTTPAdapter):
            return  # it keeps no pools, and has no room for us perhaps
        owner = self.owner_of(adapter)
        if owner.made_at == NOWHERE:
            owner.made_at, owner.adapter = place_in_program(), weakref.ref(adapter)

    def tls_of(self, context: dict[str, Any]) -> tuple[str, ...]:
        """What tells the TLS settings of this pool's key from others; no secret."""
        given = {name: context.get(name) for name in _TLS}
        return tuple(
            f"{name}={name_of(value)}" for name, value in given.items() if value is not None
        )

    def pool_made(self, manager: Any, pool: Any, tls: tuple[str, ...]) -> None:
        """A PoolManager has made this pool."""
        if not isinstance(pool, HTTPConnectionPool):
            return  # a class of somebody's own, in `pool_classes_by_scheme`
        owner = self.owner_of(adapter_on_the_stack() or manager)
        _attach(pool, self._pool(pool, owner, tls, manager, is_new=True))

    def _pool(
        self, pool: Any, owner: Owner, tls: tuple[str, ...], keeper: Any, *, is_new: bool
    ) -> Pool:
        path = _socket_path(pool)
        host = unix(path) if path else address(pool.scheme, pool.host, pool.port)
        forwards = pool.proxy is not None and pool.scheme == "http"
        exposed = forwards or (pool.scheme == "http" and is_exposed(host))
        self.pool_is_met(pool)
        state = Pool(
            of=weakref.ref(pool),
            host=host,
            via=None if forwards else _proxy_of(pool),
            owner=owner,
            tls=tls,
            proxy=_without_login(pool.proxy),
            forwards=forwards,
            is_new=is_new,
            seen_by=self.number,
            exposed=exposed,
        )
        if is_new:
            _is_one_of(state, keeper)
        return state

    def pool_is_met(self, pool: Any) -> None:
        """A pool is seen for the first time."""

    def pool_of(self, pool: Any, *, made: int = 0) -> Pool:
        """The state of a pool, which has just made so many connections; an old one is as it is."""
        state = attached_to(pool)
        if type(state) is not Pool or state.seen_by != self.number:
            known = state if type(state) is Pool else None
            keeper = adapter_on_the_stack() or pool
            owner = known.owner if known else self.owner_of(keeper)
            tls = known.tls if known else ()
            state = self._pool(pool, owner, tls, keeper, is_new=pool.num_connections <= made)
            _attach(pool, state)
            if known is not None:
                self.meets_in_child(state, list(known.known))
        return state

    def connection(self, conn: Any) -> ConnectionState:
        """The state of a connection."""
        state = attached_to(conn)
        if type(state) is not ConnectionState or state.seen_by != self.number:
            before, state = state, ConnectionState(self.number)
            if type(before) is ConnectionState and is_inherited(before):
                state.attempt, state.since, state.connected = before.attempt, before.since, True
            _attach(conn, state)
        return state

    def belongs(self, conn: Any, state: ConnectionState, pool: Pool) -> Pool:
        """Note that this connection is this pool's."""
        state.pool = pool
        state.reference = weakref.ref(conn)  # CPython loses what strikes in a callback
        pool.known.add(state)
        return pool


def names_its_path(pool: Pool, sock: socket.socket) -> bool:
    """A connection of this pool has been opened: if over a Unix socket, the path is the host.

    True if it was not known before.
    """
    if sock.family != getattr(socket, "AF_UNIX", None) or pool.host.startswith("unix:"):
        return False
    pool.host = unix(os.fsdecode(sock.getpeername()))
    pool.via, pool.routes, pool.exposed = None, ((), ()), False
    return True


def _is_one_of(state: Pool, keeper: Any) -> None:
    """What else its keeper, and its Session, have for the same route."""
    key = state.host, state.via, state.tls, state.proxy
    state.owner.needs(*key)
    state.kept, pools = pools_kept_by(keeper)
    others = [attached_to(one) for one in pools if one is not state.of()]
    state.alike = sum(
        type(one) is Pool and (one.host, one.via, one.tls, one.proxy) == key for one in others
    )
    session = session_on_the_stack()
    if session is not None:
        adapters = attached_to(session)
        if type(adapters) is not Adapters:
            adapters = Adapters()
            _attach(session, adapters)
        state.is_new_adapter = adapters.replaces(state.owner, state.host, state.via)


def _socket_path(pool: Any) -> str | None:
    """The path of a Unix socket, where a pool has it as docker's and requests-unixsocket's do."""
    path = own(pool, "socket_path")
    if type(path) is not str:
        return None
    quoted = _QUOTED_PATH.match(path)
    return unquote(quoted[1]) if quoted else path


def _attach(thing: Any, state: Adapters | Owner | Pool | ConnectionState) -> None:
    object.__setattr__(thing, NAME, state)  # a class's own may have a mind of its own


def is_tuned(keeper: Any) -> bool:
    """Whether it is a TunedAdapter; `tuned` is a library of its own, which may be unused."""
    return any(
        kind.__module__ == "keptalive.tuned.adapter" and kind.__name__ == "TunedAdapter"
        for kind in type(keeper).__mro__
    )


def max_idle_of(keeper: Any) -> float | None:
    """The seconds after which a tuned adapter replaces an idle connection; None if never."""
    seconds = own(keeper, "max_idle") if is_tuned(keeper) else None
    return float(seconds) if isinstance(seconds, int | float) else None


def learns(keeper: Any) -> bool:
    """Whether a tuned adapter learns from each server how long connections may be idle."""
    return is_tuned(keeper) and own(keeper, "max_idle") == "learn"


def tuned_facts(owner: Owner) -> dict[str, Any]:
    """Facts of a connection that is being opened: ``max_idle`` may have been changed."""
    sender = adapter_on_the_stack() if owner.is_tuned else None
    if sender is not None and attached_to(sender) is owner:
        owner.max_idle_s, owner.learns = max_idle_of(sender), learns(sender)
    return {
        "is_tuned": owner.is_tuned,
        "max_idle_s": owner.max_idle_s,
        "learns": owner.learns,
    }


def unix(path: str) -> str:
    """How reports name a Unix socket."""
    return f"unix:{path}"


def address(scheme: str, host: str, port: int | None) -> str:
    """``scheme://host:port``, as reports name hosts."""
    host = f"[{host}]" if ":" in host and not host.startswith("[") else host
    return f"{scheme}://{host}:{port or (443 if scheme == 'https' else 80)}"


def _proxy_of(pool: Any) -> str | None:
    """The proxy through which this pool reaches its host, without its login; None if none."""
    if pool.proxy is not None:
        return address(pool.proxy.scheme, pool.proxy.host, pool.proxy.port)
    settings = own(pool, "conn_kw")
    socks = settings.get("_socks_options") if type(settings) is dict else None
    if type(socks) is not dict:
        return None
    return f"socks://{socks.get('proxy_host')}:{socks.get('proxy_port')}"


def _without_login(proxy: Any) -> str | None:
    if not proxy:
        return None
    login = f" with login {hash(proxy.auth):x}" if proxy.auth else ""  # salted by the process
    return f"{proxy._replace(auth=None)}{login}"
