"""`keptalive run`: somebody's program, watched; the report when it has ended.

Until the program starts, nothing is imported that only the report needs.
"""

from __future__ import annotations

import gc
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from keptalive import interruption
from keptalive.cli import report_files
from keptalive.errors import UsageError
from keptalive.run import launch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from keptalive.anonymizing.report import Anonymizer
    from keptalive.cli.output import Screen
    from keptalive.cli.settings import Settings
    from keptalive.compare.program_limits import ProgramLimits
    from keptalive.records.report import Report
    from keptalive.run.collect import Ran

_WATCHER = "keptalive.run.process_watcher.begin"
ON_GITHUB = {"GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"}  # variables of a CI that reads what we say


class Options(NamedTuple):
    """What to run, and what to do with the report.

    Attributes:
        program: its name and its arguments.
        module: the name is that of a module.
        json_file, html, har, perfetto: where the report goes too, in these forms.
        timeline: each request is recorded.
        max_opened, ignore, forbid: the values of these options.
        save: the report is saved in ``results/``; the project may have settled that too.
        anonymize: hosts, files and paths have other names in it.
        tuned: the adapters of requests are tuned.
    """

    program: tuple[str, ...]
    module: bool = False
    json_file: Path | None = None
    timeline: bool = False
    max_opened: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    forbid: tuple[str, ...] = ()
    save: bool = False
    anonymize: bool = False
    tuned: bool = False
    html: Path | None = None
    har: Path | None = None
    perfetto: Path | None = None

    @property
    def records_requests(self) -> bool:
        """Whether a timeline is wanted, or what needs one."""
        return self.timeline or any((self.html, self.har, self.perfetto))


_FLAGS = {
    "-m": "module",
    "--timeline": "timeline",
    "--save": "save",
    "--anonymize": "anonymize",
    "--tuned": "tuned",
}
_FILES = {
    "--json": "json_file",
    "--html": "html",
    "--har": "har",
    "--perfetto": "perfetto",
}


def plain_options(words: Sequence[str]) -> Options | None:
    """The options that stand before a program, if all of them are plain ones.

    Anything else, wrong usage too, is typer's to read, which takes longer: then it is None.
    """
    options = Options(program=())
    rest = list(words)
    while rest:
        word = rest.pop(0)
        name, has_value, value = word.partition("=")
        if not word.startswith("-"):
            return options._replace(program=(word, *rest))
        changed: dict[str, Any]
        if word in _FLAGS:
            changed = {_FLAGS[word]: True}
        elif name in _FILES and (has_value or rest):
            value = value if has_value else rest.pop(0)
            if not value or value.startswith("-"):
                return None
            changed = {_FILES[name]: Path(value)}
        else:
            return None
        options = options._replace(**changed)
    return None


def run(options: Options) -> int:
    """Run the program and show its report, and what became of the limits.

    Returns:
        the program's exit code; if that is 0, 1 for a broken limit, 2 for one not judged.

    Raises:
        UsageError: the program cannot be run, the JSON file cannot be written, or a limit makes no
            sense.
    """
    try:
        return _run(options)
    except UsageError as error:
        if ON_GITHUB & os.environ.keys():
            from keptalive.cli.ci import report_error_to_ci

            report_error_to_ci(error, "keptalive run", "nothing was run")
        raise


def _run(options: Options) -> int:
    from keptalive.cli.settings import settings

    found = settings()
    limits, options = _limits(options, found), options._replace(save=options.save or found.save)
    report_files.check(options)  # found out before the program runs
    collects = gc.isenabled()
    gc.disable()  # what the report needs lives to the end: to look for garbage in it takes time
    try:
        # signals are for the program; the report comes in any case
        with interruption.held(), _usr_ends_nothing():
            return _watched(options, limits)
    finally:
        if collects:
            gc.enable()


@contextmanager
def _usr_ends_nothing() -> Iterator[None]:
    """SIGUSR1 and SIGUSR2 before the program starts, or when it has ended: the report comes.

    What comes after the report is ignored: it would change the exit code.
    """
    ours = [
        number
        for number in (signal.SIGUSR1, signal.SIGUSR2)
        if signal.getsignal(number) == signal.SIG_DFL
        and threading.current_thread() is threading.main_thread()
    ]
    for number in ours:
        signal.signal(number, lambda *_: None)  # ignored, it would be so in the program too
    try:
        yield
    finally:
        # Python's end restores the default in place of a handler of ours, but not of SIG_IGN
        after = signal.SIG_IGN if interruption.is_installed() else signal.SIG_DFL
        for number in ours:
            signal.signal(number, after)


def _limits(options: Options, found: Settings) -> ProgramLimits | None:
    """What the program may do; None if nothing is limited."""
    given = (options.max_opened, options.ignore, options.forbid)
    if not any((*given, found.max_opened, found.forbid)):
        return None
    from keptalive.cli.program_limits import limits_of

    return limits_of(found, max_opened=given[0], ignore=given[1], forbid=given[2])


def _watched(options: Options, limits: ProgramLimits | None) -> int:
    def show_so_far(ran: Ran) -> None:
        with suppress(Exception):  # the program goes on, and the last report comes in any case
            report, names = _reported(ran, options)
            _show(report if names is None else names.report, ran, options, goes_on=True)

    ran = launch.run(
        options.program,
        module=options.module,
        watcher=_WATCHER,
        timeline=options.records_requests,
        tuned=options.tuned,
        on_usr1=show_so_far,
    )
    report, names = _reported(ran, options)
    shown = report if names is None else names.report
    narrator = _show(shown, ran, options, is_limited=limits is not None)
    with suppress(OSError):
        for line in report_files.written(shown, options):
            narrator.print(line, soft_wrap=True)
    if limits is None and not ON_GITHUB & os.environ.keys():
        return ran.exit_code
    from keptalive.cli.gating import gated

    return gated(ran, report, limits, names)


def _reported(ran: Ran, options: Options) -> tuple[Report, Anonymizer | None]:
    """The report, and who renames what is in it, if that is wanted."""
    from keptalive.run.final_report import report_of

    report = report_of(ran, options.program, module=options.module)
    if not options.anonymize:
        return report, None
    from keptalive.anonymizing.report import Anonymizer

    return report, Anonymizer(report)


def _show(
    report: Report, ran: Ran, options: Options, *, goes_on: bool = False, is_limited: bool = False
) -> Screen:
    """On standard error, as far as it takes it: the program's code is to last."""
    from functools import cache

    from keptalive.cli.output import Screen
    from keptalive.records.plain import with_texts
    from keptalive.redaction import shown
    from keptalive.render.report_sentences import About
    from keptalive.render.terminal.report import screen

    python = "" if options.anonymize else ran.python
    about = About(
        python=shown(python),
        goes_on=goes_on,
        is_limited=is_limited,
        failed=not goes_on and ran.exit_code != 0,
    )
    narrator = Screen(stderr=True)
    with suppress(OSError):
        narrator.print()
        narrator.print(screen(with_texts(report, cache(shown)), about=about))
    return narrator
