"""Prepares requests as `requests.Session.prepare_request` does, with less work for each.

Most of what requests does there has the same result each time: it takes the URL apart, merges the
headers of the session and of the request, and checks each of them. Here this is done once for each
URL and for the same headers. Everything else is left to requests' own methods: query parameters,
bodies, cookies, logins and hooks.
"""

from __future__ import annotations

from functools import lru_cache
from http.cookiejar import CookieJar
from typing import Any, cast

import requests
from requests import PreparedRequest
from requests.cookies import RequestsCookieJar, cookiejar_from_dict, merge_cookies
from requests.sessions import merge_hooks, merge_setting
from requests.structures import CaseInsensitiveDict

from keptalive.tuned import header_dicts
from keptalive.tuned.header_dicts import Headers
from keptalive.tuned.originals import Originals

URLS_KEPT = 1000
HEADERS_KEPT = 32

_ORIGINALS = Originals(
    (requests.Session, "prepare_request"),
    (PreparedRequest, "prepare"),
    (PreparedRequest, "prepare_method"),
    (PreparedRequest, "prepare_url"),
    (PreparedRequest, "prepare_headers"),
    (PreparedRequest, "prepare_cookies"),
    (PreparedRequest, "prepare_body"),
    (PreparedRequest, "prepare_auth"),
    (PreparedRequest, "prepare_hooks"),
)


class Preparer:
    """What was prepared before for one session, so that it need not be done again."""

    def __init__(self) -> None:
        self._url = lru_cache(URLS_KEPT)(_prepared_url)
        self._headers: dict[Any, Headers] = {}

    def can_prepare(self) -> bool:
        """Whether `prepare` does what requests would do: nobody has replaced a method there."""
        return header_dicts.CAN_BE_COPIED and _ORIGINALS.are_unchanged()

    def prepare(
        self, session: requests.Session, request: requests.Request, auth: Any
    ) -> PreparedRequest:
        """This request as ``session.prepare_request`` of requests would prepare it.

        Args:
            session: it gives the headers, parameters, cookies, login and hooks of all its requests.
            request: the request.
            auth: the request's own login, or the one from ~/.netrc.

        Raises:
            ValueError: as requests does, for an invalid URL, header or body.
        """
        url = request.url
        prepared = PreparedRequest()
        prepared.prepare_method(request.method.upper())  # type: ignore[union-attr]
        if type(url) is str and _is_empty(request.params) and _is_empty(session.params):
            prepared.url = self._url(url)
        else:
            prepared.prepare_url(url, merge_setting(request.params, session.params))  # type: ignore[arg-type]
        prepared.headers = self._merged_headers(prepared, request.headers, session.headers)
        if _is_empty(request.cookies) and _is_empty_jar(session.cookies):
            prepared._cookies = RequestsCookieJar()  # noqa: SLF001 - as prepare_cookies does
        else:
            prepared.prepare_cookies(_merged_cookies(session.cookies, request.cookies))
        if request.json is None and _is_empty(request.data) and _is_empty(request.files):
            prepared.prepare_content_length(None)
        else:
            prepared.prepare_body(request.data, request.files, request.json)
        auth = merge_setting(auth, session.auth)
        if auth is not None or "@" in cast("str", prepared.url):
            prepared.prepare_auth(auth, cast("str", url))
        prepared.prepare_hooks(merge_hooks(request.hooks, session.hooks))
        return prepared

    def _merged_headers(self, prepared: PreparedRequest, given: Any, own: Any) -> Headers:
        key = header_dicts.items_of(given), header_dicts.items_of(own)
        try:
            known = self._headers.get(key)
        except TypeError:  # a value that is not hashable, and so no text: requests refuses it
            known, key = None, (None, None)
        if known is not None:
            return header_dicts.copy(known)
        prepared.prepare_headers(merge_setting(given, own, dict_class=CaseInsensitiveDict))
        if None not in key:
            if len(self._headers) >= HEADERS_KEPT:
                self._headers.clear()
            self._headers[key] = header_dicts.copy(prepared.headers)
        return prepared.headers


def _is_empty(value: Any) -> bool:
    return value is None or (not value and type(value) in (dict, list, tuple, str, bytes))


def _is_empty_jar(jar: Any) -> bool:
    return type(jar) is RequestsCookieJar and next(iter(jar), None) is None


def _merged_cookies(own: Any, given: Any) -> Any:
    given = given or {}
    if not isinstance(given, CookieJar):
        given = cookiejar_from_dict(given)
    return merge_cookies(merge_cookies(RequestsCookieJar(), own), given)


def _prepared_url(url: str) -> str:
    prepared = PreparedRequest()
    prepared.prepare_url(url, {})
    return cast("str", prepared.url)
