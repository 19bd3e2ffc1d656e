"""One request before anything is measured: does it answer, accept the token, allow how many?

No redirect to another host is followed, since a credential must not travel there.
"""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

import requests
from urllib3.exceptions import HTTPError, LocationValueError

from keptalive.bench.access import Access
from keptalive.bench.refusals import (
    Credentials,
    asks_to_stop,
    cut,
    number_in,
    refusal,
    unauthorised,
)
from keptalive.bench.strategies import answer_of
from keptalive.bench.strategy import Request
from keptalive.errors import TargetError
from keptalive.redaction import redact, shown

_REDIRECTS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """How many more requests the server grants; None where it does not say."""

    remaining: int | None = None
    limit: int | None = None


def ask_once(request: Request, access: Access, credentials: Credentials) -> Allowance:
    """Send this request once, and say what the server grants.

    Raises:
        TargetError: it cannot be reached, does not know us, refuses this, or leads elsewhere.
    """
    with access.applied_to(requests.Session()) as session:
        session.max_redirects = _REDIRECTS
        session.hooks["response"] = [stay_on_host]
        try:
            response = session.request(
                request.method,
                request.url,
                headers=dict(request.headers),
                data=request.body,
                timeout=access.timeout_s,
            )
        except requests.TooManyRedirects:
            where = shown(request.url)
            raise TargetError(
                f"{where} goes on redirecting. Next: ask for the final URL."
            ) from None
        except (OSError, HTTPError, ValueError) as error:  # RequestException is an OSError
            raise TargetError(explain(error, request.url)) from error
    if response.status_code == 401:
        raise TargetError(unauthorised(response, response.url, credentials))
    answer, asked = answer_of(response), f"{response.request.method} {response.url}"
    sentence = asks_to_stop(answer) or refusal(asked, answer, reason=str(response.reason or ""))
    if sentence is not None:
        raise TargetError(sentence)
    return allowance(response)


def stay_on_host(response: requests.Response, **_: object) -> None:
    """A hook of requests, called before a redirect is followed.

    requests takes every header but Authorization and Cookie to the other host.

    Raises:
        TargetError: the response leads to another host.
    """
    if not response.is_redirect:
        return
    try:
        same_origin(response.url, _joined(response.url, response))
    except TargetError:
        response.close()  # requests does not, after an exception of a hook
        raise


def _joined(url: str, response: requests.Response) -> str:
    try:
        return urljoin(url, response.headers["location"])
    except ValueError:
        raise TargetError(f"{shown(url)} redirects to what is no URL.") from None


def allowance(response: requests.Response) -> Allowance:
    """What the rate-limit headers of this response grant."""

    def number(name: str) -> int | None:
        return number_in(response.headers.get(f"x-ratelimit-{name}", ""))

    return Allowance(remaining=number("remaining"), limit=number("limit"))


def same_origin(url: str, location: str) -> str:
    """The place that a redirect leads to, if it is on the same server.

    Raises:
        TargetError: it is another server.
    """
    here = urlsplit(url)
    try:
        there = urlsplit(location)
    except ValueError:
        raise TargetError(f"{shown(url)} redirects to what is no URL.") from None
    if (here.scheme, here.netloc) != (there.scheme, there.netloc):
        # hidden first, then cut: a secret may go on behind the host
        origin = shown("".join(re.findall(r"\A[^/]*//[^/?#]*", redact(location))))
        raise TargetError(
            f"{shown(url)} redirects to another host, {origin}, which must not get the "
            f"credentials.\nNext: if that is the server you mean, --target {origin}."
        )
    return location


def explain(error: Exception, url: str) -> str:
    """Why it could not be reached, in a sentence, and what to do next."""
    where = shown("{0.scheme}://{0.netloc}".format(urlsplit(url)))
    causes = list(_causes(error))
    if (distrust := _distrust(causes)) is not None:
        return f"{where}: {distrust}"
    if isinstance(error, requests.exceptions.ProxyError):
        return f"{where}: the proxy failed. Next: check HTTP_PROXY and HTTPS_PROXY."
    for cause in causes:
        if isinstance(cause, socket.gaierror):
            return f"{where}: there is no such host. Next: check its name, and the network."
        if isinstance(cause, ConnectionRefusedError):
            return f"{where}: nothing listens there. Next: check host and port."
        if isinstance(cause, ssl.SSLError):
            return f"{where}: TLS failed: {cause.reason}. Next: is it https, and this the port?"
    if isinstance(error, requests.Timeout):
        return f"{where}: no answer in time. Next: check host and port, and any firewall between."
    malformed = (LocationValueError, requests.exceptions.InvalidURL)
    if any(isinstance(cause, malformed) for cause in causes):
        # without quoting it: it may hold a password that no pattern would recognise
        return f"{where}: a URL or proxy setting is malformed. Next: check HTTP(S)_PROXY."
    name = type(causes[-1]).__name__
    return f"{where}: {cut(str(causes[-1]))} ({name}). Next: check host and port."


def _distrust(causes: Iterable[BaseException]) -> str | None:
    """Why the server's certificate was not accepted; None if that is not the fault."""
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return (
                f"its certificate cannot be verified: {cut(cause.verify_message)}.\n"
                "Next: point REQUESTS_CA_BUNDLE at a file with the CA that signed it."
            )
        if "TLS CA certificate bundle" in str(cause):  # requests' HTTPAdapter.cert_verify
            return "the CA bundle does not exist. Next: check REQUESTS_CA_BUNDLE."
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and everything that led to it, outermost first.

    requests and urllib3 wrap in three ways: as a cause, as an argument, as ``reason``.
    """
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        current = waiting.pop(0)
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        # urllib3 1.26 handles a TypeError of its own while it reads a response, and hides it so
        context = None if current.__suppress_context__ else current.__context__
        inner = (current.__cause__, context, getattr(current, "reason", None))
        waiting += [e for e in (*inner, *current.args) if isinstance(e, BaseException)]
