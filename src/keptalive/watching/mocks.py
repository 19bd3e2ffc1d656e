"""Answers that come from no socket: which library gave them, as far as that shows.

Libraries of this kind work in three places: instead of an adapter of requests (responses,
requests-mock, betamax, CacheControl), instead of a connection of urllib3 (vcrpy), or instead of a
socket (httpretty, mocket). Nothing of theirs is called; only names of modules are looked at.
"""

from __future__ import annotations

import sys
from typing import Any

from requests.adapters import HTTPAdapter

from keptalive.watching.foreign import own

MOCKED, CACHED = "mocked-answers", "cached-answers"
# By the name of the package that is imported
_MOCKS = {
    "vcr": "vcrpy",
    "responses": "responses",
    "requests_mock": "requests-mock",
    "betamax": "betamax",
    "pook": "pook",
    "httpretty": "httpretty",
    "mocket": "mocket",
    "httmock": "httmock",
}
_CACHES = {"cachecontrol": "cachecontrol"}


def mock_of(*things: Any) -> str | None:
    """The package whose class one of these is of, if it is one of those that imitate.

    A class of the program's may be derived from one: a CacheControlAdapter that is tuned too.
    """
    for thing in things:
        for kind in type(thing).__mro__:
            package = _package(kind)
            if package in _MOCKS or package in _CACHES:
                return package
    return None


def source_of(response: Any) -> str | None:
    """The package that has probably given this response, which urllib3 did not fetch."""
    adapter = own(response, "connection")
    package = mock_of(adapter, own(response, "raw"))
    if package is None:
        sender = _package(vars(HTTPAdapter).get("send"))
        package = sender if sender in _MOCKS else None
    if package is None:
        imported = [name for name in _MOCKS if name in sys.modules]
        package = imported[0] if len(imported) == 1 else None
    return package


def is_fetched(response: Any) -> bool:
    """Whether http.client has read this response after all: on a connection of another thread, say.

    eventlet's http.client has the same names.
    """
    raw = own(response, "raw", response)
    original = type(own(raw, "_original_response"))
    return original.__name__ == "HTTPResponse" and original.__module__.endswith("http.client")


def kind_and_library(package: str | None) -> tuple[str, str | None]:
    """The kind of a `Circumstance`, and the library as people install it."""
    if package in _CACHES:
        return CACHED, _CACHES[package]
    return MOCKED, _MOCKS.get(package or "")


def _package(thing: Any) -> str:
    module = own(thing, "__module__")
    return module.partition(".")[0] if type(module) is str else ""
