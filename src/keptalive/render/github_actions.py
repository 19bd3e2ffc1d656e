"""GitHub Actions' workflow commands: one annotation, escaped as its toolkit escapes it.

The escapes are those of ``actions/toolkit``, packages/core/src/command.ts.
"""

from __future__ import annotations

_IN_TEXT = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_IN_PROPERTY = {**_IN_TEXT, **str.maketrans({":": "%3A", ",": "%2C"})}


def error(title: str, message: str, *, file: str | None = None, line: int | None = None) -> str:
    """The command that makes an error of this title and message, at a line of a file if given."""
    at = {"file": file, "line": line, "title": title}
    properties = [
        f"{name}={str(value).translate(_IN_PROPERTY)}"
        for name, value in at.items()
        if value is not None
    ]
    return f"::error {','.join(properties)}::{message.translate(_IN_TEXT)}"
