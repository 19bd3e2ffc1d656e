"""Makes untrusted text harmless before it is shown on a terminal or in a CI log.

Untrusted is all text that keptalive did not write: from servers, logs, files and arguments. These
characters are shown as an escape, as Python writes it: control characters and escape sequences,
which a terminal executes; Unicode's format characters, which reverse or hide text; lone surrogates,
which cannot be encoded. Workflow commands, which a CI executes, get a space inside. No I/O here.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any


class _Escapes(dict[int, str]):
    """A table for `str.translate` that computes each entry when it is first needed."""

    def __init__(self, escape: Callable[[str], str]) -> None:
        super().__init__()
        self._escape = escape

    def __missing__(self, code: int) -> str:
        char = chr(code)
        # Zs: other kinds of space, such as the narrow one between thousands
        fine = char == "\n" or char.isprintable() or unicodedata.category(char) == "Zs"
        self[code] = char if fine else self._escape(char)
        return self[code]


def _as_python(char: str) -> str:
    if char.isspace():  # a tab, and all characters that end a line on some system
        return " "
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a file name that is not UTF-8 (PEP 383)
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else _long(code)


def _long(code: int) -> str:
    return f"\\U{code:08x}"


def _as_json(char: str) -> str:
    return json.dumps(char)[1:-1]


_VISIBLE, _IN_JSON = _Escapes(_as_python), _Escapes(_as_json)

# A terminal's CSI sequence: it has no width, so the line begins after it too
_CSI = r"\x1b\[[0-9;?]*[A-Za-z]"
# "::name" at the beginning of a line, after spaces; "##[name" and "##vso[name" anywhere. See
# ActionCommand.cs of GitHub's actions/runner and Command.cs of Azure's agent. The space goes
# between the two signs: so a text that is written in pieces gets it at the same place.
_COMMAND = re.compile(rf"^((?:[^\S\n]|{_CSI})*:(?:{_CSI})*)(?=:)|(#(?:{_CSI})*)(?=#)", re.MULTILINE)
_PENDING = re.compile(rf"^(?:\s|{_CSI})*(:?)(?:{_CSI})*\Z")


def harmless(text: str) -> str:
    """The text without anything that a terminal or a CI executes; line breaks stay.

    Calling it again on the result changes nothing.
    """
    if not text.isprintable():
        text = text.translate(_VISIBLE)
    return without_commands(text)


def without_commands(text: str) -> str:
    """The text without workflow commands; its escape sequences stay."""
    return _COMMAND.sub(r"\1\2 ", text)


def one_line(text: str) -> str:
    """The text as `harmless` returns it, on one line."""
    return harmless(text.replace("\n", " "))


def pending(line: str) -> str:
    """The end of a line that could be the beginning of a workflow command.

    For a stream, where text comes in pieces: ``harmless(pending(line) + more)`` begins with
    ``pending(line)``; write what follows it.
    """
    line = line.rpartition("\n")[2]
    if found := _PENDING.match(line):
        return found[1]
    return "x#" if re.search(rf"#(?:{_CSI})*\Z", line) else "x"


def as_json(value: Any) -> str:
    """The value as JSON, without anything that a terminal or a CI executes.

    Reading the JSON gives the same value.

    Raises:
        ValueError: a number is NaN or infinite, which JSON does not have.
    """
    text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False)
    if not text.isprintable():
        text = text.translate(_IN_JSON)
    return re.sub("#(?=#)", r"\\u0023", text)


def each_text(value: Any, change: Callable[[str], str]) -> Any:
    """The value with this function applied to every text and every key; tuples become lists."""
    match value:
        case str():
            return change(value)
        case Mapping():
            return {
                change(key) if isinstance(key, str) else key: each_text(inner, change)
                for key, inner in value.items()
            }
        case list() | tuple():
            return [each_text(inner, change) for inner in value]
    return value
