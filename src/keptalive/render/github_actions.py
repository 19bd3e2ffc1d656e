"""GitHub Actions' workflow commands: one annotation, escaped as its toolkit escapes it.

The escapes are those of ``actions/toolkit``, packages/core/src/command.ts.
"""

from __future__ import annotations

_IN_TEXT = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_IN_PROPERTY = {**_IN_TEXT, **str.maketrans({":": "%3A", ",": "%2C"})}


def error(title: str, message: str) -> str:
    """The command that makes an error of this title and message."""
    return f"::error title={title.translate(_IN_PROPERTY)}::{message.translate(_IN_TEXT)}"
