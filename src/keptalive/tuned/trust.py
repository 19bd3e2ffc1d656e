"""Whom a connection trusts: one TLS context for each set of TLS settings, its files read once.

What ``verify`` and ``cert`` stand for is left to requests: `HTTPAdapter.cert_verify` names the
files, with its own errors where they are missing. A context that was made is kept until one of its
files changes, so that a renewed CA bundle or client certificate is taken up, as it is by requests,
which reads them anew for each connection.
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
from requests import adapters
from requests.utils import extract_zipped_paths

Verify = Any  # bool, str, a path, or None: requests takes anything that is true or names a file
Cert = str | tuple[str, str] | None

CONTEXTS_KEPT = 20  # each takes about a megabyte
FILES = ("ca_certs", "ca_cert_dir", "cert_file", "key_file")

# The first context of a process sets OpenSSL up, in a millisecond. A child that is forked meanwhile
# would wait for the end of it for ever: so it is done before there can be a thread that connects
ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trust:
    """What one set of TLS settings came to.

    Attributes:
        context: shared by all connections with these settings; no connection adds to it.
        files: the same as keyword arguments of a urllib3 pool: ``cert_reqs`` and paths.
        stamps: what tells whether a file has changed.
    """

    context: ssl.SSLContext
    files: dict[str, str]
    stamps: tuple[tuple[str, tuple[int, ...] | None], ...]

    @property
    def pool_settings(self) -> dict[str, Any]:
        """Of a urllib3 pool that uses the context."""
        # urllib3 sets the context's verify_mode to cert_reqs at each connection
        return {"ssl_context": self.context, "cert_reqs": self.files["cert_reqs"]}

    def holds(self) -> bool:
        """Whether the files are still those that were read."""
        return all(_stamp(path) == stamp for path, stamp in self.stamps)


class TrustStore:
    """The contexts of one adapter. Safe to share between threads.

    Args:
        new_context: makes an empty context, given `ssl.CERT_REQUIRED` or `ssl.CERT_NONE`.
        cert_verify: requests' own, which names the files.
    """

    def __init__(
        self,
        new_context: Callable[[ssl.VerifyMode], ssl.SSLContext],
        cert_verify: Callable[[Any, str, Verify, Cert], None],
    ) -> None:
        self._new_context = new_context
        self._cert_verify = cert_verify
        self._known: dict[tuple[Verify, Cert], Trust] = {}
        # A greenlet may send a request while another one of the same thread loads, and a signal
        # handler too: then both load
        self._lock = threading.RLock()

    def known(self, verify: Verify, cert: Cert) -> Trust | None:
        """The trust last handed out for these settings."""
        return self._known.get(_key(verify, cert))

    def of(self, verify: Verify, cert: Cert) -> Trust:
        """The trust for these settings, made on first use and when its files have changed.

        Raises:
            OSError: a file that they name is missing, as requests says it.
            requests.exceptions.SSLError: a file holds no usable certificate or key.
        """
        try:
            trust = self.known(verify, cert)
        except (
            TypeError
        ):  # what cannot be kept by is none of requests' settings either, most likely
            self._cert_verify(SimpleNamespace(), "https://", verify, cert)
            raise
        if trust is None or not trust.holds():
            with self._lock:
                trust = self.known(verify, cert)
                if trust is None or not trust.holds():
                    trust = self._load(verify, cert)
                    self._known.pop(_key(verify, cert), None)
                    if len(self._known) >= CONTEXTS_KEPT:
                        del self._known[next(iter(self._known))]  # the oldest
                    self._known[_key(verify, cert)] = trust
        return trust

    def _load(self, verify: Verify, cert: Cert) -> Trust:
        named = SimpleNamespace()
        self._cert_verify(named, "https://", verify, cert)
        files = {name: os.fspath(path) for name in FILES if (path := getattr(named, name, None))}
        required = named.cert_reqs == "CERT_REQUIRED"
        if required and not files.keys() & {"ca_certs", "ca_cert_dir"}:
            # requests 2.32.0 to 2.32.4 name none for True: a context of theirs has it already
            default = adapters.DEFAULT_CA_BUNDLE_PATH  # type: ignore[attr-defined]
            files["ca_certs"] = extract_zipped_paths(default)
        # Taken before reading: a file that changes meanwhile is read again
        stamps = tuple((path, _stamp(path)) for path in _read(files.values()))
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


def _read(paths: Iterable[str]) -> Iterator[str]:
    """These, and in directories what OpenSSL looks up there at a handshake, and keeps.

    So that a link whose target has gone is noticed, each is looked at before every request: a
    CA bundle in one file is cheaper.
    """
    for path in paths:
        yield path
        if os.path.isdir(path):  # noqa: PTH112 - as requests decides it
            with os.scandir(path) as entries:
                yield from (entry.path for entry in entries if entry.name[8:9] == ".")


def _stamp(path: str) -> tuple[int, ...] | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - a third of Path.stat's cost, for every request
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino, found.st_dev


def _no_password() -> NoReturn:
    # Without this OpenSSL would ask for it at the terminal
    raise ssl.SSLError(
        ssl.SSL_ERROR_SSL, "the client's private key is encrypted: name one without a password"
    )
