"""A result file back into the model's records: msgspec decodes and checks its types.

Whatever else the file may be, it gets one line that says so. No text leaves here that a terminal or
a CI would obey.
"""

from __future__ import annotations

import gc
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from keptalive.bounded import MIB, json_of, text_of
from keptalive.errors import UsageError
from keptalive.records.run import Run
from keptalive.redaction import shown
from keptalive.results.plausible import check
from keptalive.results.writing import SCHEMA


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """A result that was read: the run, and what its file says of code, time and machine.

    ``commit`` is None where the run was made outside of a repository.
    """

    path: Path
    run: Run
    made: str
    commit: str | None
    machine: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Whole:
    """The file, as far as it is read: the keys beside ours are pytest-benchmark's."""

    keptalive: Run
    datetime: str
    machine_info: Mapping[str, Any] = field(default_factory=dict)
    commit_info: Mapping[str, Any] = field(default_factory=dict)


def read(path: Path) -> Saved:
    """The result in this file.

    Raises:
        UsageError: it cannot be read, is no result, is damaged, or of another schema.
    """
    with no_collecting():
        return result_in(path, json_in(path))


def result_in(path: Path, plain: Any) -> Saved:
    """The result that this JSON is.

    Args:
        path: where it was read, for errors.
        plain: of `json_in`.

    Raises:
        UsageError: it is no result, is damaged, or of another schema.
    """
    with no_collecting():
        _refuse_others(path, plain)
        try:
            whole = msgspec.convert(plain, _Whole)
            check(whole.keptalive)
        except ValueError as error:  # msgspec's is one
            raise UsageError(f"The result {path} is damaged: {_said(error)}. {_NEXT}") from None
    commit = whole.commit_info.get("id")
    return Saved(
        path=path,
        run=whole.keptalive,
        made=whole.datetime,
        commit=None if commit in (None, "unknown", "unversioned") else str(commit),
        machine=_machine(whole),
    )


def _machine(whole: _Whole) -> str:
    processor = whole.machine_info.get("cpu")
    brand = processor.get("brand_raw") if isinstance(processor, dict) else None
    environment = whole.keptalive.environment
    named = (environment.get("system"), brand, f"{environment.get('processors')} processors")
    return ", ".join(str(part) for part in named if part)


@contextmanager
def no_collecting() -> Iterator[None]:
    """Without the cycle collector, which would look again and again at what is only growing."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


# -- What the file is ----------------------------------------------------------------------------


def json_in(path: Path, *, noun: str = "result", largest: int | None = None) -> Any:
    """What this file holds, its texts as they may be shown.

    Args:
        path: a result, or a report.
        noun: which of the two, for errors.
        largest: its size at most, in bytes; that of a result, unless given.

    Raises:
        UsageError: it cannot be read, or is no JSON.
    """
    return _json(path, noun, _text(path, noun, LARGEST if largest is None else largest))


def _text(path: Path, noun: str, largest: int) -> str:
    try:
        text = text_of(path, limit=largest, what=f"The {noun}", next_step=_NAME_ONE)
    except FileNotFoundError:
        raise UsageError(f"There is no {noun} {path}. {_NEXT}") from None
    if not text.strip():
        raise UsageError(f"{path} is not a {noun}: it is empty. {_NEXT}")
    return text


# Enough for a million and a half requests. A file made for nothing else, of empty lists,
# takes fifty times its size of memory.
LARGEST = 32 * MIB
_NAME_ONE = "name a result of keptalive bench, or a report of keptalive run --json"
_NEXT = f"Next: {_NAME_ONE}."
_TAIL = 6  # a constant that is cut off is noticed up to this many characters before the end


def _json(path: Path, noun: str, text: str) -> Any:
    try:
        return as_shown(json_of(text))
    except json.JSONDecodeError as error:
        at_the_end = error.pos >= len(text.rstrip()) - _TAIL or "Unterminated" in error.msg
        if text.lstrip().startswith("{") and at_the_end:
            raise UsageError(
                f"The {noun} {path} is cut off in line {error.lineno}. {_NEXT}"
            ) from None
        raise UsageError(
            f"{path} is not a {noun}: it is not JSON (line {error.lineno}: {error.msg}). {_NEXT}"
        ) from None
    except (RecursionError, ValueError) as error:
        why = "it is nested too deeply" if isinstance(error, RecursionError) else shown(str(error))
        raise UsageError(f"The {noun} {path} is damaged: {why}. {_NEXT}") from None


def _refuse_others(path: Path, whole: Any) -> None:
    ours = whole.get("keptalive") if isinstance(whole, dict) else None
    if not isinstance(ours, dict) or "schema" not in ours:
        plain = isinstance(whole, dict) and "benchmarks" in whole
        what = "a pytest-benchmark file without keptalive's part" if plain else "other JSON"
        raise UsageError(f"{path} is {what}, not a result of keptalive. {_NEXT}")
    if ours["schema"] != SCHEMA or isinstance(ours["schema"], bool):
        raise UsageError(
            f"The result {path} has schema {ours['schema']!r:.40}; this keptalive reads {SCHEMA}. "
            "Next: read it with the keptalive that made it, or run keptalive bench again."
        )


# msgspec: "Expected `int`, got `str` - at `$.keptalive.trials[3].round`"
_WHERE = re.compile(r"(.*?)(?: - at `(?:key in )?\$\.?(?:keptalive\.?)?(.*)`)?", re.DOTALL)
_TYPES = {
    "`int | null`": "a whole number or null",
    "`float | null`": "a number or null",
    "`int`": "a whole number",
    "`float`": "a number",
    "`bool`": "true or false",
    "`str`": "text",
    "`array`": "a list",
    "`object`": "an object",
    "`object | null`": "an object or null",
    "`null`": "null",
}


def _said(error: ValueError) -> str:
    """An error of msgspec's or of `check`, as where and what: "trials[3].round: it is text"."""
    what, where = _WHERE.fullmatch(str(error)).groups()  # type: ignore[union-attr]
    for theirs, ours in _TYPES.items():
        what = what.replace(theirs, ours)
    what = what.replace("Object missing required field", "there is no").replace("`", "")
    return f"{where}: {what[0].lower()}{what[1:]}" if where else what


# -- Its text ------------------------------------------------------------------------------------

_NUMBERS = ("benchmarks", "request_seconds")  # by the thousand; the first are not read
_SIMPLE = (int, float, bool, type(None))


@lru_cache(maxsize=1024)
def _clean(text: str) -> str:
    return shown(text)


def as_shown(value: Any) -> Any:
    """A value of JSON with every text in it, keys too, as it may be shown.

    Long lists of numbers stay as they are. A text in such a list is refused later, when types are
    checked, and never shown.
    """
    if isinstance(value, str):
        return _clean(value)
    if isinstance(value, list):
        return [as_shown(inner) for inner in value]
    if isinstance(value, dict):
        return {
            _clean(key): inner if type(inner) in _SIMPLE or key in _NUMBERS else as_shown(inner)
            for key, inner in value.items()
        }
    return value
