"""Text of strangers made harmless: the one function that everything passes before it is shown.

Strangers are servers, logs, files, arguments, and whatever else keptalive did not write. What a
terminal obeys (control characters, escape sequences), what turns lines round or hides in them
(Unicode's format characters, bidi marks among them) and what cannot be encoded (lone surrogates)
becomes visible as an escape, as Python writes it. What a CI obeys, a workflow command, is broken
up. Nothing here does I/O, and nothing depends on who asks.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any


class _Escapes(dict[int, str]):
    """For `str.translate`: what stands for each character, worked out when it is first met."""

    def __init__(self, escape: Callable[[str], str]) -> None:
        super().__init__()
        self._escape = escape

    def __missing__(self, code: int) -> str:
        char = chr(code)
        # Zs: blanks other than the space, such as the narrow one between thousands
        fine = char == "\n" or char.isprintable() or unicodedata.category(char) == "Zs"
        self[code] = char if fine else self._escape(char)
        return self[code]


def _as_python(char: str) -> str:
    if char.isspace():  # a tab, and all that ends a line somewhere
        return " "
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a file's name that is not UTF-8 (PEP 383)
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else _long(code)


def _long(code: int) -> str:
    return f"\\U{code:08x}"


def _as_json(char: str) -> str:
    return json.dumps(char)[1:-1]


_VISIBLE, _IN_JSON = _Escapes(_as_python), _Escapes(_as_json)

# What styles a line here does not make it begin later: a terminal's CSI sequence
_CSI = r"\x1b\[[0-9;?]*[A-Za-z]"
# "::name" where a line begins, after blanks; "##[name" anywhere, "##vso[name" too: ActionCommand.cs
# of GitHub's actions/runner, Command.cs of Azure's agent. A pair of signs is enough to be broken:
# so a text that is written in pieces is broken in the same places.
_COMMAND = re.compile(rf"^((?:[^\S\n]|{_CSI})*:(?:{_CSI})*)(?=:)|(#(?:{_CSI})*)(?=#)", re.MULTILINE)
_PENDING = re.compile(rf"^(?:\s|{_CSI})*(:?)(?:{_CSI})*\Z")


def harmless(text: str) -> str:
    """The text, its lines kept, with nothing in it that a terminal or a CI obeys.

    To make it harmless again changes nothing.
    """
    if not text.isprintable():
        text = text.translate(_VISIBLE)
    return without_commands(text)


def without_commands(text: str) -> str:
    """The text, its own escape sequences kept, with no workflow command in it."""
    return _COMMAND.sub(r"\1\2 ", text)


def one_line(text: str) -> str:
    """The text as `harmless` makes it, on one line."""
    return harmless(text.replace("\n", " "))


def pending(line: str) -> str:
    """Of a line's beginning: what decides whether the next text completes a workflow command.

    For a stream, whose texts come in pieces: ``harmless(pending(line) + more)`` begins with
    ``pending(line)``, and what follows is what to write.
    """
    line = line.rpartition("\n")[2]
    if found := _PENDING.match(line):
        return found[1]
    return "x#" if re.search(rf"#(?:{_CSI})*\Z", line) else "x"


def as_json(value: Any) -> str:
    """The value as JSON that reads back as the same value, and that no terminal or CI obeys.

    Raises:
        ValueError: a number in it is NaN or infinite, which JSON does not have.
    """
    text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False)
    if not text.isprintable():
        text = text.translate(_IN_JSON)
    return re.sub("#(?=#)", r"\\u0023", text)


def each_text(value: Any, change: Callable[[str], str]) -> Any:
    """The value, every text in it and every key changed by this function; tuples become lists."""
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
