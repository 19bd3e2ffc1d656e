"""`TunedSession`: a `requests.Session` that reads the environment once, not for every request.

For each request, requests reads all environment variables for proxies and looks for a ~/.netrc.
This takes 20 to 33 % of the time of a request on a kept connection. Here the results are kept for
each origin, until the Session is closed.
"""

from __future__ import annotations

# requests imports these at the first request. They are imported here, because an import lock that
# is held during a fork stays held in the child
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
from keptalive.tuned.adapter import TIMEOUT_S, TunedAdapter
from keptalive.tuned.learning import Learned
from keptalive.tuned.pools import LEARN, MaxIdle
from keptalive.tuned.preparing import Preparer
from keptalive.tuned.timeouts import Timeout, is_positive, is_timeout

ORIGINS_KEPT = 1000


class _Environment:
    """What requests reads from the environment, by its own functions, kept for each origin."""

    # By the names that Session itself uses, because tests and programs replace those
    def __init__(self) -> None:
        self.proxies = lru_cache(ORIGINS_KEPT)(sessions.get_environ_proxies)  # type: ignore[attr-defined]
        self.login = lru_cache(ORIGINS_KEPT)(sessions.get_netrc_auth)  # type: ignore[attr-defined]
        self.ca_bundle = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")


class TunedSession(requests.Session):
    """A `requests.Session` whose http and https requests go through one `TunedAdapter`.

    It keeps what it has read from the environment until `close`: after a change of the environment
    make a new one. Without ``auth`` it calls ``prepare_request`` of `requests.Session` itself: a
    mixin with that method must come before this class.
    """

    def __init__(self, adapter: TunedAdapter | None = None) -> None:
        super().__init__()
        adapter = adapter or TunedAdapter()
        self.mount("https://", adapter)
        self.mount("http://", adapter)
        self._begin()

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._begin()

    def _begin(self) -> None:
        self._environment: _Environment | None = None
        self._preparer = Preparer()
        self._pid = os.getpid()

    def close(self) -> None:
        """Close all connections, and forget what was read from the environment.

        The Session can be used again.
        """
        super().close()
        self._environment = None
        self._preparer = Preparer()

    def describe(self) -> str:
        """The settings in effect of each adapter, as text."""
        mounted: dict[Any, list[str]] = {}
        for prefix, adapter in self.adapters.items():
            mounted.setdefault(adapter, []).append(prefix)
        return "\n".join(
            f"{' and '.join(prefixes)}\n{_description_of(adapter)}"
            for adapter, prefixes in mounted.items()
        )

    def learned(self) -> dict[str, Learned]:
        """What ``max_idle="learn"`` has learned since the last `close`, by host or proxy."""
        adapters = dict.fromkeys(self.adapters.values())
        return {
            host: learned
            for adapter in adapters
            if isinstance(adapter, TunedAdapter)
            for host, learned in adapter.learned().items()
        }

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """As requests does, but no connection is lost if a hook raises an exception.

        A request that a hook sends does not wait for a slot of ``threads``: the hook's own response
        has one.
        """
        self._check_fork()
        call = flow.SendCall()
        calls = flow.SEND_CALLS.set((*flow.SEND_CALLS.get(), weakref.ref(call)))
        try:
            return super().send(request, **kwargs)
        except BaseException as error:
            # Perhaps from a hook, before the body was read: without this its connection is lost
            response = call.response() if call.response else None
            if response is not None and not kwargs.get("stream", self.stream):
                if isinstance(error, Exception) and request.hooks.get("response"):
                    _read_if_possible(response)
                response.close()
            raise
        finally:
            flow.SEND_CALLS.reset(calls)

    def _check_fork(self) -> None:
        """In the child of a fork: replace the cookies' lock, which another thread may have held."""
        if self._pid != os.getpid():
            if hasattr(self.cookies, "_cookies_lock"):  # requests uses this name to pickle them
                self.cookies._cookies_lock = threading.RLock()  # noqa: SLF001
            self._pid = os.getpid()

    def prepare_request(self, request: requests.Request) -> requests.PreparedRequest:
        auth, unset = request.auth, request.auth is None and self.auth is None
        if self.trust_env and unset and isinstance(request.url, str):
            auth = self._cached_environment().login(_origin(request.url))
        elif self.trust_env and not auth and not self.auth:
            # An empty value that is not None, like (), prevents the use of a login in the URL
            return super().prepare_request(request)
        if self._preparer.can_prepare():
            return self._preparer.prepare(self, request, auth)
        if not unset:
            return super().prepare_request(request)
        with_login = cast("requests.Session", _WithLogin(self, auth))
        return requests.Session.prepare_request(with_login, request)

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
            environment = self._cached_environment()
            given = {**environment.proxies(_origin(url), given.get("no_proxy")), **given}
            if verify is True or verify is None:
                verify = environment.ca_bundle or verify
        return {
            "proxies": merge_setting(given, self.proxies) if given or self.proxies else {},
            "stream": self.stream if stream is None else stream,
            "verify": self.verify if verify is None else verify,
            "cert": self.cert if cert is None else cert,
        }

    def _cached_environment(self) -> _Environment:
        environment = self._environment  # read once: another thread may close the session
        if environment is None:
            environment = self._environment = _Environment()
        return environment


def tuned_session(
    *,
    threads: int | None = None,
    hosts: int = DEFAULT_POOLSIZE,
    max_idle: MaxIdle = LEARN,
    max_age: float | None = None,
    timeout: Timeout = TIMEOUT_S,
    max_retries: Retry | int | None = None,
) -> TunedSession:
    """A `requests.Session` that loads CA bundles once, replaces idle connections, retries safely.

    Args:
        threads: how many threads will use it at once. Each of them gets a connection to each host;
            one more thread waits for a free connection. None: as in requests, any number of
            connections is opened, and ten are kept.
        hosts: to how many hosts it sends requests; the connections to each are kept. At least ten.
        max_idle: "learn": how long a connection may be idle is learned from each server, so that no
            request is sent while the server closes the connection, unless it may be sent twice.
            A number: a connection that was idle for more seconds is replaced before use. Choose a
            value below the server's idle timeout, by a little more than a round trip. None: never.
        max_age: a connection older than this, in seconds, is replaced before use. None: never.
        timeout: seconds to connect and between bytes, as one number or a pair, for requests
            without a timeout. None: no limit, as in requests.
        max_retries: instead of `SafeRetry()`; a number means the same as in requests.

    Raises:
        ValueError: a number is out of range, or the timeout is invalid.
    """
    for name, value in (("threads", threads), ("hosts", hosts)):
        if value is not None and value < 1:
            raise ValueError(f"{name} must be at least 1, not {value}")
    if max_idle is not None and max_idle != LEARN and not is_positive(max_idle):
        raise ValueError(
            f'max_idle must be "learn", more than 0 seconds, or None for never, not {max_idle!r}'
        )
    if max_age is not None and not is_positive(max_age):
        raise ValueError(f"max_age must be more than 0 seconds, or None for never, not {max_age!r}")
    if not is_timeout(timeout):
        raise ValueError(f"timeout must be seconds, a pair of them, or None, not {timeout!r}")
    return TunedSession(
        TunedAdapter(
            pool_connections=max(hosts, DEFAULT_POOLSIZE),
            pool_maxsize=threads or DEFAULT_POOLSIZE,
            pool_block=threads is not None,
            max_retries=max_retries,
            max_idle=max_idle,
            max_age=max_age,
            timeout=timeout,
        )
    )


def _origin(url: str) -> str:
    # What the environment says about a URL depends on its origin alone
    return "/".join(url.split("/", 3)[:3])


def _read_if_possible(response: requests.Response) -> None:
    try:
        _ = response.content
    except requests.RequestException:
        return
    except RuntimeError as error:
        if type(error) is not RuntimeError:  # requests' own says that a part of the body was read
            raise


def _description_of(adapter: Any) -> str:
    return adapter.describe() if isinstance(adapter, TunedAdapter) else type(adapter).__name__


class _WithLogin:
    """The session as `Session.prepare_request` needs it, with the login from ~/.netrc as auth."""

    trust_env = False

    def __init__(self, session: requests.Session, login: Any) -> None:
        self._session = session
        self.auth = login

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)
