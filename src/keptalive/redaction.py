"""No secret leaves: what looks like one is replaced before text is shown or saved.

The token in use never gets into a message on purpose. This is the second lock: tokens by their
prefixes (GitHub's documentation, "Token formats"), the values of ``Authorization`` and ``Cookie``
headers, and the user part of a URL.
"""

from __future__ import annotations

import re

HIDDEN = "[hidden]"

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
    (re.compile(r"(?i)([?&](?:access_token|token|api_key|key|secret)=)[^&\s'\"]+"), rf"\1{HIDDEN}"),
)


def redact(text: str) -> str:
    """The text without anything that looks like a credential."""
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def shown(text: str) -> str:
    """The text of somebody else as it may be shown: no secret, on one line, nothing to obey.

    What is not printable is a space: an escape sequence would reach the terminal. A CI's workflow
    command is broken up, since a line that is wrapped could begin with it.
    """
    return _COMMAND.sub(" ", "".join(c if c.isprintable() else " " for c in redact(text)))


# "::name" where a line begins, "##[name" anywhere: ActionCommand.cs of GitHub's actions/runner
_COMMAND = re.compile(r"(?<=:)(?=:[A-Za-z])|(?<=#)(?=#\[)")
