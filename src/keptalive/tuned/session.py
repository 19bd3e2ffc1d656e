"""The Session: requests' own, which asks its environment once instead of at every request.

For each request, requests goes through all environment variables for proxies and looks for a
~/.netrc: a fifth to a third of a warm request's time. Here each origin's answer is kept, until
the Session is closed.
"""

from __future__ import annotations

# What requests imports at a first request: the child of a fork may inherit the locks of imports
import encodings.ascii  # noqa: F401
import netrc  # noqa: F401
import os
import threading
import weakref
from functools import lru_cache
from typing import Any, cast

import requests
from requests import sessions
from requests.adapters import DEFAULT_POOLSIZE
from requests.sessions import merge_setting
from urllib3.util import Retry

from keptalive.tuned import flow
from keptalive.tuned.adapter import MAX_IDLE_S, TIMEOUT_S, TunedAdapter
from keptalive.tuned.timeouts import Timeout, is_timeout

ORIGINS_KEPT = 1000


class _Environment:
    """What requests would find there, found by its own functions and kept for each origin."""

    # The names that Session itself uses, since that is where tests and programs replace them
    def __init__(self) -> None:
        self.proxies = lru_cache(ORIGINS_KEPT)(sessions.get_environ_proxies)  # type: ignore[attr-defined]
        self.login = lru_cache(ORIGINS_KEPT)(sessions.get_netrc_auth)  # type: ignore[attr-defined]
        self.ca_bundle = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")


class TunedSession(requests.Session):
    """A `requests.Session` whose http and https requests go through one `TunedAdapter`.

    What it took from the environment it keeps until `close`; make a new one after a change there.
    Without ``auth`` it prepares requests as `requests.Session` does: a mixin's ``prepare_request``
    must come before this class.
    """

    def __init__(self, adapter: TunedAdapter | None = None) -> None:
        super().__init__()
        adapter = adapter or TunedAdapter()
        self.mount("https://", adapter)
        self.mount("http://", adapter)
        self._environment: _Environment | None = None
        self._pid = os.getpid()

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._environment = None
        self._pid = os.getpid()

    def close(self) -> None:
        """Close all connections, and forget what the environment said. It may be used again."""
        super().close()
        self._environment = None

    def describe(self) -> str:
        """The effective policy of each adapter, in words."""
        mounted: dict[Any, list[str]] = {}
        for prefix, adapter in self.adapters.items():
            mounted.setdefault(adapter, []).append(prefix)
        return "\n".join(
            f"{' and '.join(prefixes)}\n{_described(adapter)}"
            for adapter, prefixes in mounted.items()
        )

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """As requests does, but what a hook raises costs no connection.

        What a hook sends waits for none of ``threads`` while its own response is unread.
        """
        self._in_this_process()
        sending = flow.Sending()
        calls = flow.SENDING.set((*flow.SENDING.get(), weakref.ref(sending)))
        try:
            return super().send(request, **kwargs)
        except BaseException as error:
            # A hook's, say, before the body was read: its connection would be lost
            response = sending.answer() if sending.answer else None
            if response is not None and not kwargs.get("stream", self.stream):
                if isinstance(error, Exception) and request.hooks.get("response"):
                    _read_if_possible(response)
                response.close()
            raise
        finally:
            flow.SENDING.reset(calls)

    def _in_this_process(self) -> None:
        """In the child of a fork: another thread of the parent may have held the cookies' lock."""
        if self._pid != os.getpid():
            if hasattr(self.cookies, "_cookies_lock"):  # as requests knows it, to pickle them
                self.cookies._cookies_lock = threading.RLock()  # noqa: SLF001
            self._pid = os.getpid()

    def prepare_request(self, request: requests.Request) -> requests.PreparedRequest:
        # What is empty but not None, like (), keeps a login in the URL from being used
        unset = request.auth is None and self.auth is None
        if not (self.trust_env and unset and isinstance(request.url, str)):
            return super().prepare_request(request)  # which asks no ~/.netrc, or nothing we know
        login = self._known_environment().login(_origin(request.url))
        as_if = cast("requests.Session", _WithLogin(self, login))
        return requests.Session.prepare_request(as_if, request)

    def merge_environment_settings(
        self,
        url: str,
        proxies: dict[str, str] | None,
        stream: bool | None,
        verify: bool | str | None,
        cert: Any,
    ) -> dict[str, Any]:
        given = dict(proxies or {})
        if self.trust_env:
            environment = self._known_environment()
            given = {**environment.proxies(_origin(url), given.get("no_proxy")), **given}
            if verify is True or verify is None:
                verify = environment.ca_bundle or verify
        return {
            "proxies": merge_setting(given, self.proxies) if given or self.proxies else {},
            "stream": self.stream if stream is None else stream,
            "verify": self.verify if verify is None else verify,
            "cert": self.cert if cert is None else cert,
        }

    def _known_environment(self) -> _Environment:
        environment = self._environment  # another thread may close the session meanwhile
        if environment is None:
            environment = self._environment = _Environment()
        return environment


def tuned_session(
    *,
    threads: int | None = None,
    hosts: int = DEFAULT_POOLSIZE,
    max_idle: float | None = MAX_IDLE_S,
    timeout: Timeout = TIMEOUT_S,
    max_retries: Retry | int | None = None,
) -> TunedSession:
    """A `requests.Session` whose connections cost a handshake, are replaced in time, and retry.

    Args:
        threads: how many will use it at once. Each then has a connection to each host, and one
            beyond them waits for a connection. None: as requests does, any number is opened and
            ten are kept.
        hosts: how many will be asked in turn; their connections are kept. At least ten.
        max_idle: seconds after which an unused connection is replaced rather than raced against
            the server's own timeout: a little more than a round trip below it. None for never.
        timeout: seconds to connect and between bytes, as one number or a pair, for requests that
            name none. None for ever, as in requests.
        max_retries: instead of `SafeRetry()`; a number is taken as requests takes it.

    Raises:
        ValueError: a number that cannot be, or a timeout that is none.
    """
    for name, value in (("threads", threads), ("hosts", hosts)):
        if value is not None and value < 1:
            raise ValueError(f"{name} must be at least 1, not {value}")
    if max_idle is not None and max_idle <= 0:
        raise ValueError(f"max_idle must be more than 0 seconds, or None for never, not {max_idle}")
    if not is_timeout(timeout):
        raise ValueError(f"timeout must be seconds, a pair of them, or None, not {timeout!r}")
    return TunedSession(
        TunedAdapter(
            pool_connections=max(hosts, DEFAULT_POOLSIZE),
            pool_maxsize=threads or DEFAULT_POOLSIZE,
            pool_block=threads is not None,
            max_retries=max_retries,
            max_idle=max_idle,
            timeout=timeout,
        )
    )


def _origin(url: str) -> str:
    # On it alone depends what the environment says of a URL
    return "/".join(url.split("/", 3)[:3])


def _read_if_possible(response: requests.Response) -> None:
    try:
        _ = response.content
    except requests.RequestException:
        return
    except RuntimeError as error:
        if type(error) is not RuntimeError:  # not requests' own, that a part was read already
            raise


def _described(adapter: Any) -> str:
    return adapter.describe() if isinstance(adapter, TunedAdapter) else type(adapter).__name__


class _WithLogin:
    """The session, as `Session.prepare_request` sees it once ~/.netrc has been asked."""

    trust_env = False

    def __init__(self, session: requests.Session, login: tuple[str, str] | None) -> None:
        self._session = session
        self.auth = login

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)
