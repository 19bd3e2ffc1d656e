"""`TunedAdapter`: an `HTTPAdapter` whose new connections cost a handshake and little more.

requests gives the path of the CA bundle to every new connection, and each connection loads the
bundle again. This takes about 20 ms of CPU time, ten times as much as the handshake.
`TunedAdapter` loads the bundle once, into one TLS context for each pair of ``verify`` and
``cert``. The context is part of the pool's key: a request with other settings never uses it, nor a
connection that was opened with it.
"""

from __future__ import annotations

import os
import ssl
import threading
import weakref
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import DEFAULT_POOLSIZE, HTTPAdapter
from requests.exceptions import InvalidProxyURL, InvalidURL
from requests.utils import prepend_scheme_if_needed, select_proxy
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.util import Retry, parse_url
from urllib3.util.ssl_ import create_urllib3_context

from keptalive.tuned import description, flow, pools
from keptalive.tuned.building import BuildingAdapter
from keptalive.tuned.learning import Learned, Memory
from keptalive.tuned.pools import LEARN, MaxIdle
from keptalive.tuned.retries import SafeRetry
from keptalive.tuned.tcp_keepalive import SOCKET_OPTIONS
from keptalive.tuned.timeouts import Timeout
from keptalive.tuned.trust import Cert, TrustStore, Verify

TIMEOUT_S = (10.0, 30.0)  # connect, read; requests itself has no limit

# requests hashes ``cert`` since 2.32.2, and so refuses a list
CERT_IS_HASHED = hasattr(HTTPAdapter, "build_connection_pool_key_attributes")


class TunedAdapter(BuildingAdapter):
    """An `HTTPAdapter` that loads CA bundles once, replaces idle connections, retries safely.

    Args:
        pool_connections: how many pools are kept, one for each host.
        pool_maxsize: how many idle connections each pool keeps: at least your number of threads.
        max_retries: instead of `SafeRetry`; a number means the same as in requests.
        pool_block: wait for a connection instead of opening one beyond ``pool_maxsize``.
        max_idle: a connection that was idle for more seconds is replaced before use; None: never;
            "learn": how long that may be is learned from each server.
        max_age: a connection that is older, in seconds, is replaced before use; None: never.
        timeout: seconds to connect and between bytes, for requests without one; None: no limit.
    """

    __attrs__ = [*HTTPAdapter.__attrs__, "max_idle", "max_age", "timeout"]  # noqa: RUF012

    def __init__(
        self,
        pool_connections: int = DEFAULT_POOLSIZE,
        pool_maxsize: int = DEFAULT_POOLSIZE,
        max_retries: Retry | int | None = None,
        pool_block: bool = False,
        *,
        max_idle: MaxIdle = LEARN,
        max_age: float | None = None,
        timeout: Timeout = TIMEOUT_S,
    ) -> None:
        self.max_idle, self.max_age, self.timeout = max_idle, max_age, timeout
        self._init_for_process()
        super().__init__(
            pool_connections=pool_connections,
            pool_maxsize=pool_maxsize,
            max_retries=SafeRetry() if max_retries is None else max_retries,
            pool_block=pool_block,
        )

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.max_idle, self.max_age = state["max_idle"], state["max_age"]
        self.timeout = state["timeout"]
        self._init_for_process()
        super().__setstate__(state)

    # Processes

    def _init_for_process(self) -> None:
        self._pid = os.getpid()
        # A lock for each process, because a lock that is held during a fork stays held in the child
        self._fork_locks: dict[int, Any] = {}
        self._init_shared()

    def _check_fork(self) -> None:
        """Once in the child of a fork: drop the parent's connections, TLS contexts and locks.

        Called for each request and not by `os.register_at_fork`: a fork in C calls no handlers, and
        another handler may send requests before ours is called.
        """
        if self._pid == os.getpid():
            return
        with self._fork_locks.setdefault(os.getpid(), threading.RLock()):
            if self._pid != os.getpid():
                self._init_shared()  # OpenSSL has locks in a TLS context
                for manager in (self.poolmanager, *self.proxy_manager.values()):
                    pools.drop_parent_pools(manager)
                self._pid = os.getpid()

    def _init_shared(self) -> None:
        self.memory = Memory()
        # A proxy, so that there is no reference cycle: an unreferenced session closes its sockets
        me = weakref.proxy(self)
        self._trust = TrustStore(
            lambda cert_reqs: me.new_context(cert_reqs),
            lambda *named: super(TunedAdapter, me).cert_verify(*named),
        )

    # TLS

    def new_context(self, cert_reqs: ssl.VerifyMode) -> ssl.SSLContext:
        """A new context, as urllib3 makes it. Override it for other ciphers or TLS versions."""
        return create_urllib3_context(cert_reqs=cert_reqs)

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, verify: Verify, cert: Cert = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """The key of this request's pool: with the shared context instead of the files' paths."""
        url = urlsplit(request.url or "")
        scheme = url.scheme.lower()
        if CERT_IS_HASHED:
            hash(cert)
        host_params = {"scheme": scheme, "host": url.hostname, "port": url.port}
        if scheme != "https":
            return host_params, {}
        return host_params, self._trust.get(verify, cert).pool_settings

    def cert_verify(self, conn: Any, url: str, verify: Verify, cert: Cert) -> None:
        """Nothing, if the pool has the TLS context for these settings; else as requests does."""
        if not url.lower().startswith("https:"):
            # Only for its errors: a forward proxy gets no client certificate
            super().cert_verify(SimpleNamespace(), url, verify, cert)
            return
        trust = self._trust.cached(verify, cert)
        if trust is None or conn.conn_kw.get("ssl_context") is not trust.context:
            # This sets paths on the pool: urllib3 then loads the files for every connection
            # (urllib3.util.ssl_.ssl_wrap_socket)
            super().cert_verify(conn, url, verify, cert)

    # Pools

    def init_poolmanager(
        self, connections: int, maxsize: int, block: bool = False, **pool_kwargs: Any
    ) -> None:
        pool_kwargs.setdefault(
            "socket_options", HTTPConnection.default_socket_options + SOCKET_OPTIONS
        )
        super().init_poolmanager(connections, maxsize, block, **pool_kwargs)
        pools.tune(self.poolmanager, weakref.proxy(self))

    def proxy_manager_for(self, proxy: str, **proxy_kwargs: Any) -> Any:
        self._check_fork()
        # urllib3 leaves Nagle's algorithm on for HTTP proxies: there each request with a body would
        # wait until the proxy acknowledges its head, 40 ms on a kept connection
        options = HTTPConnection.default_socket_options + SOCKET_OPTIONS
        proxy_kwargs.setdefault("socket_options", options)
        manager = super().proxy_manager_for(proxy, **proxy_kwargs)
        pools.tune(manager, weakref.proxy(self))
        return manager

    def get_connection_with_tls_context(
        self,
        request: requests.PreparedRequest,
        verify: Verify,
        proxies: dict[str, str] | None = None,
        cert: Cert = None,
    ) -> HTTPConnectionPool:
        """The pool for this request and its TLS settings.

        Raises:
            InvalidURL: the host or the port of the URL is invalid.
            InvalidProxyURL: the URL of the proxy has no host.
            OSError, SSLError: as `TrustStore.get`.
            TypeError: ``cert`` is a list, and requests is 2.32 or newer.
        """
        self._check_fork()
        proxy = select_proxy(request.url or "", proxies) if proxies else None
        try:
            if proxy:
                return self._pool_through(proxy, request, verify, cert)
            return self._pool(request, verify, cert)
        except requests.RequestException:
            raise
        except ValueError as error:
            raise InvalidURL(error, request=request) from error

    def get_connection(self, url: str, proxies: dict[str, str] | None = None) -> HTTPConnectionPool:
        """The same for requests before 2.32, which does not pass the settings: `send` has them."""
        request, verify, cert = flow.SETTINGS.get()
        if request is None or request.url != url:
            request = requests.PreparedRequest()
            request.url = url
        return self.get_connection_with_tls_context(request, verify, proxies, cert)

    def _pool(
        self, request: requests.PreparedRequest, verify: Verify, cert: Cert
    ) -> HTTPConnectionPool:
        host_params, settings = self.build_connection_pool_key_attributes(request, verify, cert)
        pool: HTTPConnectionPool = self.poolmanager.connection_from_host(
            **host_params, pool_kwargs=settings
        )
        return pool

    def _pool_through(
        self, proxy: str, request: requests.PreparedRequest, verify: Verify, cert: Cert
    ) -> HTTPConnectionPool:
        proxy = prepend_scheme_if_needed(proxy, "http")
        if not parse_url(proxy).host:
            raise InvalidProxyURL(f"The proxy for {request.url} has no host. Check its URL.")
        host_params, settings = self.build_connection_pool_key_attributes(request, verify, cert)
        others, proxy_trust = self._trust.for_proxy(proxy, host_params["scheme"], verify, cert)
        manager = self.proxy_manager_for(proxy)
        pool: HTTPConnectionPool = manager.connection_from_host(
            **host_params, pool_kwargs=others or settings
        )
        if proxy_trust and pool.proxy_config:
            config = pool.proxy_config._replace(ssl_context=proxy_trust.context)
            pool.proxy_config = pool.conn_kw["proxy_config"] = config
        return pool

    # Requests

    def request_url(self, request: requests.PreparedRequest, proxies: dict[str, str] | None) -> str:
        if proxies or request.path_url.startswith("//"):  # some versions shorten that
            return super().request_url(request, proxies)
        return request.path_url

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Timeout = None,
        verify: Verify = True,
        cert: Cert = None,
        proxies: dict[str, str] | None = None,
    ) -> requests.Response:
        """As requests does. Without a timeout, the adapter's is used; ``(None, None)``: no limit.

        Raises:
            requests.RequestException: as requests does. Also a `requests.ConnectionError` if
                ``pool_block`` is set and no connection becomes free in time.
        """
        # Calls nest if the body of a request is read from another response of this adapter
        settings = flow.SETTINGS.set((request, verify, cert))
        call = flow.current_call() or flow.SendCall()
        calls = flow.SEND_CALLS.set((*flow.SEND_CALLS.get(), weakref.ref(call)))
        before = len(call.slots)
        try:
            response = super().send(
                request, stream, self.timeout if timeout is None else timeout, verify, cert, proxies
            )
            # In ``try``, as an exception may come after any call
            call.response = weakref.ref(response)
            return response  # noqa: TRY300
        except pools.NoFreeConnectionError as error:
            raise requests.ConnectionError(error.sentence, request=request) from error
        except BaseException:
            call.abandon(before)
            raise
        finally:
            flow.SEND_CALLS.reset(calls)
            flow.SETTINGS.reset(settings)

    def close(self) -> None:
        """Close idle connections now, those in use when they are released; forget what was learned.

        (urllib3 2 leaves idle connections open as long as any response of their pool exists.)
        """
        self._check_fork()
        for manager in (self.poolmanager, *self.proxy_manager.values()):
            pools.close_pools(manager)
        super().close()
        self.memory.forget()

    def describe(self) -> str:
        """The settings in effect as text, a line for each topic."""
        return description.describe_policy(
            hosts=self._pool_connections,
            connections=self._pool_maxsize,
            block=self._pool_block,
            max_idle=self.max_idle,
            max_age=self.max_age,
            timeout=self.timeout,
            max_retries=self.max_retries,
            learned=self.learned(),
        )

    def learned(self) -> dict[str, Learned]:
        """What ``max_idle="learn"`` has learned since the last `close`, by host or proxy."""
        self._check_fork()
        return self.memory.learned()
