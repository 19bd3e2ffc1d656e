"""Reads untrusted files up to a limit, and JSON that has only one meaning.

A longer file, or a device, is refused. For a pipe, `/dev/stdin`, or a file that grows, the bytes
that are read count, not the size that the system reports. JSON is refused if an object has a name
twice, or if a number is one that JSON or Python does not have.
"""

from __future__ import annotations

import json
import math
import os
import select
import stat
from collections import Counter
from pathlib import Path
from typing import Any, NoReturn

from keptalive.errors import UsageError

MIB = 1024 * 1024
LONGEST_WAIT_S = 10.0  # for a pipe from which nothing comes
_DIGITS = 40  # the most in a whole number


def text_of(path: Path, *, limit: int, what: str, next_step: str) -> str:
    """The text of this file.

    Args:
        path: a file, or a pipe such as `/dev/stdin`.
        limit: the largest size, in bytes.
        what: the beginning of an error's sentence: "The plan".
        next_step: the end of that sentence: what to do if it is too large, or a device.

    Raises:
        UsageError: it is a device, too large or not text, or nothing comes from it.
        FileNotFoundError: there is no such file.
    """
    try:
        content = _content(path, limit, what, next_step)
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:  # ValueError: the name has a zero byte
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"{what} {path} cannot be read: {reason}.") from None
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"{what} {path} cannot be read: it is not text.") from None


def _content(path: Path, limit: int, what: str, next_step: str) -> bytes:
    # O_NONBLOCK: without it, open() waits forever for the writer of a pipe
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        about = os.fstat(descriptor)
        refuse_device(about.st_mode, f"{what} {path}", next_step)
        if about.st_size > limit:
            size = f"has {_size(about.st_size)}"
            raise UsageError(_too_large(f"{what} {path} {size}", limit, next_step))
        pieces, left = [], limit + 1
        while left and (piece := _piece(descriptor, left, f"{what} {path}")):
            pieces.append(piece)
            left -= len(piece)
        if not left:
            raise UsageError(_too_large(f"{what} {path} has more", limit, next_step))
        return b"".join(pieces)
    finally:
        os.close(descriptor)


def _piece(descriptor: int, most: int, what: str) -> bytes:
    waiting = select.poll()
    waiting.register(descriptor, select.POLLIN)
    if not waiting.poll(LONGEST_WAIT_S * 1000):
        raise UsageError(f"{what} is a pipe from which nothing came in {LONGEST_WAIT_S:g} s.")
    return os.read(descriptor, min(most, MIB))


def refuse_device(mode: int, what: str, next_step: str) -> None:
    """Refuse a device, which may have no end; ``mode`` is the file's `st_mode`.

    Raises:
        UsageError: it is a device, such as a terminal.
    """
    if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
        raise UsageError(f"{what} is a device, not a file. Next: {next_step}.")


def _too_large(size: str, limit: int, next_step: str) -> str:
    return f"{size}; at most {_size(limit)} are read. Next: {next_step}."


def _size(count: int) -> str:
    if count < MIB:
        return f"{count} bytes"
    return f"{math.ceil(10 * count / MIB) / 10:g} MiB"


# -- JSON ----------------------------------------------------------------------------------------


def json_of(text: str) -> Any:
    """The value of a JSON text.

    Raises:
        json.JSONDecodeError: it is not JSON.
        ValueError: it is nested too deeply, or has a name twice or an invalid number.
    """
    try:
        return json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=_constant,
            parse_int=_whole,
            parse_float=_float,
        )
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        counts = Counter(name for name, _ in pairs)
        twice = next(name for name, count in counts.items() if count > 1)
        raise ValueError(f"it has {twice[:40]!r} twice in one object")
    return found


def _constant(name: str) -> NoReturn:
    raise ValueError(f"it has {name}, which is no number of JSON's")


def _whole(digits: str) -> int:
    if len(digits) > _DIGITS:
        raise ValueError(f"it has a number of {len(digits)} digits")
    return int(digits)


def _float(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise ValueError(f"it has a number too large: {digits[:40]}")
    return value
