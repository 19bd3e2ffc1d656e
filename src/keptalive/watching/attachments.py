"""The states of owners, pools and connections hang on urllib3's own objects, and are found here.

They hang there so that they end with them. What another observer saw, before this watch, is out of
date, and begun anew.
"""

from __future__ import annotations

import itertools
import os
import socket
import weakref
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connectionpool import HTTPConnectionPool

from keptalive.causes import security
from keptalive.run.inject._keptalive_faults import is_ours
from keptalive.watching.call_site import NOWHERE, adapter_on_the_stack, place_in_program
from keptalive.watching.foreign import NAME, attached_to, name_of, own
from keptalive.watching.recorder import Recorder
from keptalive.watching.tracking import ConnectionState, Owner, Pool

_numbers = itertools.count(1)  # of owners and observers, never the same twice in this process


class Attachments:
    """Finds the state of an object, and gives it one when it is seen first."""

    def __init__(self) -> None:
        self.number = next(_numbers)
        self.recorders: tuple[Recorder, ...] = ()

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
                is_bare=not isinstance(keeper, HTTPAdapter),
            )
            _attach(keeper, owner)
        return owner

    def mounted(self, session: Any, prefix: Any, adapter: Any) -> None:
        """A Session gets an adapter for the URLs with this prefix."""
        if not isinstance(adapter, HTTPAdapter):
            return  # it keeps no pools, and has no room for us perhaps
        owner = self.owner_of(adapter)
        if owner.made_at == NOWHERE:
            owner.made_at = place_in_program()
        adapters = own(session, "adapters")
        before = dict(adapters).get(prefix) if isinstance(adapters, dict) else None
        replaced = attached_to(before) if before is not adapter else None
        if type(replaced) is Owner and (replaced.has_pools or replaced.is_new_adapter):
            owner.is_new_adapter = True

    def tls_of(self, context: dict[str, Any]) -> str:
        """What tells the TLS settings of this pool's key from others; no secret."""
        names = ("cert_reqs", "ca_certs", "ca_cert_dir", "cert_file", "ssl_context")
        return repr([name_of(context.get(name)) for name in names])

    def pool_made(self, manager: Any, pool: Any, tls: str) -> None:
        """A PoolManager has made this pool."""
        if not isinstance(pool, HTTPConnectionPool):
            return  # a class of somebody's own, in `pool_classes_by_scheme`
        owner = self.owner_of(adapter_on_the_stack() or manager)
        _attach(pool, self._pool(pool, owner, tls, is_new=True))

    def _pool(self, pool: Any, owner: Owner, tls: str, *, is_new: bool) -> Pool:
        owner.has_pools = True
        path = own(pool, "socket_path")  # as docker's and requests-unixsocket's have it
        host = unix(path) if type(path) is str else address(pool.scheme, pool.host, pool.port)
        forwards = pool.proxy is not None and pool.scheme == "http"
        is_exposed = forwards or (pool.scheme == "http" and security.is_exposed(host))
        return Pool(
            of=weakref.ref(pool),
            host=host,
            via=None if forwards else _proxy_of(pool),
            owner=owner,
            tls=tls,
            proxy=_without_login(pool.proxy),
            forwards=forwards,
            is_new=is_new,
            seen_by=self.number,
            exposed=is_exposed,
        )

    def pool_of(self, pool: Any, *, made: int = 0) -> Pool:
        """The state of a pool, which has just made so many connections; an old one is as it is."""
        state = attached_to(pool)
        if type(state) is not Pool or state.seen_by != self.number:
            known = state if type(state) is Pool else None
            owner = known.owner if known else self.owner_of(adapter_on_the_stack() or pool)
            tls = known.tls if known else ""
            state = self._pool(pool, owner, tls, is_new=pool.num_connections <= made)
            _attach(pool, state)
        return state

    def connection(self, conn: Any) -> ConnectionState:
        """The state of a connection."""
        state = attached_to(conn)
        if type(state) is not ConnectionState or state.seen_by != self.number:
            state = ConnectionState(self.number)
            _attach(conn, state)
        return state

    def belongs(self, conn: Any, state: ConnectionState, pool: Pool) -> Pool:
        """Note that this connection is this pool's."""
        state.pool = pool
        state.reference = weakref.ref(conn)  # CPython loses what strikes in a callback
        pool.known.add(state)
        return pool


def names_its_path(pool: Pool, sock: socket.socket) -> None:
    """A connection of this pool has been opened: if over a Unix socket, the path is the host."""
    if sock.family != getattr(socket, "AF_UNIX", None) or pool.host.startswith("unix:"):
        return
    pool.host = unix(os.fsdecode(sock.getpeername()))
    pool.via, pool.routes, pool.exposed = None, ((), ()), False


def _attach(thing: Any, state: Owner | Pool | ConnectionState) -> None:
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


def tuned_facts(owner: Owner) -> dict[str, Any]:
    """Facts of a connection that is being opened: ``max_idle`` may have been changed."""
    sender = adapter_on_the_stack() if owner.is_tuned else None
    if sender is not None and attached_to(sender) is owner:
        owner.max_idle_s = max_idle_of(sender)
    return {"is_tuned": owner.is_tuned, "max_idle_s": owner.max_idle_s}


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
