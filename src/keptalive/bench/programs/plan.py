"""Which programs a plan, or the options of a command, name: parsed and checked. Pure."""

from __future__ import annotations

import os
import re
import shlex
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from keptalive.errors import UsageError
from keptalive.run.final_report import shown_command

AS_IT_IS, TUNED = "as it is", "tuned Sessions"  # labels of a program that is alone
URL = "{url}"  # in a command: the test server
_NAME = re.compile(r"[A-Za-z_][\w.-]{0,39}", re.ASCII)
_NAMED = re.compile(rf"({_NAME.pattern})=(.*)", re.ASCII | re.DOTALL)
_WANTED = 'must be a command, such as "python sync.py --all"'
_KEYS = ("name", "command", "tuned")
_TUNED = "-tuned"


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A program to benchmark.

    Attributes:
        name: its name in tables, results and limits.
        command: its words; they may hold secrets.
        tuned: it runs with tuned Sessions (True), as it is (False), or both ways (None).
    """

    name: str
    command: tuple[str, ...]
    tuned: bool | None = False

    @property
    def shown(self) -> str:
        """The command without its arguments, which may be secret."""
        return " ".join(shown_command(self.command))


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """A program as it takes part: as it is, or with tuned Sessions.

    Attributes:
        name: in results and limits.
        label: for people.
    """

    name: str
    label: str
    program: Program
    tuned: bool


def variants_of(programs: Iterable[Program]) -> dict[str, Variant]:
    """Who takes part, by name: each program as it is before it with tuned Sessions."""
    programs = tuple(programs)
    labels = (AS_IT_IS, TUNED) if len(programs) == 1 else ("{}", "{} (tuned)")
    found = [
        Variant(
            name=f"{one.name}{_TUNED * tuned}",
            label=labels[tuned].format(one.name),
            program=one,
            tuned=tuned,
        )
        for one in programs
        for tuned in (False, True)
        if one.tuned in (None, tuned)
    ]
    return {one.name: one for one in found}


def of_options(values: Sequence[str]) -> tuple[Program, ...]:
    """The programs that ``--program`` names, each as COMMAND or NAME=COMMAND.

    Raises:
        UsageError: one is no command, or two have one name.
    """
    tables = []
    for value in values:
        named = _NAMED.fullmatch(value)
        name, command = named.groups() if named else (None, value)
        tables.append({"command": command, **({"name": name} if name else {})})
    try:
        return of_plan(tables)
    except UsageError as error:
        raise UsageError(f"--program: {error}") from None


def of_plan(value: Any) -> tuple[Program, ...]:
    """The programs of a plan's ``[[program]]``; what was checked already stays as it is.

    Raises:
        UsageError: it is none that a plan has.
    """
    if isinstance(value, tuple):
        return value
    tables = [value] if isinstance(value, dict) else value
    if not isinstance(tables, list) or not tables or not all(isinstance(t, dict) for t in tables):
        raise UsageError("must be a table [program], or several [[program]].")
    programs = tuple(_program(table, alone=len(tables) == 1) for table in tables)
    counts = Counter(one.name for one in programs) + Counter(
        name for name in variants_of(programs) if name.endswith(_TUNED)
    )
    for name, count in counts.items():
        if count > 1:
            raise UsageError(f"two programs are called {name}. Next: give each a name of its own.")
    return programs


def _program(table: Mapping[str, Any], *, alone: bool) -> Program:
    for key in table:
        if key not in _KEYS:
            raise UsageError(f'unknown key "{key:.40}". Known are: {", ".join(_KEYS)}.')
    words = _words(table.get("command"))
    name = table.get("name", _name_of(words))
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise UsageError("name must be letters, digits, dots and dashes, 40 at most.")
    tuned = table.get("tuned")
    if not (tuned is None or isinstance(tuned, bool)):
        raise UsageError("tuned must be true or false.")
    return Program(name=name, command=words, tuned=tuned if alone or tuned is not None else False)


def _words(command: Any) -> tuple[str, ...]:
    if isinstance(command, list) and command and all(isinstance(word, str) for word in command):
        return tuple(command)
    if not isinstance(command, str):
        raise UsageError(f"command {_WANTED}.")
    try:
        words = tuple(shlex.split(command))
    except ValueError as error:  # it names no part of the command
        raise UsageError(f"command {_WANTED} ({str(error).lower()}).") from None
    if not words:
        raise UsageError(f"command {_WANTED}.")
    return words


def _name_of(words: Sequence[str]) -> str:
    """A name for a command that has none: that of the script, the module or the command."""
    last = os.path.basename(shown_command(words)[-1])  # noqa: PTH119
    if last == "-c":  # what follows is code
        last = os.path.basename(words[0])  # noqa: PTH119
    name = re.sub(r"[^\w.-]", "-", last, flags=re.ASCII)[:40]
    return name if _NAME.fullmatch(name) else f"program-{name}"[:40]
