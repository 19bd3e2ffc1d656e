"""Replaces secrets before text is shown or saved: by their values, and by their forms.

By value: `IN_USE` has the secrets of this process, in each encoding in which we send them or a
server may send them back. By form: tokens with a known prefix (GitHub's documentation, "Token
formats"), the values of ``Authorization`` and ``Cookie`` headers, the login in a URL, and the
values of parameters whose name is that of a secret.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from keptalive.text import each_text, one_line

HIDDEN = "[hidden]"
SHORTEST = 8  # a shorter value may be a part of other words
LONGEST = 4096  # a longer value is not a token, but a file

# -- By value ------------------------------------------------------------------------------------

_NAMED = re.compile(r"(?i)(?:TOKEN|SECRET|PASSWORD|PASSWD|API_?KEY|ACCESS_?KEY|SECRET_?KEY)\Z")
_PROXY = re.compile(r"(?i)(?:HTTPS?|ALL)_PROXY\Z")


class Secrets:
    """Secret values, each in all its encodings.

    The encodings: none; any of its characters percent-encoded (once or more) or escaped for JSON or
    HTML; base64 of it alone or inside a longer text, as in Basic authentication.
    """

    def __init__(self) -> None:
        self._patterns: dict[str, re.Pattern[str]] = {}

    def add(self, value: str) -> None:
        """Hide this value from now on; one that is too short or too long is ignored."""
        value = value.strip()
        if SHORTEST <= len(value) <= LONGEST and value not in self._patterns:
            self._patterns[value] = _pattern(value)

    def add_from(self, environment: Mapping[str, str]) -> None:
        """Hide the values of variables with a secret's name, and the passwords of proxy URLs."""
        for name, value in environment.items():
            if _NAMED.search(name):
                self.add(value)
            elif _PROXY.match(name):
                self.add(_password_in(value))

    def hide(self, text: str) -> str:
        """The text with each of them replaced by `HIDDEN`."""
        for pattern in self._patterns.values():
            text = pattern.sub(HIDDEN, text)
        return text


def _password_in(url: str) -> str:
    try:
        return urlsplit(url).password or ""
    except ValueError:
        return ""


def _pattern(value: str) -> re.Pattern[str]:
    """Longer encodings first; upper and lower case, since URLs' hosts become lower case."""
    forms = [*_within_base64(value), "".join(map(_char, value))]
    return re.compile("(?i:" + "|".join(forms) + ")")


def _char(char: str) -> str:
    encoded = "".join(f"%(?:25)*{byte:02x}" for byte in char.encode("utf-8", "surrogatepass"))
    escaped = {char, json.dumps(char)[1:-1], html.escape(char)}
    return "(?:" + "|".join([*map(re.escape, sorted(escaped, key=len)), encoded]) + ")"


def _within_base64(value: str) -> Iterator[str]:
    """The base64 of the value at each of the three possible offsets, with any neighbours."""
    raw = value.encode("utf-8", "surrogatepass")
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + raw).decode()
        core = encoded[(0, 2, 3)[before] : (before + len(raw)) * 8 // 6]
        chars = "".join({"+": r"(?:[+-]|%2b)", "/": r"(?:[/_]|%2f)"}.get(c, c) for c in core)
        # characters that have bits of a neighbour too; no slash, which may belong to a URL
        shared = "[A-Za-z0-9+_-]{0,3}"
        yield rf"{shared}{chars}{shared}(?:=|%3d){{0,2}}"


# The secrets of this process. Code that gets a secret adds it here before using it; `redact` hides
# it from then on. It is global on purpose: an argument could be forgotten somewhere, and a secret
# can come out at many places, as in a response, an exception or a log line of urllib3.
IN_USE = Secrets()

# -- By form  ------------------------------------------------------------------------------------

_WORDS = r"(?:[\w.-]{0,64}[_.-])?"
_NAMES = (
    "token|secret|password|passwd|pwd|sig|signature|credentials?|api_?key|access_?key|session_?id"
)
_VALUE = r"(?!\[hidden\])(?:(['\"]).*?\2|[^&\s'\";,)]*[^&\s'\";,).])"
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(?:gh[pousr]_|github_pat_)\w{1,255}"), HIDDEN),
    (
        re.compile(
            r"(?i)\b(authorization|proxy-authorization|cookie|set-cookie)"
            r"(['\"]?\s*[:=]\s*)(?:b?(['\"]).*?\3|[^\r\n]*)"
        ),
        rf"\1\2{HIDDEN}",
    ),
    (
        re.compile(r"(?i)\b(bearer|basic|token)\s+(?=\S*[0-9+/=_])[A-Za-z0-9+/=._~-]{8,}"),
        rf"\1 {HIDDEN}",
    ),
    (re.compile(r"(?i)(\b[a-z][a-z0-9+.-]*://)[^\s/]+@"), rf"\1{HIDDEN}@"),
    # parameters, also with other words before the name: client_secret, X-Amz-Signature
    (re.compile(rf"(?i)([?&;]{_WORDS}(?:{_NAMES}|key|code|pass)=){_VALUE}"), rf"\1{HIDDEN}"),
    (re.compile(rf"(?i)((?<![\w.-]){_WORDS}(?:{_NAMES})=){_VALUE}"), rf"\1{HIDDEN}"),
)


def redact(text: str) -> str:
    """The text without the secrets in use, and without anything that looks like a credential."""
    text = IN_USE.hide(text)
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def without_secrets(value: Any) -> Any:
    """The value without secrets in its texts and keys; tuples become lists."""
    return each_text(value, redact)


# Query values that stay, since they are too short to be a secret: page=2, per_page=100, draft=true
_SMALL = r"(?:\d{1,4}|true|false)(?:[&\s'\"#]|\Z)"
_QUERY_VALUE = re.compile(rf"([?&][^=&?\s'\"]*=)(?!{_SMALL})[^&\s'\"#]+")


def for_a_file(value: Any) -> Any:
    """The value `without_secrets`, and without the query values of URLs, for a file.

    Small numbers, true and false stay in a query.
    """
    return each_text(value, lambda text: _QUERY_VALUE.sub(rf"\1{HIDDEN}", redact(text)))


def shown(text: str) -> str:
    """Untrusted text for the screen: without secrets, harmless, and on one line."""
    return one_line(redact(text))
