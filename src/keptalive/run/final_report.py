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
from keptalive.redaction import for_a_file, redact
from keptalive.run.collect import Ran
from keptalive.run.process_reports import ProcessReport
from keptalive.version import VERSION

_LONGEST_WORD = 200  # characters
_PYTHON = re.compile(r"(?:python|pypy)[\d.]*(?:\.exe)?")
_VALUED = ("-W", "-X")  # options of Python's with a value of its own
_LAST = ("-m", "-c")  # what follows is the program: a module; code, which is not shown


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
    report = replace(report, seconds=ran.seconds, lost=ran.lost, doubts=ran.doubts)
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
    """The program that was run, without its arguments: any of them may be a secret."""
    return tuple(for_a_file(word)[:_LONGEST_WORD] for word in _program(words))


def _program(words: Sequence[str]) -> Sequence[str]:
    """The words up to the program: a script, a module, or a command."""
    place = 0
    if words and _PYTHON.fullmatch(os.path.basename(words[0])):  # noqa: PTH119
        place = 1
        while place < len(words) and words[place] in _VALUED:
            place += 2
        while place < len(words) and words[place].startswith("-") and words[place] not in _LAST:
            place += 1
    if place < len(words) and words[place] == "-m":
        place += 1
    return words[: place + 1]
