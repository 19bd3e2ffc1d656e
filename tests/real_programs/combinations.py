"""How the tuned Session is used together with other packages: each as a program would write it.

docs/faq.md has a table of these, and test_combinations runs them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import requests

from keptalive import TunedAdapter, TunedSession, tuned_session

Get = Callable[[str], requests.Response]
"""Sends one GET to this URL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Combination:
    """One way to use a package with the tuned Session.

    Attributes:
        package: as it is installed.
        module: as it is imported.
        how: what to write, in Markdown.
        note: what else to know.
        make: makes the client.
    """

    package: str
    module: str
    how: str
    note: str = ""
    make: Callable[[], Get]


def cache_control() -> Get:
    from cachecontrol import CacheControlAdapter

    class Adapter(CacheControlAdapter, TunedAdapter):
        pass

    session = tuned_session()
    session.mount("https://", Adapter())
    return session.get


def requests_cache() -> Get:
    from requests_cache import CacheMixin

    class Client(CacheMixin, TunedSession):  # type: ignore[misc] # both define send
        pass

    return Client(backend="memory").get


def futures() -> Get:
    from requests_futures.sessions import FuturesSession

    session = FuturesSession(session=tuned_session(threads=8), max_workers=8)
    return lambda url: session.get(url).result()


def oauth2() -> Get:
    from requests_oauthlib import OAuth2Session

    class Client(OAuth2Session, TunedSession):
        pass

    return Client(token={"access_token": "a", "token_type": "Bearer"}).get


def oauth1() -> Get:
    from requests_oauthlib import OAuth1

    session = tuned_session()
    session.auth = OAuth1("key", "secret")
    return session.get


def rate_limiter() -> Get:
    from requests_ratelimiter import LimiterMixin

    class Client(LimiterMixin, TunedSession):
        pass

    return Client(per_second=1000).get


def toolbelt_upload() -> Get:
    from requests_toolbelt import MultipartEncoder

    session = tuned_session()

    def send(url: str) -> requests.Response:
        body = MultipartEncoder(fields={"file": ("a.txt", b"text", "text/plain")})
        return session.post(url, data=body, headers={"Content-Type": body.content_type})

    return send


def toolbelt_base_url() -> Get:
    from requests_toolbelt.sessions import BaseUrlSession

    class Client(BaseUrlSession, TunedSession):
        pass

    client = Client("https://api.example.com/v3/")
    return client.get  # a whole URL is taken as it is


def toolbelt_adapter() -> Get:
    from requests_toolbelt.adapters.source import SourceAddressAdapter

    class Adapter(SourceAddressAdapter, TunedAdapter):
        pass

    session = tuned_session()
    session.mount("https://", Adapter("127.0.0.1"))
    return session.get


def retrying() -> Get:
    import tenacity

    session = tuned_session(max_retries=0)
    again: Any = tenacity.retry(
        stop=tenacity.stop_after_attempt(3),
        retry=tenacity.retry_if_exception_type(requests.ConnectionError),
        reraise=True,
    )
    return again(session.get)


COMBINATIONS = (
    Combination(
        package="CacheControl",
        module="cachecontrol",
        how="`class Adapter(CacheControlAdapter, TunedAdapter)`, and mount it",
        note="`CacheControl(session)` mounts an adapter of its own, which is not tuned",
        make=cache_control,
    ),
    Combination(
        package="requests-cache",
        module="requests_cache",
        how="`class Client(CacheMixin, TunedSession)`",
        note="or `CachedSession()`, and `mount` a `TunedAdapter`",
        make=requests_cache,
    ),
    Combination(
        package="requests-futures",
        module="requests_futures",
        how="`FuturesSession(session=tuned_session(threads=8), max_workers=8)`",
        note="the same number in both: a thread more waits for a connection",
        make=futures,
    ),
    Combination(
        package="requests-oauthlib",
        module="requests_oauthlib",
        how="`class Client(OAuth2Session, TunedSession)`",
        make=oauth2,
    ),
    Combination(
        package="requests-oauthlib",
        module="requests_oauthlib",
        how="`session.auth = OAuth1(...)`",
        make=oauth1,
    ),
    Combination(
        package="requests-ratelimiter",
        module="requests_ratelimiter",
        how="`class Client(LimiterMixin, TunedSession)`",
        note="a `LimiterAdapter` that is mounted replaces the tuned one",
        make=rate_limiter,
    ),
    Combination(
        package="requests-toolbelt",
        module="requests_toolbelt",
        how="`session.post(url, data=MultipartEncoder(...))`",
        make=toolbelt_upload,
    ),
    Combination(
        package="requests-toolbelt",
        module="requests_toolbelt",
        how="`class Client(BaseUrlSession, TunedSession)`",
        make=toolbelt_base_url,
    ),
    Combination(
        package="requests-toolbelt",
        module="requests_toolbelt",
        how="`class Adapter(SourceAddressAdapter, TunedAdapter)`, and mount it",
        note="alike for its other adapters: alone, they are not tuned",
        make=toolbelt_adapter,
    ),
    Combination(
        package="tenacity",
        module="tenacity",
        how="`tuned_session(max_retries=0)`, and tenacity retries",
        note="with retries in both, their numbers multiply",
        make=retrying,
    ),
)
