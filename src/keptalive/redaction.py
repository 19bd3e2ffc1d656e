"""No secret leaves: it is replaced before text is shown or saved, by its value and by its shape.

By value: `IN_USE` knows the secrets of this process, in the forms in which we send them and in
which a server may send them back. By shape: tokens by their prefixes (GitHub's documentation,
"Token formats"), the values of ``Authorization`` and ``Cookie`` headers, the user part of a URL,
and the values of parameters that are named like a secret.
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
SHORTEST = 8  # a shorter secret is a word, and would take other words along
LONGEST = 4096  # a longer one is no token but a file

# -- By value ------------------------------------------------------------------------------------

_NAMED = re.compile(r"(?i)(?:TOKEN|SECRET|PASSWORD|PASSWD|API_?KEY|ACCESS_?KEY|SECRET_?KEY)\Z")
_PROXY = re.compile(r"(?i)(?:HTTPS?|ALL)_PROXY\Z")


class Secrets:
    """Values that are not to be seen, each in all its forms.

    The forms: as it is, with any of its characters percent-encoded (once or more) or escaped for
    JSON or HTML, base64 of it alone or within something longer, as in Basic authentication.
    """

    def __init__(self) -> None:
        self._patterns: dict[str, re.Pattern[str]] = {}

    def add(self, value: str) -> None:
        """Know this value; one that is too short or too long to be a secret is passed over."""
        value = value.strip()
        if SHORTEST <= len(value) <= LONGEST and value not in self._patterns:
            self._patterns[value] = _pattern(value)

    def add_from(self, environment: Mapping[str, str]) -> None:
        """Know what these variables hold, by their names, and the passwords of proxies' URLs."""
        for name, value in environment.items():
            if _NAMED.search(name):
                self.add(value)
            elif _PROXY.match(name):
                self.add(_password_in(value))

    def hide(self, text: str) -> str:
        """The text without any of them."""
        for pattern in self._patterns.values():
            text = pattern.sub(HIDDEN, text)
        return text


def _password_in(url: str) -> str:
    try:
        return urlsplit(url).password or ""
    except ValueError:
        return ""


def _pattern(value: str) -> re.Pattern[str]:
    """Longer forms first; in any case of letters, since hosts are lowered."""
    forms = [*_within_base64(value), "".join(map(_char, value))]
    return re.compile("(?i:" + "|".join(forms) + ")")


def _char(char: str) -> str:
    encoded = "".join(f"%(?:25)*{byte:02x}" for byte in char.encode("utf-8", "surrogatepass"))
    escaped = {char, json.dumps(char)[1:-1], html.escape(char)}
    return "(?:" + "|".join([*map(re.escape, sorted(escaped, key=len)), encoded]) + ")"


def _within_base64(value: str) -> Iterator[str]:
    """What base64 makes of it wherever it begins, whatever stands before and behind it."""
    raw = value.encode("utf-8", "surrogatepass")
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + raw).decode()
        core = encoded[(0, 2, 3)[before] : (before + len(raw)) * 8 // 6]
        chars = "".join({"+": r"(?:[+-]|%2b)", "/": r"(?:[/_]|%2f)"}.get(c, c) for c in core)
        # characters with bits of the neighbours in them; a slash may be a URL's
        shared = "[A-Za-z0-9+_-]{0,3}"
        yield rf"{shared}{chars}{shared}(?:=|%3d){{0,2}}"


# The one place that a process has for them. Who obtains a secret adds it here before it is used,
# and `redact` hides it from then on, whoever calls that. Handed through every signature instead, it
# would be missing where somebody forgot it; and what a server says, an exception keeps, or
# urllib3 logs must be hidden wherever it comes out.
IN_USE = Secrets()

# -- By shape ------------------------------------------------------------------------------------

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
    # parameters, with words before their names or not: client_secret, X-Amz-Signature
    (re.compile(rf"(?i)([?&;]{_WORDS}(?:{_NAMES}|key|code|pass)=){_VALUE}"), rf"\1{HIDDEN}"),
    (re.compile(rf"(?i)((?<![\w.-]){_WORDS}(?:{_NAMES})=){_VALUE}"), rf"\1{HIDDEN}"),
)


def redact(text: str) -> str:
    """The text without the secrets in use, and without what looks like a credential."""
    text = IN_USE.hide(text)
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def without_secrets(value: Any) -> Any:
    """The value, no text and no key in it with a secret; tuples become lists."""
    return each_text(value, redact)


# Of a URL's query. What is kept is too short to be a secret: page=2, per_page=100, draft=true
_SMALL = r"(?:\d{1,4}|true|false)(?:[&\s'\"#]|\Z)"
_QUERY_VALUE = re.compile(rf"([?&][^=&?\s'\"]*=)(?!{_SMALL})[^&\s'\"#]+")


def for_a_file(value: Any) -> Any:
    """The value `without_secrets`, and without the values in URLs' queries.

    For what is kept and handed on: small numbers, true and false are all that stays of a query.
    """
    return each_text(value, lambda text: _QUERY_VALUE.sub(rf"\1{HIDDEN}", redact(text)))


def shown(text: str) -> str:
    """The text of somebody else as it may be shown: no secret, on one line, nothing to obey."""
    return one_line(redact(text))
