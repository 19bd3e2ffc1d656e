"""In a watched process: each plain `HTTPAdapter` becomes a `TunedAdapter` when it first sends.

The same object gets another class, so that whoever holds the adapter still holds the right one. It
keeps all that the program decides: retries, timeouts, the number and size of its pools, whether
they block. It gets one store of TLS contexts for the whole process. So `requests.get`, which makes
new adapters each time, gains too.

An adapter that is anything else than what requests makes is left alone, and named: another class,
attributes or TLS settings of its own, a function of `HTTPAdapter` that somebody has replaced.
"""

from __future__ import annotations

import functools
import itertools
import os
from types import SimpleNamespace
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection
from urllib3.poolmanager import PoolManager
from urllib3.util.ssl_ import create_urllib3_context

from keptalive.run.inject._keptalive_faults import is_ours
from keptalive.tuned import TunedAdapter
from keptalive.tuned.learning import Memory
from keptalive.tuned.pools import MaxIdle, TunedPool, tuned_class
from keptalive.tuned.tcp_keepalive import SOCKET_OPTIONS
from keptalive.tuned.timeouts import Timeout
from keptalive.tuned.trust import TrustStore
from keptalive.watching.foreign import NAME
from keptalive.watching.patching import Replacements

TUNED = "tuned-run"  # the kind of `Circumstance`s; with a name in it for what is left alone

# What `TunedAdapter` does in another way than `HTTPAdapter`, without calling its function
_FUNCTIONS = (
    *("cert_verify", "request_url", "get_connection", "get_connection_with_tls_context"),
    "build_connection_pool_key_attributes",
)
# Of a plain adapter, of a tuned one, and what a watch attaches
_ATTRIBUTES = frozenset((*vars(HTTPAdapter()), "_pid", "_fork_locks", "_trust", NAME))
_TLS = frozenset(
    (
        *("ssl_context", "cert_reqs", "ca_certs", "ca_cert_dir", "ca_cert_data", "ssl_version"),
        *("ssl_minimum_version", "ssl_maximum_version", "cert_file", "key_file", "key_password"),
        *("assert_hostname", "assert_fingerprint", "server_hostname"),
    )
)
_CLASSES_KEPT = 100  # of pools, and of adapters by name


class _Limits:
    """The program's: no limit of ours."""

    max_idle: MaxIdle = None
    max_age: float | None = None
    timeout: Timeout = None
    memory = Memory()  # nothing is learned


class _AsRequestsMadeIt(HTTPAdapter):
    """Stands between `TunedAdapter` and `HTTPAdapter`: what the former calls by ``super()``."""

    def send(self, *args: Any, **settings: Any) -> requests.Response:
        response: requests.Response = _TUNING.send(self, *args, **settings)
        return response

    def init_poolmanager(self, *args: Any, **settings: Any) -> None:
        super().init_poolmanager(*args, **settings)
        tune(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **settings: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **settings)
        tune(manager)
        return manager


class _Replaced(TunedAdapter, _AsRequestsMadeIt):
    """A plain `HTTPAdapter` of the program's, tuned; others see a plain one, also when pickled."""

    __module__, __qualname__ = HTTPAdapter.__module__, HTTPAdapter.__qualname__
    __attrs__ = HTTPAdapter.__attrs__
    max_idle = max_age = timeout = None
    memory = _Limits.memory

    def send(self, *args: Any, **settings: Any) -> requests.Response:
        # not at once: somebody may have replaced it since, by a mock or to see what is sent
        return HTTPAdapter.send(self, *args, **settings)

    def _init_shared(self) -> None:
        self._trust = _trust_of_process()

    def __reduce_ex__(self, _protocol: Any) -> Any:
        return HTTPAdapter, (), self.__getstate__()


_Replaced.__name__ = HTTPAdapter.__name__


class Tuning:
    """The tuning of this process.

    Attributes:
        send: `HTTPAdapter.send` as it was before.
        left_alone: names of classes of adapters, with why one of them is not tuned; None: it is
            another class.
        trouble: a fault of ours; None if there was none.
    """

    def __init__(self) -> None:
        self.send: Any = HTTPAdapter.send
        self.trouble: str | None = None
        self._functions: dict[str, Any] = {}
        self.begin_again()

    def begin_again(self) -> None:
        """In the child of a fork: what the parent did is the parent's."""
        self._number = itertools.count(1)
        self._tuned = 0
        self.left_alone: dict[tuple[str, str | None], bool] = {}

    def begin(self) -> None:
        """Tune whatever sends from now on."""
        self._functions = {name: vars(HTTPAdapter).get(name) for name in _FUNCTIONS}
        Replacements().add(HTTPAdapter, "send", self._wrapped)

    def circumstances(self) -> list[dict[str, Any]]:
        """What was tuned and what was not, as `Circumstance`s."""
        return [
            {"kind": TUNED, "count": self._tuned},
            *({"kind": TUNED, "detail": name, "other": why} for name, why in list(self.left_alone)),
        ]

    def _wrapped(self, send: Any) -> Any:
        self.send = send

        @functools.wraps(send)
        def wrapper(adapter: Any, *args: Any, **settings: Any) -> Any:
            if self._is_tuned(adapter):
                return TunedAdapter.send(adapter, *args, **settings)
            return send(adapter, *args, **settings)

        return wrapper

    def _is_tuned(self, adapter: Any) -> bool:
        """Whether this adapter is one that we have tuned; if it can be, it is from now on."""
        kind = type(adapter)
        try:
            if kind is _Replaced:
                why = self._why_not(adapter)
                if why is None:
                    return True
                adapter.__class__ = HTTPAdapter
            elif kind is HTTPAdapter:
                why = self._why_not(adapter)
                if why is None:
                    self._tune(adapter)
                    return True
            elif issubclass(kind, TunedAdapter):
                return False
            else:
                why = None
            self._leave(kind, why)
        except Exception as error:
            if not is_ours(error):
                raise
            self.trouble = f"not tuned: {type(error).__name__}: {error}"
        return False

    def _why_not(self, adapter: Any) -> str | None:
        """Why this adapter is not what requests makes; None if it is. Asked for each request."""
        known = vars(HTTPAdapter)
        for name, function in self._functions.items():
            if known.get(name) is not function:
                return f"HTTPAdapter.{name} was replaced"
        if not vars(adapter).keys() <= _ATTRIBUTES:
            return "attributes of its own"
        manager = adapter.poolmanager
        if type(manager) is not PoolManager:
            return "another pool manager"
        return None if _TLS.isdisjoint(manager.connection_pool_kw) else "TLS settings of its own"

    def _tune(self, adapter: Any) -> None:
        for manager in (adapter.poolmanager, *adapter.proxy_manager.values()):
            tune(manager)
        adapter._pid, adapter._fork_locks = os.getpid(), {}  # noqa: SLF001 - as in TunedAdapter
        adapter._trust = _trust_of_process()  # noqa: SLF001
        adapter.__class__ = _Replaced
        self._tuned = next(self._number)

    def _leave(self, kind: type, why: str | None) -> None:
        left = f"{kind.__module__}.{kind.__qualname__}", why
        if left not in self.left_alone and len(self.left_alone) < _CLASSES_KEPT:
            self.left_alone[left] = True


_TUNING = Tuning()
_LIMITS = _Limits()
_POOLS: dict[type, type[Any]] = {}
_store: tuple[int, TrustStore] | None = None


def begin() -> Tuning:
    """Tune this process."""
    _TUNING.begin()
    return _TUNING


def tune(manager: Any) -> None:
    """Have this manager make tuned pools, of one class for the whole process."""
    manager.connection_pool_kw.setdefault(
        "socket_options", HTTPConnection.default_socket_options + SOCKET_OPTIONS
    )
    manager.pool_classes_by_scheme = {
        scheme: _tuned_class(kind) for scheme, kind in manager.pool_classes_by_scheme.items()
    }


def _tuned_class(kind: type[Any]) -> type[Any]:
    if issubclass(kind, TunedPool):
        return kind
    known = _POOLS.get(kind)
    if known is None:
        known = tuned_class(kind, _LIMITS)
        if len(_POOLS) < _CLASSES_KEPT:
            _POOLS[kind] = known
    return known


def _trust_of_process() -> TrustStore:
    """The one of this process: a fork's child gets another one, since OpenSSL has locks in it."""
    global _store
    if _store is None or _store[0] != os.getpid():
        _store = os.getpid(), TrustStore(_new_context, _cert_verify)
    return _store[1]


def _new_context(cert_reqs: Any) -> Any:
    return create_urllib3_context(cert_reqs=cert_reqs)


def _cert_verify(*named: Any) -> None:
    HTTPAdapter.cert_verify(SimpleNamespace(), *named)  # type: ignore[arg-type]
