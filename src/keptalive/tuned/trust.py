"""TLS contexts: one for each pair of ``verify`` and ``cert``, whose files are read once.

requests decides what ``verify`` and ``cert`` mean: `HTTPAdapter.cert_verify` names the files, and
raises its own errors if they are missing. A context is kept until one of its files changes. So a
renewed CA bundle or client certificate is used, as it is with requests, which reads the files for
each connection.
"""

from __future__ import annotations

import os
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, NoReturn

import requests
import urllib3
from requests import adapters
from requests.utils import extract_zipped_paths

Verify = Any  # bool, str, a path or None: requests accepts any true value and any file name
Cert = str | tuple[str, str] | None

CONTEXTS_KEPT = 20  # each takes about a megabyte
FILES = ("ca_certs", "ca_cert_dir", "cert_file", "key_file")

NO_PROXY_NAME_CHECK = urllib3.__version__.startswith("1.")  # type: ignore[attr-defined]

# The first context of a process initialises OpenSSL, which takes a millisecond. A child that is
# forked meanwhile would wait forever. So it happens here, before a thread can connect
ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trust:
    """The TLS context for one pair of ``verify`` and ``cert``.

    Attributes:
        context: shared by all connections with these settings, and never changed.
        files: the same settings as keyword arguments of a urllib3 pool: ``cert_reqs`` and paths.
        stamps: the time and size of each file, to see whether it has changed.
    """

    context: ssl.SSLContext
    files: dict[str, str]
    stamps: tuple[tuple[str, tuple[int, ...] | None], ...]

    @property
    def pool_settings(self) -> dict[str, Any]:
        """Keyword arguments of a urllib3 pool that uses the context."""
        # urllib3 sets the context's verify_mode to cert_reqs at each connection
        return {"ssl_context": self.context, "cert_reqs": self.files["cert_reqs"]}

    def is_current(self) -> bool:
        """Whether no file has changed since it was read."""
        return all(_stamp(path) == stamp for path, stamp in self.stamps)


class TrustStore:
    """The TLS contexts of one adapter. Safe to share between threads.

    Args:
        new_context: makes an empty context, given `ssl.CERT_REQUIRED` or `ssl.CERT_NONE`.
        cert_verify: the method of requests that names the files.
    """

    def __init__(
        self,
        new_context: Callable[[ssl.VerifyMode], ssl.SSLContext],
        cert_verify: Callable[[Any, str, Verify, Cert], None],
    ) -> None:
        self._new_context = new_context
        self._cert_verify = cert_verify
        self._cache: dict[tuple[Verify, Cert], Trust] = {}
        # Reentrant: while one greenlet loads, another one of its thread may send a request, and so
        # may a signal handler. Then both load
        self._lock = threading.RLock()

    def cached(self, verify: Verify, cert: Cert) -> Trust | None:
        """What `get` last returned for these settings; None if it was never called for them."""
        return self._cache.get(_key(verify, cert))

    def get(self, verify: Verify, cert: Cert) -> Trust:
        """The context for these settings, made at first use and again when a file has changed.

        Raises:
            OSError: a file is missing; the message is that of requests.
            requests.exceptions.SSLError: a file has no usable certificate or key.
        """
        try:
            trust = self.cached(verify, cert)
        except TypeError:  # not hashable: most likely requests refuses it too, with a better error
            self._cert_verify(SimpleNamespace(), "https://", verify, cert)
            raise
        if trust is None or not trust.is_current():
            with self._lock:
                trust = self.cached(verify, cert)
                if trust is None or not trust.is_current():
                    trust = self._load(verify, cert)
                    self._cache.pop(_key(verify, cert), None)
                    if len(self._cache) >= CONTEXTS_KEPT:
                        del self._cache[next(iter(self._cache))]  # the oldest
                    self._cache[_key(verify, cert)] = trust
        return trust

    def for_proxy(
        self, proxy: str, scheme: str, verify: Verify, cert: Cert
    ) -> tuple[dict[str, Any] | None, Trust | None]:
        """What a pool needs that reaches its target through a proxy.

        Args:
            proxy: its URL.
            scheme: of the target.
            verify: of the request.
            cert: of the request.

        Returns:
            The settings of the pool if they differ from those without a proxy, and the context for
            the proxy itself if it needs one: with the same CA bundle, but no client certificate.

        Raises:
            OSError, SSLError: as `get`.
        """
        if not proxy.lower().startswith("https:"):
            return None, None
        if scheme == "http":
            # A forward proxy: requests does not verify it, since its cert_verify looks at the
            # scheme of the target
            return self.get(False, None).pool_settings, None
        if NO_PROXY_NAME_CHECK:
            # With a context of ours, urllib3 1.26 does not check the proxy's name. So it gets the
            # files, as from requests, and reads them for each connection
            return self.get(verify, cert).files, None
        return None, self.get(verify, None)

    def _load(self, verify: Verify, cert: Cert) -> Trust:
        named = SimpleNamespace()
        self._cert_verify(named, "https://", verify, cert)
        files = {name: os.fspath(path) for name in FILES if (path := getattr(named, name, None))}
        required = named.cert_reqs == "CERT_REQUIRED"
        if required and not files.keys() & {"ca_certs", "ca_cert_dir"}:
            # requests 2.32.0 to 2.32.4 name no file for True: they have a context with it
            default = adapters.DEFAULT_CA_BUNDLE_PATH  # type: ignore[attr-defined]
            files["ca_certs"] = extract_zipped_paths(default)
        # Before reading: so a file that changes while it is read is read again
        stamps = tuple((path, _stamp(path)) for path in _files_read(files.values()))
        context = self._new_context(ssl.CERT_REQUIRED if required else ssl.CERT_NONE)
        context.check_hostname = context.check_hostname and required
        context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_NONE
        try:
            if required:
                context.load_verify_locations(files.get("ca_certs"), files.get("ca_cert_dir"))
            if "cert_file" in files:
                context.load_cert_chain(files["cert_file"], files.get("key_file"), _no_password)
        except OSError as error:  # ssl.SSLError is one
            raise requests.exceptions.SSLError(error) from error
        files["cert_reqs"] = named.cert_reqs
        return Trust(context=context, files=files, stamps=stamps)


def _key(verify: Verify, cert: Cert) -> tuple[Verify, Cert]:
    return verify, tuple(cert) if isinstance(cert, list) else cert


def _files_read(paths: Iterable[str]) -> Iterator[str]:
    """These paths, and in a directory each file that OpenSSL looks up there during a handshake.

    Each of them is checked before every request, so that a link to a removed file is noticed. This
    makes a directory more expensive than a CA bundle in one file.
    """
    for path in paths:
        yield path
        if os.path.isdir(path):  # noqa: PTH112 - the same call as in requests
            with os.scandir(path) as entries:
                yield from (entry.path for entry in entries if entry.name[8:9] == ".")


def _stamp(path: str) -> tuple[int, ...] | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - a third of Path.stat's cost, for every request
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino, found.st_dev


def _no_password() -> NoReturn:
    # Without this function OpenSSL reads the password from the terminal
    raise ssl.SSLError(
        ssl.SSL_ERROR_SSL, "the client's private key is encrypted: use one without a password"
    )
