"""A Session worth copying: reopening a connection costs a handshake and nothing more.

requests gives the CA bundle's path to every new connection, and each loads it again: some 20 ms,
ten times the handshake. `TunedAdapter` loads it once into a TLS context for each set of TLS
settings and lets all connections with exactly these settings share it. The context is part of the
pool's key, so that another ``verify`` or ``cert`` never meets it.
"""

from __future__ import annotations

import os
import ssl
import threading
from typing import Any

import requests
from requests.adapters import DEFAULT_POOLSIZE, HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.util import Retry
from urllib3.util.ssl_ import create_urllib3_context

IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"})  # RFC 9110, 9.2.2
GATEWAY_ERRORS = (502, 503, 504)

Verify = bool | str
Cert = str | tuple[str, str] | None


def default_retry() -> Retry:
    """Two more tries for idempotent methods, on broken connections and gateway errors."""
    return Retry(
        total=2,
        other=0,  # a certificate that does not verify will not verify a moment later
        backoff_factor=0.1,
        status_forcelist=GATEWAY_ERRORS,
        allowed_methods=IDEMPOTENT,
        raise_on_status=False,
        # else urllib3 would also ask again after a 413 or 429, and sleep for as long as it says
        respect_retry_after_header=False,
    )


class TunedAdapter(HTTPAdapter):
    """An `HTTPAdapter` that loads each CA bundle once, and retries what may be sent twice.

    On requests before 2.32.2, which cannot tell pools apart by their TLS settings, it verifies
    just as requests does there and saves nothing.
    """

    def __init__(
        self,
        pool_connections: int = DEFAULT_POOLSIZE,
        pool_maxsize: int = DEFAULT_POOLSIZE,
        max_retries: Retry | int | None = None,
        pool_block: bool = False,
    ) -> None:
        self._forget_contexts()
        super().__init__(
            pool_connections=pool_connections,
            pool_maxsize=pool_maxsize,
            max_retries=default_retry() if max_retries is None else max_retries,
            pool_block=pool_block,
        )

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._forget_contexts()
        super().__setstate__(state)

    def _forget_contexts(self) -> None:
        self._contexts: dict[tuple[Verify, Cert], ssl.SSLContext] = {}
        self._contexts_lock = threading.Lock()

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, verify: Verify, cert: Cert = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """The pool for this request: keyed by the shared context instead of the bundle's path."""
        host_params, pool_kwargs = super().build_connection_pool_key_attributes(
            request, verify, cert
        )
        if host_params["scheme"] == "https":
            for setting in ("ca_certs", "ca_cert_dir", "cert_file", "key_file"):
                pool_kwargs.pop(setting, None)
            pool_kwargs["ssl_context"] = self._context(verify, cert)
        return host_params, pool_kwargs

    def cert_verify(self, conn: Any, url: str, verify: Verify, cert: Cert) -> None:
        """Let requests check that the files are there, then leave trust to the pool's context."""
        super().cert_verify(conn, url, verify, cert)
        over_https = conn.proxy is not None and conn.proxy.scheme == "https"
        # urllib3 verifies an https proxy by these paths alone, never by the pool's context: they
        # stay where there is one, else the proxy would be trusted as the system's store trusts
        if conn.conn_kw.get("ssl_context") in self._contexts.values() and not over_https:
            # With a path set here, urllib3 would load it into the shared context once more, for
            # every connection (urllib3.util.ssl_.ssl_wrap_socket)
            conn.ca_certs = conn.ca_cert_dir = conn.cert_file = conn.key_file = None

    def _context(self, verify: Verify, cert: Cert) -> ssl.SSLContext:
        with self._contexts_lock:
            key = (verify, cert)
            if key not in self._contexts:
                self._contexts[key] = _load_context(verify, cert)
            return self._contexts[key]

    def describe(self) -> str:
        """The policy in words."""
        retry = self.max_retries
        return (
            f"CA bundle loaded once; {retry.total} retries of idempotent methods; "
            f"pool_maxsize {self._pool_maxsize}; pool_connections {self._pool_connections}"
        )


def _load_context(verify: Verify, cert: Cert) -> ssl.SSLContext:
    context = create_urllib3_context(cert_reqs=ssl.CERT_REQUIRED if verify else ssl.CERT_NONE)
    if verify:
        # urllib3 1.26 leaves matching the host's name to itself; with 2.x this is already so
        context.verify_mode = ssl.CERT_REQUIRED
        bundle = DEFAULT_CA_BUNDLE_PATH if verify is True else os.fspath(verify)
        if os.path.isdir(bundle):  # noqa: PTH112 - as requests decides it
            context.load_verify_locations(capath=bundle)
        else:
            context.load_verify_locations(cafile=bundle)
    else:
        context.check_hostname = False
    if isinstance(cert, str):
        context.load_cert_chain(cert)
    elif cert:
        context.load_cert_chain(*cert)
    return context


def tuned_session(
    *,
    pool_connections: int = DEFAULT_POOLSIZE,
    pool_maxsize: int = DEFAULT_POOLSIZE,
    max_retries: Retry | int | None = None,
    pool_block: bool = False,
) -> requests.Session:
    """A `requests.Session` whose http and https requests go through a `TunedAdapter`.

    Args:
        pool_connections: how many hosts' pools are kept.
        pool_maxsize: how many idle connections each pool keeps: at least your threads.
        max_retries: instead of the default of two retries of idempotent methods.
        pool_block: wait for a connection rather than open one beyond ``pool_maxsize``.
    """
    session = requests.Session()
    adapter = TunedAdapter(pool_connections, pool_maxsize, max_retries, pool_block)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session
