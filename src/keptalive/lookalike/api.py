"""Makes a response for each request: the part of the GitHub REST API that experiments need.

This module knows no socket and no connection, and gets the time as an argument. Links in responses
point to the look-alike itself (`base_url`), so that a client that follows them stays on loopback.
The token has one rate limit. A request that is refused for its credentials or its form does not
count.
"""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from keptalive.lookalike import bodies, resources

TOKEN = "lookalike-token"  # noqa: S105 (not a real token)
AMPLE_LIMIT = 1_000_000
"""Requests an hour: more than any benchmark makes. GitHub's limit is 5,000."""

REVOCATION = (b"DELETE", b"/installation/token")
"""The request that revokes the token, as it revokes an installation's token at GitHub."""

_ANONYMOUS_LIMIT = 60
_WINDOW_S = 3600
_REASONS: Mapping[int, bytes] = {
    200: b"200 OK",
    204: b"204 No Content",
    304: b"304 Not Modified",
    400: b"400 Bad Request",
    401: b"401 Unauthorized",
    403: b"403 Forbidden",
    404: b"404 Not Found",
    431: b"431 Request Header Fields Too Large",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request; the names of its headers are in lower case."""

    method: bytes
    target: bytes
    headers: Mapping[bytes, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """One response: its status, its header lines (each ends in CRLF), and its body."""

    status: int
    head: bytes
    body: bytes

    @property
    def headers(self) -> dict[str, str]:
        """The headers, by their names in lower case."""
        pairs = (line.split(": ", 1) for line in self.head.decode().splitlines())
        return {name.lower(): value for name, value in pairs}

    def render(self, *, http_version: bytes, announces_close: bool) -> bytes:
        """The bytes of the response, headers and body together."""
        close = b"connection: close\r\n" if announces_close else b""
        reason = _REASONS[self.status]
        return b"".join((http_version, b" ", reason, b"\r\n", self.head, close, b"\r\n", self.body))


class Api:
    """The API: it keeps the rate limit and makes the responses."""

    def __init__(self, *, base_url: str, rate_limit: int = AMPLE_LIMIT) -> None:
        self._base_url = base_url
        self._limit = rate_limit
        self._used = 0
        self._resets_at_s = 0
        self._served = 0
        self._revoked = False

    def respond(self, request: Request, *, now_s: float) -> Response:
        """The response to a request that came at this time, in seconds since the epoch."""
        self._served += 1
        if now_s >= self._resets_at_s:
            self._used, self._resets_at_s = 0, int(now_s) + _WINDOW_S
        resource, authenticated = self._decide(request)
        unchanged = resource.etag and _matches(request.headers, resource.etag)
        free = unchanged or resource.status in (400, 401) or not authenticated
        if not free and not _is_rate_limit(request.target):
            if self._used >= self._limit:
                resource = resources.limit_exceeded()
            else:
                self._used += 1
        return self._response(request, resource, authenticated, now_s)

    def _decide(self, request: Request) -> tuple[resources.Resource, bool]:
        headers = request.headers
        if not headers.get(b"user-agent"):
            return resources.user_agent_missing(), False
        if headers.get(b"x-github-api-version", resources.API_VERSION) != resources.API_VERSION:
            return resources.version_unknown(), False
        authorization = headers.get(b"authorization")
        if authorization is not None and (self._revoked or not is_authorized(authorization)):
            return resources.problem(401, "Bad credentials"), False
        authenticated = authorization is not None
        if (request.method, request.target) == REVOCATION and authenticated:
            self._revoked = True
            return resources.nothing(), True
        if request.method not in (b"GET", b"HEAD"):
            return resources.problem(404, "Not Found"), authenticated
        if _is_rate_limit(request.target):
            return self._rate_limit(authenticated), authenticated
        resource = resources.find(self._base_url, request.target)
        if not authenticated and resource.status == 200:
            return resources.problem(401, "Requires authentication"), False
        return resource, authenticated

    def _response(
        self, request: Request, resource: resources.Resource, authenticated: bool, now_s: float
    ) -> Response:
        varying = self._varying_headers(authenticated, int(now_s))
        if resource.etag and _matches(request.headers, resource.etag):
            head = b"etag: " + resource.etag + b"\r\n" + resources.COMMON_HEADERS + varying
            return Response(status=304, head=head, body=b"")
        body = b"" if request.method == b"HEAD" else resource.body
        return Response(status=resource.status, head=resource.head + varying, body=body)

    def _varying_headers(self, authenticated: bool, now_s: int) -> bytes:
        limit, used = (self._limit, self._used) if authenticated else (_ANONYMOUS_LIMIT, 0)
        serial = self._served
        return (
            f"date: {_http_date(now_s)}\r\n"
            f"x-ratelimit-limit: {limit}\r\n"
            f"x-ratelimit-remaining: {limit - used}\r\n"
            f"x-ratelimit-used: {used}\r\n"
            f"x-ratelimit-reset: {self._resets_at_s}\r\n"
            "x-ratelimit-resource: core\r\n"
            f"x-github-request-id: {serial & 0xFFFF:04X}:2A6D:{serial:07X}:{now_s:08X}:C0FFEE00\r\n"
        ).encode()

    def _rate_limit(self, authenticated: bool) -> resources.Resource:
        limit, used = (self._limit, self._used) if authenticated else (_ANONYMOUS_LIMIT, 0)
        core = {
            "limit": limit,
            "used": used,
            "remaining": limit - used,
            "reset": self._resets_at_s,
        }
        return resources.make_resource(
            200, bodies.encode({"resources": {"core": core}, "rate": core}), etag=b""
        )


def is_authorized(authorization: bytes) -> bool:
    """Whether an Authorization header has our token, in any of the three forms of GitHub."""
    scheme, _, credentials = authorization.partition(b" ")
    credentials = credentials.strip()
    if scheme.lower() in (b"bearer", b"token"):
        return credentials == TOKEN.encode()
    if scheme.lower() != b"basic":
        return False
    try:
        _, _, password = base64.b64decode(credentials, validate=True).partition(b":")
    except binascii.Error:
        return False
    return password == TOKEN.encode()


def _is_rate_limit(target: bytes) -> bool:
    return target.partition(b"?")[0] == b"/rate_limit"


def _matches(headers: Mapping[bytes, bytes], etag: bytes) -> bool:
    # If-None-Match compares weakly: a tag with W/ equals the same tag without
    header = headers.get(b"if-none-match")
    if header is None:
        return False
    tags = (tag.strip().removeprefix(b"W/") for tag in header.split(b","))
    return any(tag in (b"*", etag.removeprefix(b"W/")) for tag in tags)


@lru_cache(maxsize=2)
def _http_date(now_s: int) -> str:
    return time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(now_s))
