"""Sessions with a pool of a chosen size, by the names ``session-pool=N``, ``session-pool-block=N``.

The first keeps N connections to a host and discards those beyond ("Connection pool is full,
discarding connection"); of the second, a request waits until one of N is free.
"""

from __future__ import annotations

import re
from typing import ClassVar

import requests
from requests.adapters import HTTPAdapter

from keptalive.bench.strategies import OneSession
from keptalive.bench.strategy import Strategy

_NAMED = re.compile(r"session-pool(?P<block>-block)?=(?P<size>[1-9][0-9]{0,3})")
LARGEST_POOL = 9999
FORMS = ("session-pool=N", "session-pool-block=N")


class PooledSession(OneSession):
    """One Session whose pools have this size."""

    size: ClassVar[int]
    block: ClassVar[bool]

    @classmethod
    def make_session(cls) -> requests.Session:
        session = requests.Session()
        for prefix in ("https://", "http://"):
            session.mount(prefix, HTTPAdapter(pool_maxsize=cls.size, pool_block=cls.block))
        return session

    @classmethod
    def settings(cls) -> str:
        return f"pool_maxsize={cls.size}, pool_block={cls.block}"


def is_pool_size(name: str) -> bool:
    """Whether it is the name of such a Session."""
    return _NAMED.fullmatch(name) is not None


def of_pool_size(name: str) -> type[Strategy]:
    """The strategy of this name, which `is_pool_size` knows."""
    found = _NAMED.fullmatch(name)
    if found is None:
        raise ValueError(f"no Session with a pool of a size: {name}")
    size, block = int(found["size"]), found["block"] is not None
    label = f"pool {size}, waits" if block else f"pool {size}"
    chosen = {"size": size, "block": block, "label": label}
    return type(PooledSession.__name__, (PooledSession,), chosen)
