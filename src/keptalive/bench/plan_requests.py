"""The requests of a plan: a path alone is a GET; a table has a method, headers and a body too."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from keptalive.bench.checking import Check, checked, one_of
from keptalive.bench.plan_headers import Headers, checked_headers, is_secret, resolved
from keptalive.bench.strategy import Request
from keptalive.errors import UsageError
from keptalive.redaction import IN_USE, redact

METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})  # RFC 9110, section 9.2.1
_DIGITS = 12  # of a body's digest: enough to tell two bodies apart
_QUOTED = 80  # characters of a value that is refused


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRequest:
    """One request of a plan.

    Attributes:
        path: begins with a slash, and has the query.
        headers: beside those of the whole plan, and instead of those of the same name.
        body: as it is sent; it may be secret, and shows in no ``repr``.
    """

    path: str
    method: str = "GET"
    headers: Headers = ()
    body: bytes | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def is_safe(self) -> bool:
        """Whether it should change nothing on the server."""
        return self.method in SAFE

    @property
    def for_a_file(self) -> str | dict[str, Any]:
        """As a plan writes it, but of a body its size and digest: what it holds may be secret."""
        if self == PlannedRequest(path=self.path):
            return self.path
        kept: dict[str, Any] = {"method": self.method, "path": self.path}
        if self.headers:
            kept["headers"] = {header.name: header.for_a_file for header in self.headers}
        if self.body is not None:
            digest = hashlib.sha256(self.body).hexdigest()[:_DIGITS]
            kept["body"] = f"{len(self.body)} bytes, SHA-256 {digest}"
        return kept


def request_of(planned: PlannedRequest, base_url: str, environment: Mapping[str, str]) -> Request:
    """The request as a strategy is given it, with its headers' values.

    Raises:
        UsageError: a variable that a header names is not set.
    """
    return Request(
        url=base_url + planned.path,
        path=planned.path,
        method=planned.method,
        headers=tuple(resolved(planned.headers, environment)),
        body=planned.body,
    )


def checked_requests(value: Any) -> tuple[str | PlannedRequest, ...]:
    """The requests of this list; a path alone stands for a GET.

    Raises:
        UsageError: a request that no client could send.
        ValueError: it is not a list, or empty.
    """
    if not isinstance(value, list) or not value:
        raise ValueError("a list with at least one entry")
    return tuple(_request(entry, f"request {n}") for n, entry in enumerate(value, start=1))


def _request(entry: Any, name: str) -> str | PlannedRequest:
    if isinstance(entry, dict):
        return _from_table(entry, name)
    try:
        return _path(entry)
    except ValueError as error:
        said = redact(repr(entry))[:_QUOTED] if isinstance(entry, str) else type(entry).__name__
        table = '{ method = "POST", path = "/search" }'
        raise UsageError(f"{name}: {said} must be {error}, or a table such as {table}.") from None


def _from_table(table: dict[str, Any], name: str) -> PlannedRequest:
    given = checked(_CHECKS, table, name)
    if "path" not in given:
        raise UsageError(f'{name} has no path. Next: path = "/search".')
    if "json" in table and "body" in table:
        raise UsageError(f"{name} has json and body. Next: leave one out.")
    body = _body(table, name)
    headers = _headers(table.get("headers", {}), name)
    if "json" in table and "content-type" not in {header.name.lower() for header in headers}:
        headers += checked_headers({"Content-Type": "application/json"})
    method = given.get("method", "GET" if body is None else "POST")
    return PlannedRequest(path=given["path"], method=method, headers=headers, body=body)


def _headers(value: Any, name: str) -> Headers:
    try:
        return checked_headers(value)
    except UsageError as error:
        raise UsageError(f"{name}: {error}") from None


def _body(table: dict[str, Any], name: str) -> bytes | None:
    """The bytes to send, those of ``json`` as requests makes them."""
    if "json" in table:
        _hide_secrets_of(table["json"])
        try:
            return json.dumps(table["json"], allow_nan=False).encode()
        except (TypeError, ValueError, RecursionError):
            raise UsageError(
                f"{name}: json must be what JSON can hold. Next: a date is a text in quotes."
            ) from None
    if "body" not in table:
        return None
    if not isinstance(table["body"], str):
        raise UsageError(f"{name}: body must be a text. Next: json = ... for anything else.")
    _hide_secrets_of(dict(parse_qsl(table["body"])))
    return table["body"].encode()


def _hide_secrets_of(value: Any) -> None:
    """Hide what fields named like a secret hold: a server may quote it."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            for name, inner in one.items():
                if isinstance(inner, str) and is_secret(name):
                    IN_USE.add(inner)
            one = list(one.values())
        waiting += one if isinstance(one, list) else []


def _path(value: Any) -> str:
    if not isinstance(value, str) or not value.startswith("/") or set(value) & set(" \r\n#"):
        raise ValueError('a path such as "/user?per_page=1"')
    return value


def _method(value: Any) -> str:
    upper = value.upper() if isinstance(value, str) else value
    return str(one_of(*METHODS)(upper))


def _looked_at_later(value: Any) -> Any:
    return value  # it may be secret: what refuses a value here would quote it


_CHECKS: dict[str, Check] = {
    "path": _path,
    "method": _method,
    "headers": _looked_at_later,
    "json": _looked_at_later,
    "body": _looked_at_later,
}
