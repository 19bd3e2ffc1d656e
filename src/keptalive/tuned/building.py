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


class BuildingAdapter(HTTPAdapter):
    """An `HTTPAdapter` whose responses cost less to build."""

    def build_response(self, req: requests.PreparedRequest, resp: Any) -> requests.Response:
        """The response of requests for this one of urllib3's."""
        if not _can_build(resp):
            return super().build_response(req, resp)
        response = requests.Response()
        response.status_code = resp.status
        response.headers = header_dicts.filled(resp.headers.itermerged())
        response.encoding = get_encoding_from_headers(response.headers)
        response.raw = resp
        response.reason = resp.reason
        response.url = req.url.decode("utf-8") if isinstance(req.url, bytes) else req.url  # type: ignore[assignment]
        if "Set-Cookie" in resp.headers or "Set-Cookie2" in resp.headers:
            extract_cookies_to_jar(response.cookies, req, resp)
        response.request = req
        response.connection = self
        return response


def _can_build(raw: Any) -> bool:
    """Whether this is a response of urllib3's, and nobody has replaced requests' own method."""
    return (
        header_dicts.CAN_BE_COPIED
        and type(getattr(raw, "headers", None)) is HTTPHeaderDict
        and _ORIGINALS.are_unchanged()
    )
