"""Whose is what: the states of owners, pools and connections, on urllib3's own objects.

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

from keptalive.causes import security as hygiene
from keptalive.watching.call_site import adapter_on_the_stack, place_in_program
from keptalive.watching.foreign import NAME, attached_to, name_of, own
from keptalive.watching.recorder import Draft
from keptalive.watching.tracking import ASKING, Connection, Owner, Pool

SWEEP_AT = 256  # so many connections are remembered without a look at which are gone

_numbers = itertools.count(1)  # of owners and observers, never the same twice in this process


class Registry:
    """Finds the state of an object, and gives it one when it is seen first."""

    def __init__(self) -> None:
        self.number = next(_numbers)
        self.open: set[Connection] = set()
        self._sweep_at = SWEEP_AT

    def remember(self, connection: Connection) -> None:
        """It is being opened. Those that are no more are forgotten when their share is large."""
        self.open.add(connection)
        if len(self.open) < self._sweep_at:
            return
        for one in list(self.open):
            if one.is_gone():
                self.open.discard(one)
        self._sweep_at = max(SWEEP_AT, 2 * len(self.open))

    def at_once(self, host: str) -> int:
        """How many connections to this host have a request on its way just now."""
        return sum(
            state.doing is ASKING
            and state.draft is not None
            and state.draft.host == host
            and not state.is_gone()
            for state in list(self.open)
        )

    def still_open(self) -> list[str | None]:
        """Where the owners were made of the connections that are open now."""
        open_ = [state for state in list(self.open) if state.is_open()]
        return [state.pool.owner.place if state.pool else None for state in open_]

    def owner_of(self, keeper: Any) -> Owner:
        """The state of an adapter or a PoolManager."""
        owner = attached_to(keeper)
        if type(owner) is not Owner:
            owner = Owner(next(_numbers))
            _attach(keeper, owner)
        return owner

    def mounted(self, adapter: Any) -> None:
        if not isinstance(adapter, HTTPAdapter):
            return  # it keeps no pools, and has no room for us perhaps
        owner = self.owner_of(adapter)
        if owner.place is None:
            owner.place = place_in_program()

    def owner_closes(self, keeper: Any) -> None:
        self.owner_of(keeper).closings += 1

    def tls_of(self, context: dict[str, Any]) -> str:
        names = ("cert_reqs", "ca_certs", "ca_cert_dir", "cert_file", "ssl_context")
        return repr([name_of(context.get(name)) for name in names])

    def pool_made(self, manager: Any, pool: Any, tls: str) -> None:
        if not isinstance(pool, HTTPConnectionPool):
            return  # a class of somebody's own, in `pool_classes_by_scheme`
        owner = self.owner_of(adapter_on_the_stack() or manager)
        _attach(pool, self._pool(pool, owner, tls, is_new=True))

    def _pool(self, pool: Any, owner: Owner, tls: str, *, is_new: bool) -> Pool:
        path = own(pool, "socket_path")  # as docker's and requests-unixsocket's have it
        host = unix(path) if type(path) is str else address(pool.scheme, pool.host, pool.port)
        return Pool(
            of=weakref.ref(pool),
            host=host,
            owner=owner,
            tls=tls,
            proxy=_without_login(pool.proxy),
            is_new=is_new,
            seen_by=self.number,
            exposed=pool.scheme == "http" and (pool.proxy is not None or hygiene.is_exposed(host)),
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

    def _names_its_path(self, pool: Pool, draft: Draft, sock: socket.socket) -> None:
        """One of its connections has been opened: if over a Unix socket, the path is the host."""
        if sock.family != getattr(socket, "AF_UNIX", None) or pool.host.startswith("unix:"):
            return
        peer = sock.getpeername()
        pool.host, pool.heard, pool.exposed = unix(os.fsdecode(peer)), ((), ()), False
        draft.host = pool.host

    def connection(self, conn: Any) -> Connection:
        """The state of a connection."""
        state = attached_to(conn)
        if type(state) is not Connection or state.seen_by != self.number:
            state = Connection(self.number, id(conn))
            _attach(conn, state)
        return state

    def belongs(self, conn: Any, state: Connection, pool: Pool) -> Pool:
        """Note that this connection is this pool's."""
        state.pool = pool
        state.reference = weakref.ref(conn)  # CPython loses what strikes in a callback
        pool.known.add(state)
        return pool


def _attach(thing: Any, state: Owner | Pool | Connection) -> None:
    object.__setattr__(thing, NAME, state)  # a class's own may have a mind of its own


def unix(path: str) -> str:
    """How reports name a Unix socket."""
    return f"unix:{path}"


def address(scheme: str, host: str, port: int | None) -> str:
    """``scheme://host:port``, as reports name hosts."""
    host = f"[{host}]" if ":" in host and not host.startswith("[") else host
    return f"{scheme}://{host}:{port or (443 if scheme == 'https' else 80)}"


def _without_login(proxy: Any) -> str | None:
    if not proxy:
        return None
    login = f" with login {hash(proxy.auth):x}" if proxy.auth else ""  # salted by the process
    return f"{proxy._replace(auth=None)}{login}"
