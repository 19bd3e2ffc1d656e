"""The resources of the API, and its error messages.

A request target goes in; the part of the response that never changes comes out. This is nearly all
of the response, so it is made once and kept, and a request is cheap.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import parse_qs, urlsplit

from keptalive.lookalike import bodies

API_VERSION = b"2022-11-28"
_DOCUMENTATION = "https://docs.github.com/rest"
_JSON = "application/json; charset=utf-8"
_PER_PAGE_DEFAULT = 30
_PER_PAGE_MAX = 100

COMMON_HEADERS = (
    b"access-control-expose-headers: ETag, Link, Location, Retry-After, X-GitHub-OTP, "
    b"X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Used, X-RateLimit-Resource, "
    b"X-RateLimit-Reset, X-OAuth-Scopes, X-Accepted-OAuth-Scopes, X-Poll-Interval, "
    b"X-GitHub-Media-Type, X-GitHub-SSO, X-GitHub-Request-Id, Deprecation, Sunset\r\n"
    b"access-control-allow-origin: *\r\n"
    b"strict-transport-security: max-age=31536000; includeSubdomains; preload\r\n"
    b"x-frame-options: deny\r\n"
    b"x-content-type-options: nosniff\r\n"
    b"x-xss-protection: 0\r\n"
    b"referrer-policy: origin-when-cross-origin, strict-origin-when-cross-origin\r\n"
    b"content-security-policy: default-src 'none'\r\n"
    b"server: github.com\r\n"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A resource of the API, with the header lines that never change."""

    status: int
    head: bytes
    etag: bytes
    body: bytes


@lru_cache(maxsize=64)
def find(base_url: str, target: bytes) -> Resource:
    """The resource for this target, which may be a 404; cached."""
    parts = urlsplit(target.decode("latin-1"))
    if parts.path == "/user":
        return _found(bodies.user(base_url))
    if parts.path == "/user/repos":
        return _page_of_repositories(base_url, parse_qs(parts.query))
    for number in range(1, bodies.REPOSITORY_COUNT + 1):
        if parts.path == f"/repos/{bodies.LOGIN}/{bodies.repository_name(number)}":
            return _found(bodies.repository(base_url, number))
    return problem(404, "Not Found")


def link_header(base_url: str, *, page: int, per_page: int, pages: int) -> str | None:
    """The `link` header of a page; None if there is only one page."""
    if pages == 1 and page == 1:
        return None
    neighbours = {"prev": min(page - 1, pages), "next": page + 1, "last": pages, "first": 1}
    if page == 1:
        del neighbours["prev"], neighbours["first"]
    if page >= pages:
        del neighbours["next"], neighbours["last"]
    url = f"{base_url}/user/repos?per_page={per_page}&page="
    return ", ".join(f'<{url}{number}>; rel="{rel}"' for rel, number in neighbours.items())


def _page_of_repositories(base_url: str, query: Mapping[str, list[str]]) -> Resource:
    per_page = min(_positive(query, "per_page", _PER_PAGE_DEFAULT), _PER_PAGE_MAX)
    page = _positive(query, "page", 1)
    pages = -(-bodies.REPOSITORY_COUNT // per_page)
    first = (page - 1) * per_page + 1
    last = min(page * per_page, bodies.REPOSITORY_COUNT)
    link = link_header(base_url, page=page, per_page=per_page, pages=pages)
    return _found(bodies.repositories(base_url, range(first, last + 1)), link)


def _positive(query: Mapping[str, list[str]], name: str, default: int) -> int:
    # An invalid value counts as absent, as at GitHub
    text = query.get(name, [""])[0]
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        return default
    return int(text) or default


def _found(body: bytes, link: str | None = None) -> Resource:
    etag = f'W/"{hashlib.sha256(body).hexdigest()}"'.encode()
    return make_resource(200, body, etag=etag, link=link)


def make_resource(
    status: int, body: bytes, *, etag: bytes, link: str | None = None, content_type: str = _JSON
) -> Resource:
    """A resource with this body and the header lines that never change."""
    lines = [
        f"content-type: {content_type}",
        f"content-length: {len(body)}",
        "cache-control: private, max-age=60, s-maxage=60",
        "vary: Accept, Authorization, Cookie, X-GitHub-OTP,Accept-Encoding, Accept",
        "x-oauth-scopes: repo, user",
        "x-accepted-oauth-scopes: ",
        "x-github-media-type: github.v3; format=json",
        f"x-github-api-version-selected: {API_VERSION.decode()}",
    ]
    lines += [f"etag: {etag.decode()}"] if etag else []
    lines += [f"link: {link}"] if link else []
    head = "".join(line + "\r\n" for line in lines).encode() + COMMON_HEADERS
    return Resource(status=status, head=head, etag=etag, body=body)


def nothing() -> Resource:
    """204 No Content; without Content-Length, as RFC 9110 section 8.6 demands."""
    return Resource(status=204, head=COMMON_HEADERS, etag=b"", body=b"")


def problem(status: int, message: str, documentation_url: str = _DOCUMENTATION) -> Resource:
    """An error in the form of GitHub."""
    body = {"message": message, "documentation_url": documentation_url, "status": str(status)}
    return make_resource(status, bodies.encode(body), etag=b"")


def version_unknown() -> Resource:
    """The error for an unknown X-GitHub-Api-Version."""
    return problem(
        400,
        "The version in the X-GitHub-Api-Version header is not supported.",
        f"{_DOCUMENTATION}/about-the-rest-api/api-versions",
    )


def limit_exceeded() -> Resource:
    """The error for a token that has reached its rate limit."""
    return problem(
        403,
        f"API rate limit exceeded for user ID {bodies.USER_ID}.",
        f"{_DOCUMENTATION}/using-the-rest-api/rate-limits-for-the-rest-api",
    )


def user_agent_missing() -> Resource:
    """The error for a request without User-Agent, which GitHub sends as plain text."""
    text = (
        "Request forbidden by administrative rules. "
        "Please make sure your request has a User-Agent header.\r\n"
    )
    return make_resource(403, text.encode(), etag=b"", content_type="text/html; charset=utf-8")
