"""Builds responses as `requests.adapters.HTTPAdapter.build_response` does, with less work."""

from __future__ import annotations

from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.cookies import extract_cookies_to_jar
from requests.utils import get_encoding_from_headers
from urllib3._collections import HTTPHeaderDict

from keptalive.tuned import header_dicts
from keptalive.tuned.originals import Originals

_ORIGINALS = Originals((HTTPAdapter, "build_response"))


def can_build(raw: Any) -> bool:
    """Whether `build` does what requests would do with this response of urllib3's."""
    return (
        header_dicts.CAN_BE_COPIED
        and type(getattr(raw, "headers", None)) is HTTPHeaderDict
        and _ORIGINALS.are_unchanged()
    )


def build(adapter: HTTPAdapter, request: requests.PreparedRequest, raw: Any) -> requests.Response:
    """requests' response for this one of urllib3's, as ``adapter.build_response`` makes it."""
    response = requests.Response()
    response.status_code = raw.status
    response.headers = header_dicts.filled(raw.headers.itermerged())
    response.encoding = get_encoding_from_headers(response.headers)
    response.raw = raw
    response.reason = raw.reason
    url = request.url
    response.url = url.decode("utf-8") if isinstance(url, bytes) else url  # type: ignore[assignment]
    if "Set-Cookie" in raw.headers or "Set-Cookie2" in raw.headers:
        extract_cookies_to_jar(response.cookies, request, raw)
    response.request = request
    response.connection = adapter  # type: ignore[attr-defined]
    return response
