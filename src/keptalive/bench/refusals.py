"""Answers that end a benchmark: what the server refused, and what to do next, in a sentence."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import urlsplit

import requests

from keptalive.bench.github.token import MAKE_ONE, OWN, VARIABLES
from keptalive.bench.strategies import answer_of
from keptalive.bench.strategy import Answer
from keptalive.redaction import shown

_SAID = 200  # characters of a server's own words
_DIGITS = 12  # of a number in a header
_RATE_LIMITED = (403, 429)
_SENT_AS = {"Bearer": "a Bearer token", "Basic": "the password of Basic authentication"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What identifies us to the server, without its values.

    Attributes:
        token_source: where the token came from; None without one.
        headers: by name, the plan's headers from the environment, with their variables.
    """

    token_source: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


def asks_to_stop(answer: Answer) -> str | None:
    """The sentence to stop with, if the server wants fewer requests; else None.

    GitHub: "Best practices for using the REST API", handle rate limit errors appropriately.
    """
    if answer.status not in _RATE_LIMITED:
        return None
    after = number_in(answer.headers.get("retry-after", ""))
    reset = number_in(answer.headers.get("x-ratelimit-reset", ""))
    wait_s: float | None = None if answer.status == 403 else 60
    if after is not None:
        wait_s = after
    elif reset is not None:
        wait_s = max(0.0, reset - time.time())
    said = f"{answer.status} {HTTPStatus(answer.status).phrase}: the server"
    if wait_s is None:
        return (
            f"{said} refuses this request. {_message(answer)}\n"
            "Next: check what the token or the plan's headers may read."
        )
    return (
        f"{said} wants fewer requests, or refuses this one. {_message(answer)}\n"
        f"Next: wait {wait_s:.0f} s or more before you run this again, or check what the token "
        "may read."
    )


def refusal(request: str, answer: Answer, *, reason: str = "") -> str | None:
    """The sentence to stop with, if the answer to this request is an error; else None.

    What a server does with errors is no measure of its connections. ``reason`` is its own name for
    the status, where that is known.
    """
    if answer.status < 400:
        return None
    usual = "look into the server's log" if answer.status >= 500 else _CHECK
    advice = _ADVICE.get(answer.status, usual)
    said, phrase = _message(answer), _phrase(answer.status)
    why = "" if said in ("", f"{phrase}.") else f" {said}"
    status = f"{answer.status} {cut(reason) or phrase}".strip()
    return f"{shown(request)} answered {status}.{why}\nNext: {advice}."


_CHECK = "check the request's path, headers and body in the plan"
_ADVICE = {
    404: "check the target's base URL and the request's path in the plan",
    405: "check the request's method in the plan",
    501: "check the request's method in the plan",
    415: "check the request's Content-Type: headers in the plan, or json instead of body",
}


def unauthorised(response: requests.Response, url: str, credentials: Credentials) -> str:
    """The sentence for a 401: what the server did not accept."""
    host = urlsplit(url).hostname
    what, why, remedy = _not_accepted(response, credentials)
    said = _message(answer_of(response))
    return f"401 {said} {host} did not accept {what}.{why}\nNext: {remedy}"


def _not_accepted(response: requests.Response, credentials: Credentials) -> tuple[str, str, str]:
    """What the server did not accept; what is known of it; what to do."""
    sent = str(response.request.headers.get("Authorization", "")).partition(" ")[0]
    source, githubs = credentials.token_source, _is_githubs(response)
    if source is None and credentials.headers:
        names, variables = " and ".join(credentials.headers), credentials.headers.values()
        return f"the plan's {names}", "", f"check the value of {' and '.join(variables)}."
    if not sent:
        variable = VARIABLES[0] if githubs else OWN
        remedy = f'set {variable}, and auth = "bearer" or "basic" in the plan.'
        return "a request without a token", "", remedy
    what = f"the token from {source}" if source else "the login of ~/.netrc"
    what += f", sent as {_SENT_AS.get(sent, sent)}"
    if githubs:
        why = " GitHub has taken no passwords since November 2020, only tokens."
        return what, why, f"{MAKE_ONE}; then set {VARIABLES[0]}."
    other = "bearer" if sent == "Basic" else "basic"
    accepted = f"set {source or OWN} to one that it accepts"
    return what, "", f'{accepted}, or auth = "{other}" in the plan.'


def _is_githubs(response: requests.Response) -> bool:
    """Whether it comes from GitHub, GitHub Enterprise or the look-alike."""
    return any(name.lower().startswith("x-github-") for name in response.headers)


def _message(answer: Answer) -> str:
    """The server's own word on it, from a JSON body, cut to a line; else the name of the status.

    ``message`` is GitHub's, ``detail`` FastAPI's and that of RFC 9457, ``error`` many others'.
    """
    try:
        body = json.loads(answer.body)
        said = next(str(body[key]) for key in ("message", "detail", "error") if body.get(key))
    except (ValueError, AttributeError, TypeError, RecursionError, StopIteration):
        said = _phrase(answer.status)
    line = cut(said).rstrip(".")
    return f"{line}." if line else ""


def _phrase(status: int) -> str:
    """What the standard calls this status; empty for a number that it does not know."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def cut(said: str) -> str:
    """A server's words, shortened: after secrets are hidden, since half of one is not known."""
    return " ".join(shown(said).split())[:_SAID]


def number_in(value: str) -> int | None:
    """The whole number that a header holds; None for anything else."""
    return int(value) if re.fullmatch(rf"[0-9]{{1,{_DIGITS}}}", value) else None
