"""What the processes of a run have left in its folder, and what limits the truth of it."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from keptalive.quantities import listed, many
from keptalive.records.process import ProcessRecord
from keptalive.records.report import LEFT, LostProcess
from keptalive.run.folder import pid_of, started_ns_of
from keptalive.run.process import Ended
from keptalive.run.process_reports import About, Left, ProcessReport, left_in

_SIGNALLED = 128  # and the number of the signal: the exit code of a program that it ended
_OF_A_POOL = "PoolWorker-"  # as multiprocessing names them: ForkPoolWorker-1
_POOL_HINT = "; multiprocessing.Pool terminates its workers: close() and join() let them finish"
_NO_PYTHON = "no Python process was watched (-E, -I and -S ignore PYTHONPATH)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """A program that has ended, and what its processes recorded.

    Attributes:
        exit_code: the program's own; 128 + N where signal N ended it.
        seconds, cpu_seconds: how long it ran, and what it took of the processors: 0 until it has
            ended.
        processes: the report of each process that has one with a record, in the order they started.
        processes_without_report: Python processes that took part and gave none.
        lost: those that ended without one, in the order they started; some left an interim report.
        warnings: what was not seen, or not for certain.
        doubts: those of them, and of the records' own, after which connections may be missing. A
            process that was killed is none if it has noted each connection that answered. But one
            that ended well without a report could perhaps not write its notes either.
        python: which Python ran the program, and why, where it was another one than keptalive's.
        signals: that came for us while it ran.
    """

    exit_code: int
    seconds: float
    cpu_seconds: float
    processes: tuple[ProcessReport, ...]
    processes_without_report: int
    lost: tuple[LostProcess, ...]
    warnings: tuple[str, ...]
    doubts: tuple[str, ...] = ()
    python: str = ""
    signals: tuple[int, ...] = ()

    @property
    def records(self) -> tuple[ProcessRecord, ...]:
        """What the processes recorded, in the order they started."""
        return tuple(
            replace(one.report, is_whole=one.ended is not None)
            for one in self.processes
            if one.report is not None
        )


def collected(folder: Path, ended: Ended, running: frozenset[str]) -> Ran:
    """Read what they have left; those that are silent and not `running` were killed."""
    left = left_in(folder)
    reports = tuple(one for one in left.latest.values() if one.report is not None)
    lost = sorted((stem for stem in left.silent if stem not in running), key=started_ns_of)
    without = len(left.processes) - len(reports) + len(left.unwatched)
    gone = tuple(_of_the_lost(left, lost, ended))
    ended_well = ended.exit_code == 0 and any(pid_of(one) == ended.pid for one in left.silent)
    unseen = [
        *(f"{_who(one)}: {line}" for one in left.latest.values() for line in one.warnings),
        *(f"process {pid} was not watched: {why}" for pid, why in left.unwatched.items()),
        *_of_those_that_run(len(running)),
        *_of_the_folder(left, folder, is_empty=not reports),
    ]
    if not left.is_cleared:
        unseen += _of_the_unwatched(left, ended, is_empty=not reports and not without)
    own = (line for one in reports if one.report is not None for line in one.report.warnings)
    return Ran(
        exit_code=ended.exit_code,
        seconds=ended.seconds,
        cpu_seconds=ended.cpu_seconds,
        processes=reports,
        processes_without_report=without,
        lost=tuple(
            LostProcess(
                process=pid_of(stem),
                program=_known(left, stem).program,
                seen=stem in left.latest,
                missed=left.skipped.get(stem, 0),
            )
            for stem in lost
        ),
        warnings=tuple(dict.fromkeys([*gone, *unseen, *_of_the_foreign(left)])),
        doubts=tuple(dict.fromkeys([*(gone if ended_well or left.skipped else ()), *unseen, *own])),
        signals=ended.signals,
    )


def _of_the_lost(left: Left, lost: Sequence[str], ended: Ended) -> Iterator[str]:
    """What is to be said of processes that left without a report."""
    in_pool = any(_OF_A_POOL in _known(left, stem).program for stem in lost)
    for seen in (True, False):
        stems = [stem for stem in lost if (stem in left.latest) is seen]
        if not stems:
            continue
        who = listed([_who(_known(left, stem)) for stem in stems])
        several = many(len(stems), "process") if len(stems) > 1 else who
        why = f"({_why(stems, ended)}{_POOL_HINT if in_pool else ''})"
        named = f": {who}" if len(stems) > 1 else ""
        its, it = ("their", "they") if len(stems) > 1 else ("its", "it")
        missed = sum(left.skipped.get(stem, 0) for stem in stems)
        also = f" ({many(missed, 'new connection')})" if missed else ""
        so = (
            f"what {it} did after {its} last note{'s' * (it == 'they')} is not counted{also}, so "
            "perfect reuse is a lower bound"
            if seen
            else "no new connection was noted"
        )
        yield f"{several} {LEFT} {why}{named}{'; ' if named else ': '}{so}"


def _why(stems: Sequence[str], ended: Ended) -> str:
    if [pid_of(stem) for stem in stems] == [ended.pid] and ended.exit_code > _SIGNALLED:
        with suppress(ValueError):
            return f"killed by {signal.Signals(ended.exit_code - _SIGNALLED).name}"
    return "killed, ended without Python's exit, or could not write it"


def _known(left: Left, stem: str) -> About | ProcessReport:
    """What a process has said of itself at last."""
    return left.latest.get(stem) or left.started.get(stem) or About(pid=pid_of(stem))


def _of_those_that_run(count: int) -> Iterator[str]:
    if count:
        run, do = ("runs", "it does") if count == 1 else ("run", "they do")
        yield f"{many(count, 'process')} still {run}: what {do} from now on is not seen"


def _of_the_folder(left: Left, folder: Path, *, is_empty: bool) -> Iterator[str]:
    """What is wrong with the reports themselves."""
    if left.is_cleared:
        result = "there is no report" if is_empty else "reports are missing"
        yield (
            f"the folder with the reports was deleted while the program ran, so {result} "
            f"({folder}). Next: set TMPDIR to a folder that nothing clears"
        )
    if left.unreadable:
        reports = _count(left.unreadable, "report was", "reports were")
        yield f"{reports} cut short or cannot be read, and not counted. Next: is the disk full?"


def _of_the_foreign(left: Left) -> Iterator[str]:
    if left.foreign:
        files = _count(left.foreign, "file", "files")
        yield f"{files} in the folder with the reports not written by keptalive, ignored"


def _of_the_unwatched(left: Left, ended: Ended, *, is_empty: bool) -> Iterator[str]:
    """What is to be said of the process that was started, if it began no report."""
    if ended.python is None or _was_watched(left, ended.pid):
        if is_empty:
            yield _NO_PYTHON
    elif ended.ignores_path:
        yield (
            _NO_PYTHON
            if is_empty
            else f"process {ended.pid} ({ended.python}) was not watched "
            "(-E, -I and -S ignore PYTHONPATH)"
        )
    else:
        yield (
            f"the program itself, process {ended.pid} ({ended.python}), was not watched: another "
            "sitecustomize ran instead of keptalive's, or -E, -I or -S made it ignore PYTHONPATH. "
            "Whether its child processes were watched is not known. "
            "Next: start the other tool first, as in OTHER-TOOL keptalive run ..."
        )


def _was_watched(left: Left, pid: int) -> bool:
    """Whether the last program that this process executed was watched, or said why it was not."""
    if str(pid) in left.unwatched or any(pid_of(stem) == pid for stem in left.silent):
        return True
    last = [one for stem, one in left.latest.items() if pid_of(stem) == pid][-1:]
    return any(one.ended != "exec" for one in last)


def _count(number: int, one: str, more: str) -> str:
    return f"{number} {one if number == 1 else more}"


def _who(one: About | ProcessReport) -> str:
    known = ", ".join(filter(None, (one.program, one.python and f"Python {one.python}")))
    return f"process {one.pid}" + (f" ({known})" if known else "")
