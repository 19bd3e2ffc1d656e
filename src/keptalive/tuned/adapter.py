"""The adapter: requests' own, with connections that cost a handshake and nothing more.

requests gives the CA bundle's path to every new connection, and each loads it again: some 20 ms,
ten times the handshake. `TunedAdapter` loads it once into a TLS context for each set of TLS
settings. The context is part of the pool's key, so that another ``verify`` or ``cert`` never meets
it, nor any connection that was opened with it.
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
import urllib3
from requests.adapters import DEFAULT_POOLSIZE, HTTPAdapter
from requests.exceptions import InvalidProxyURL, InvalidURL
from requests.utils import prepend_scheme_if_needed, select_proxy
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.util import Retry, parse_url
from urllib3.util.ssl_ import create_urllib3_context

from keptalive.tuned import flow, words
from keptalive.tuned.pools import (
    StayedInUseError,
    close_pools,
    fitted,
    leave_pools_to_parent,
)
from keptalive.tuned.probes import KEEPALIVE
from keptalive.tuned.retries import SafeRetry
from keptalive.tuned.timeouts import Timeout
from keptalive.tuned.trust import Cert, TrustStore, Verify

MAX_IDLE_S = 55.0  # below the 60 s of GitHub, AWS load balancers and many proxies
TIMEOUT_S = (10.0, 30.0)  # connect, read: requests itself would wait for ever

MATCHES_NO_PROXY = urllib3.__version__.startswith("1.")  # type: ignore[attr-defined]

# requests hashes it since 2.32.2, and so refuses a list
CERT_IS_HASHED = hasattr(HTTPAdapter, "build_connection_pool_key_attributes")


class TunedAdapter(HTTPAdapter):
    """An `HTTPAdapter` that loads CA bundles once, replaces idle connections, retries with care.

    Args:
        pool_connections: how many hosts' pools are kept.
        pool_maxsize: how many idle connections each pool keeps: at least your threads.
        max_retries: instead of `SafeRetry`; a number is taken as requests takes it.
        pool_block: wait for a connection rather than open one beyond ``pool_maxsize``.
        max_idle: seconds after which an unused connection is replaced before use; None for never.
        timeout: seconds to connect and between bytes, where a request names none. None for ever.
    """

    __attrs__ = [*HTTPAdapter.__attrs__, "max_idle", "timeout"]  # noqa: RUF012 - requests' own way

    def __init__(
        self,
        pool_connections: int = DEFAULT_POOLSIZE,
        pool_maxsize: int = DEFAULT_POOLSIZE,
        max_retries: Retry | int | None = None,
        pool_block: bool = False,
        *,
        max_idle: float | None = MAX_IDLE_S,
        timeout: Timeout = TIMEOUT_S,
    ) -> None:
        self.max_idle = max_idle
        self.timeout = timeout
        self._begin()
        super().__init__(
            pool_connections=pool_connections,
            pool_maxsize=pool_maxsize,
            max_retries=SafeRetry() if max_retries is None else max_retries,
            pool_block=pool_block,
        )

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.max_idle, self.timeout = state["max_idle"], state["timeout"]
        self._begin()
        super().__setstate__(state)

    # Processes

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._beginning: dict[int, Any] = {}  # a lock for each process: none is inherited locked
        self._read_nothing_yet()

    def _in_this_process(self) -> None:
        """In the child of a fork, once: leave the parent its connections and its locks.

        It is looked at for each request, since the child of a fork in C calls no handlers, and
        those of `os.register_at_fork` may be called after one that sends requests.
        """
        if self._pid == os.getpid():
            return
        with self._beginning.setdefault(os.getpid(), threading.RLock()):
            if self._pid != os.getpid():
                # Its TLS contexts too: OpenSSL has locks of its own in them
                self._read_nothing_yet()
                for manager in (self.poolmanager, *self.proxy_manager.values()):
                    leave_pools_to_parent(manager)
                self._pid = os.getpid()

    def _read_nothing_yet(self) -> None:
        me = weakref.proxy(self)  # no cycle: a session that is dropped closes its sockets at once
        self._trust = TrustStore(
            lambda cert_reqs: me.new_context(cert_reqs),
            lambda *named: super(TunedAdapter, me).cert_verify(*named),
        )

    # Trust

    def new_context(self, cert_reqs: ssl.VerifyMode) -> ssl.SSLContext:
        """An empty context, as urllib3 makes it. Override it for other ciphers or versions."""
        return create_urllib3_context(cert_reqs=cert_reqs)

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, verify: Verify, cert: Cert = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """The pool for this request: keyed by the shared context instead of the files' paths."""
        url = urlsplit(request.url or "")
        scheme = url.scheme.lower()
        if CERT_IS_HASHED:
            hash(cert)
        host_params = {"scheme": scheme, "host": url.hostname, "port": url.port}
        if scheme != "https":
            return host_params, {}
        return host_params, self._trust.of(verify, cert).pool_settings

    def cert_verify(self, conn: Any, url: str, verify: Verify, cert: Cert) -> None:
        """Leave trust to the pool's context, if it is the one that these settings stand for."""
        if not url.lower().startswith("https:"):
            # For its errors only: a proxy that forwards is shown nobody's certificate
            super().cert_verify(SimpleNamespace(), url, verify, cert)
            return
        trust = self._trust.known(verify, cert)
        if trust is None or conn.conn_kw.get("ssl_context") is not trust.context:
            # With a path set on the pool, as this does, urllib3 loads it for every connection
            # (urllib3.util.ssl_.ssl_wrap_socket)
            super().cert_verify(conn, url, verify, cert)

    # Pools

    def init_poolmanager(
        self, connections: int, maxsize: int, block: bool = False, **pool_kwargs: Any
    ) -> None:
        pool_kwargs.setdefault("socket_options", HTTPConnection.default_socket_options + KEEPALIVE)
        super().init_poolmanager(connections, maxsize, block, **pool_kwargs)
        self._fit(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **proxy_kwargs: Any) -> Any:
        self._in_this_process()
        # urllib3 wants Nagle's algorithm towards HTTP proxies
        direct = HTTPConnection.default_socket_options if proxy.lower().startswith("socks") else []
        proxy_kwargs.setdefault("socket_options", direct + KEEPALIVE)
        manager = super().proxy_manager_for(proxy, **proxy_kwargs)
        self._fit(manager)
        return manager

    def _fit(self, manager: Any) -> None:
        manager.pool_classes_by_scheme = {
            scheme: fitted(pool_class, weakref.proxy(self))
            for scheme, pool_class in manager.pool_classes_by_scheme.items()
        }

    def get_connection_with_tls_context(
        self,
        request: requests.PreparedRequest,
        verify: Verify,
        proxies: dict[str, str] | None = None,
        cert: Cert = None,
    ) -> HTTPConnectionPool:
        """The pool for this request and its TLS settings.

        Raises:
            InvalidURL: its host or its port is none.
            InvalidProxyURL: its proxy has no host.
            OSError, SSLError: as `TrustStore.of`.
            TypeError: ``cert`` is a list, and requests is 2.32 or newer.
        """
        self._in_this_process()
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
        """The same for requests before 2.32, which does not name the settings: `send` has them."""
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
        own_trust = None  # an https proxy's: by the same bundle, but without the certificate
        if proxy.lower().startswith("https:"):
            if host_params["scheme"] == "http":
                # It forwards, and requests verifies none that does: cert_verify asks for the
                # target's scheme
                settings = self._trust.of(False, None).pool_settings
            elif MATCHES_NO_PROXY:
                # urllib3 1.26 would not match its name against a context of ours: it gets the
                # files, as from requests, and reads them for each connection
                settings = self._trust.of(verify, cert).files
            else:
                own_trust = self._trust.of(verify, None)
        manager = self.proxy_manager_for(proxy)
        pool: HTTPConnectionPool = manager.connection_from_host(**host_params, pool_kwargs=settings)
        if own_trust and pool.proxy_config:
            own = pool.proxy_config._replace(ssl_context=own_trust.context)
            pool.proxy_config = pool.conn_kw["proxy_config"] = own
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
        """As requests does; without a timeout, the adapter's holds: ``(None, None)`` is for ever.

        Raises:
            requests.RequestException: as requests does; a `requests.ConnectionError` also if
                ``pool_block`` is set and no connection becomes free in time.
        """
        # A body may be read from another response of this adapter: then sends nest
        settings = flow.SETTINGS.set((request, verify, cert))
        outer = flow.current()
        sending = outer or flow.Sending()
        calls = flow.SENDING.set((*flow.SENDING.get(), weakref.ref(sending)))
        before = len(sending.places)
        try:
            response = super().send(
                request, stream, self.timeout if timeout is None else timeout, verify, cert, proxies
            )
        except StayedInUseError as error:
            raise requests.ConnectionError(error.line, request=request) from error
        except BaseException:
            sending.give_up(before)
            raise
        else:
            sending.answer = weakref.ref(response)
            return response
        finally:
            flow.SENDING.reset(calls)
            flow.SETTINGS.reset(settings)

    def close(self) -> None:
        """Close all idle connections now, and those in use as soon as they come back.

        urllib3 2 leaves an idle connection open for as long as any response of its pool is kept.
        """
        self._in_this_process()
        for manager in (self.poolmanager, *self.proxy_manager.values()):
            close_pools(manager)
        super().close()

    def describe(self) -> str:
        """The effective policy in words, a line each."""
        return words.policy(
            hosts=self._pool_connections,
            connections=self._pool_maxsize,
            block=self._pool_block,
            max_idle=self.max_idle,
            timeout=self.timeout,
            max_retries=self.max_retries,
        )
