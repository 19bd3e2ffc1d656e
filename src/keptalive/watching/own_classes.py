"""Classes that others made from urllib3's: their own functions are wrapped once they are met.

A library that has its own ``connect`` (docker's, for Unix sockets) would not come by ours; and only
a pool that blocks can make a request wait, so that all others are not asked.
"""

from __future__ import annotations

from abc import ABCMeta
from collections.abc import Callable
from types import FunctionType
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool

from keptalive.watching.attachments import Attachments
from keptalive.watching.foreign import own

CONNECT, GET_CONN = "connect", "_get_conn"
# An attribute by which a pool names its method that is only called to wait for a connection
WAITS_IN = "waits_in"
CLASSES_KEPT = 100  # they live as long as the watch


class OwnClasses(Attachments):
    """Sees to it that own functions of others' classes are watched.

    Attributes:
        wrap: wraps the function of this name of a class, `CONNECT`'s or a waiting one's.
    """

    def __init__(self) -> None:
        super().__init__()
        self.wrap: Callable[[type, str], None] = lambda _owner, _name: None
        self._wrapped: dict[tuple[type, str], object] = {
            (HTTPConnection, CONNECT): None,  # `hooks` has them
            (HTTPSConnection, CONNECT): None,
        }

    def connection_is_met(self, conn: Any) -> None:
        """A connection is seen for the first time."""
        self._wrap(type(conn), CONNECT, HTTPConnection)

    def pool_is_met(self, pool: Any) -> None:
        """A pool is seen for the first time."""
        name = own(pool, WAITS_IN)
        if type(name) is str:
            self._wrap(type(pool), name, HTTPConnectionPool)
        elif own(pool, "block") is True:
            self._wrap(type(pool), GET_CONN, HTTPConnectionPool)

    def _wrap(self, kind: type, name: str, base: type) -> None:
        owner = next((one for one in kind.__mro__ if name in vars(one)), None)
        if owner is None or not issubclass(owner, base) or type(owner) not in (type, ABCMeta):
            return
        if type(vars(owner)[name]) is not FunctionType or len(self._wrapped) >= CLASSES_KEPT:
            return
        mine = object()
        if self._wrapped.setdefault((owner, name), mine) is mine:  # of several threads, the first
            self.wrap(owner, name)
