"""One request before anything is measured: does it answer, accept the token, allow how many?

It follows no redirect by itself, since a credential must not travel to another host.
"""

from __future__ import annotations

import json
import re
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urljoin, urlsplit

import requests
from urllib3.exceptions import HTTPError, LocationValueError

from keptalive.bench.access import Access
from keptalive.bench.github.token import MAKE_ONE, VARIABLES
from keptalive.bench.strategies import answer_of
from keptalive.bench.strategy import Answer
from keptalive.errors import TargetError
from keptalive.redaction import redact, shown

_REDIRECTS = 5
_SAID = 200  # characters of a server's own words
_DIGITS = 12  # of a number in a header
_RATE_LIMITED = (403, 429)
_SENT_AS = {"Bearer": "a Bearer token", "Basic": "the password of Basic authentication"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """How many more requests the server grants; None where it does not say."""

    remaining: int | None = None
    limit: int | None = None


def ask_once(url: str, access: Access, *, token_source: str | None) -> Allowance:
    """Ask for this URL once, and say what the server grants.

    Raises:
        TargetError: it cannot be reached, does not know us, or leads elsewhere.
    """
    with access.applied_to(requests.Session()) as session:
        for _ in range(_REDIRECTS):
            try:
                response = session.get(url, timeout=access.timeout_s, allow_redirects=False)
            except (OSError, HTTPError, ValueError) as error:  # RequestException is an OSError
                raise TargetError(explain(error, url)) from error
            if not response.is_redirect:
                break
            url = same_origin(url, _joined(url, response))
        else:
            raise TargetError(f"{shown(url)} goes on redirecting. Next: ask for the final URL.")
    if response.status_code == 401:
        raise TargetError(_unauthorised(response, url, token_source))
    if (sentence := asks_to_stop(answer_of(response))) is not None:
        raise TargetError(sentence)
    if response.status_code >= 400:
        raise TargetError(
            f"{shown(url)} answered {response.status_code} {_cut(str(response.reason))}. "
            "Next: check the target's base URL and the plan's requests."
        )
    return allowance(response)


def _joined(url: str, response: requests.Response) -> str:
    try:
        return urljoin(url, response.headers["location"])
    except ValueError:
        raise TargetError(f"{shown(url)} redirects to what is no URL.") from None


def allowance(response: requests.Response) -> Allowance:
    """What the rate-limit headers of this response grant."""

    def number(name: str) -> int | None:
        return _number(response.headers.get(f"x-ratelimit-{name}", ""))

    return Allowance(remaining=number("remaining"), limit=number("limit"))


def _number(value: str) -> int | None:
    return int(value) if re.fullmatch(rf"[0-9]{{1,{_DIGITS}}}", value) else None


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


def asks_to_stop(answer: Answer) -> str | None:
    """The sentence to stop with, if the server wants fewer requests; else None.

    GitHub: "Best practices for using the REST API", handle rate limit errors appropriately.
    """
    if answer.status not in _RATE_LIMITED:
        return None
    wait_s: float = 60
    if (after := _number(answer.headers.get("retry-after", ""))) is not None:
        wait_s = after
    elif (reset := _number(answer.headers.get("x-ratelimit-reset", ""))) is not None:
        wait_s = max(0.0, reset - time.time())
    return (
        f"{answer.status} {HTTPStatus(answer.status).phrase}: the server wants fewer requests, "
        f"or refuses this one. {_message(answer)}\n"
        f"Next: wait {wait_s:.0f} s or more before you run this again, or check what the token "
        "may read."
    )


def _unauthorised(response: requests.Response, url: str, token_source: str | None) -> str:
    sent = str(response.request.headers.get("Authorization", "")).partition(" ")[0]
    credentials = "a request without a token"
    if sent:
        credentials = f"the token from {token_source}" if token_source else "the login of ~/.netrc"
        credentials += f", sent as {_SENT_AS.get(sent, sent)}"
    why = ""
    if not sent:
        remedy = f'set {VARIABLES[0]}, and auth = "bearer" or "basic" in the plan.'
    elif _is_githubs(response):
        why = " GitHub has taken no passwords since November 2020, only tokens."
        remedy = f"{MAKE_ONE}; then set {VARIABLES[0]}."
    else:
        other = "bearer" if sent == "Basic" else "basic"
        remedy = f'set {VARIABLES[0]} to one that it accepts, or auth = "{other}" in the plan.'
    host = urlsplit(url).hostname
    said = _message(answer_of(response))
    return f"401 {said} {host} did not accept {credentials}.{why}\nNext: {remedy}"


def _is_githubs(response: requests.Response) -> bool:
    """Whether it comes from GitHub, GitHub Enterprise or the look-alike."""
    return any(name.lower().startswith("x-github-") for name in response.headers)


def _message(answer: Answer) -> str:
    """The server's own word on it, from a JSON body like GitHub's, cut to a line."""
    try:
        said = json.loads(answer.body)["message"]
    except (ValueError, KeyError, TypeError, RecursionError):
        said = HTTPStatus(answer.status).phrase
    line = _cut(str(said)).rstrip(".")
    return f"{line}." if line else ""


def _cut(said: str) -> str:
    """A server's words, shortened: after secrets are hidden, since half of one is not known."""
    return " ".join(shown(said).split())[:_SAID]


def explain(error: Exception, url: str) -> str:
    """Why it could not be reached, in a sentence, and what to do next."""
    where = shown("{0.scheme}://{0.netloc}".format(urlsplit(url)))
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return (
                f"{where}: its certificate cannot be verified: {_cut(cause.verify_message)}.\n"
                "Next: point REQUESTS_CA_BUNDLE at a file with the CA that signed it."
            )
    if isinstance(error, requests.exceptions.ProxyError):
        return f"{where}: the proxy failed. Next: check HTTPS_PROXY, or unset it."
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
    return f"{where}: {_cut(str(causes[-1]))} ({name}). Next: check host and port."


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
        inner = (current.__cause__, current.__context__, getattr(current, "reason", None))
        waiting += [e for e in (*inner, *current.args) if isinstance(e, BaseException)]
