"""From what all processes of a run have recorded to its one report."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

from keptalive.causes import judge
from keptalive.records.plain import with_texts
from keptalive.records.report import Report
from keptalive.redaction import HIDDEN, for_a_file, redact
from keptalive.run.collect import Ran
from keptalive.run.process_reports import ProcessReport
from keptalive.version import VERSION

_LONGEST_WORD = 200  # characters; code after ``python -c`` may be long
_SECRET_OPTION = re.compile(
    r"(?i)--?(?:[\w-]*-)?(?:token|secret|password|passwd|pwd|credentials?|api-?key|access-?key|auth)"
)
# Of a word, what a token may consist of; a path, a URL or a date has other characters in between
_PIECE = re.compile(r"[A-Za-z0-9_+-]{16,}")
_CHANGE = re.compile(r"[a-z](?=[A-Z0-9])|[A-Z](?=[0-9])|[0-9](?=[A-Za-z])")
_CHANGES = 4  # between digits, small and capital letters: words and dates have fewer


def report_of(ran: Ran, command: Sequence[str], *, module: bool = False) -> Report:
    """Judge the records of all processes together; no text in the result has a secret.

    Args:
        ran: a program that has ended.
        command: the words that were run.
        module: the first of them followed ``-m``.
    """
    report: Report = judge.report(
        ran.records,
        source="run",
        command=shown_command(["-m", *command] if module else command),
        environment=environment_of(ran.processes),
        warnings=ran.warnings,
    )
    # a process is watched from the moment when it imports requests
    report = replace(report, seconds=ran.seconds)
    hidden: Report = with_texts(report, cache(redact))
    return hidden


def environment_of(processes: Sequence[ProcessReport]) -> dict[str, str | int | None]:
    """What the processes ran with; several versions of one thing are separated by commas."""
    versions = {"python": dict.fromkeys(one.python for one in processes)}
    for one in processes:
        for name, version in one.libraries.items():
            versions.setdefault(name, {})[version] = None
    system = os.uname()
    return {
        **{name: ", ".join(several) for name, several in versions.items() if several},
        "keptalive": VERSION,
        "system": f"{system.sysname} {system.machine}",
        "processors": os.cpu_count(),
    }


def shown_command(words: Sequence[str]) -> tuple[str, ...]:
    """These words without secrets, and without values that look like one."""
    shown = []
    after = ""
    for word in words:
        is_secret = _SECRET_OPTION.fullmatch(after) and not word.startswith("-")
        shown.append(HIDDEN if is_secret else _shown_word(word))
        after = word
    return tuple(shown)


def _shown_word(word: str) -> str:
    option, has_value, _ = word.partition("=")
    if has_value and _SECRET_OPTION.fullmatch(option):
        return f"{option}={HIDDEN}"
    text: str = for_a_file(word)
    text = _PIECE.sub(lambda piece: HIDDEN if _is_random(piece[0]) else piece[0], text)
    return text if len(text) <= _LONGEST_WORD else f"{text[:_LONGEST_WORD]}..."


def _is_random(piece: str) -> bool:
    return len(_CHANGE.findall(piece)) >= _CHANGES
