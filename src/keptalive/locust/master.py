"""What all workers have reported of one test, and the report that is made of it. No Locust here."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from keptalive.causes import judge
from keptalive.locust.messages import ClassCounts, WorkerCounts, WorkerRecords, unpacked
from keptalive.locust.rows import rows, unwatched
from keptalive.locust.tally import together
from keptalive.quantities import listed, many
from keptalive.records.plain import as_plain, with_texts
from keptalive.records.process import ProcessRecord
from keptalive.records.report import LEFT, LostProcess, Report
from keptalive.redaction import redact
from keptalive.version import VERSION

_CLIENTS = "locust/runners.py:"  # makes users with their clients, which nobody closes
_ANOTHER = 10_000_000  # is added to a process id that two machines have


@dataclass(slots=True, kw_only=True)
class Test:
    """One test: what each worker has reported last, by Locust's names of the workers.

    Attributes:
        number: of the tests that this master has started; 0 before.
        counts: while it runs.
        records: of those that have reported its end.
        expected: the workers that were there when it began, or came later.
        unreadable: those whose reports are none of this version of keptalive.
    """

    number: int = 0
    expected: set[str] = field(default_factory=set)
    unreadable: set[str] = field(default_factory=set)
    counts: dict[str, WorkerCounts] = field(default_factory=dict)
    records: dict[str, WorkerRecords] = field(default_factory=dict)

    def has_counts(self, worker: str, counts: WorkerCounts) -> None:
        """A worker reports while the test runs."""
        self.counts[worker] = counts

    def has_ended(self, worker: str, records: WorkerRecords) -> None:
        """A worker reports the end of the test."""
        self.counts[worker], self.records[worker] = records.counts, records

    def receives(self, worker: str, plain: Any, kind: type[WorkerCounts | WorkerRecords]) -> None:
        """A message of this kind has come, as plain data."""
        try:
            message = unpacked(plain, kind)
        except ValueError:
            self.unreadable.add(worker)
            return
        counts = message.counts if isinstance(message, WorkerRecords) else message
        if counts.test != self.number:
            return  # late, of a test before this one
        if isinstance(message, WorkerRecords):
            self.has_ended(worker, message)
        elif worker not in self.records:
            self.has_counts(worker, message)

    def awaits(self, worker: str) -> bool:
        """Whether this one has taken part, or may have, and has not reported the end."""
        is_in_it = worker in self.counts or worker in self.expected
        return is_in_it and worker not in self.records and worker not in self.unreadable

    @property
    def lost(self) -> list[str]:
        """The workers that have reported, and not its end."""
        return [worker for worker in self.counts if worker not in self.records]

    @property
    def silent(self) -> list[str]:
        """The workers that have never reported."""
        return sorted(self.expected - self.counts.keys() - self.unreadable)

    def classes(self) -> dict[str, ClassCounts]:
        """What the users of each class have done so far, on all workers."""
        names = sorted({name for one in self.counts.values() for name in one.classes})
        return {
            name: together(one.classes[name] for one in self.counts.values() if name in one.classes)
            for name in names
        }

    @property
    def seconds(self) -> float:
        """For how long it was watched, on the worker that did so longest."""
        return max((one.seconds for one in self.counts.values()), default=0.0)


def report_of(test: Test, causes: Mapping[str, Mapping[str, int]]) -> Report:
    """Judge the records of all users on all workers together.

    A worker that left without its records has its counts in it, as it reported them last. The
    figures of each class are in the report's environment, as ``classes``.

    Args:
        test: it has ended, on all workers that still live.
        causes: of `causes_of`.
    """
    lost = [test.counts[worker] for worker in test.lost]
    warnings = [
        *_of_the_lost(lost),
        *_of_the_silent(test.silent),
        *_of_the_unreadable(sorted(test.unreadable)),
    ]
    other_clients = _of_the_unwatched(unwatched(test.classes()))
    report: Report = judge.report(
        [one for _, one in records_of(test)],
        source="run",
        environment=_environment(test, causes),
        warnings=[*warnings, *other_clients],
    )
    report = replace(
        report,
        seconds=test.seconds,
        doubts=tuple(warnings),
        unclosed_at={
            at: count for at, count in report.unclosed_at.items() if not at.startswith(_CLIENTS)
        },
        lost=tuple(
            LostProcess(process=one.process, program=f"worker on {one.machine}", seen=True)
            for one in lost
        ),
    )
    hidden: Report = with_texts(report, cache(redact))
    return hidden


def causes_of(test: Test) -> dict[str, dict[str, int]]:
    """For each class: how many connections of its users were opened for each cause."""
    by_class: dict[str, list[ProcessRecord]] = {}
    for name, record in records_of(test):
        by_class.setdefault(name, []).append(record)
    return {name: _causes(records) for name, records in by_class.items()}


def _causes(records: Sequence[ProcessRecord]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for host in judge.report(records, source="run").hosts:
        counts.update({cause.cause: cause.count for cause in host.causes if cause.count})
    return dict(counts.most_common())


def records_of(test: Test) -> list[tuple[str, ProcessRecord]]:
    """The records of all users, each with the name of its class."""
    found, processes = [], set()
    for worker, counts in test.counts.items():
        process = counts.process
        while process in processes:  # in containers, all of them may be number 1
            process += _ANOTHER
        processes.add(process)
        ended = test.records.get(worker)
        parts = _of_the_counts(counts) if ended is None else _of_the_users(ended)
        found += [(name, _of_process(record, process)) for name, record in parts]
    return found


def _of_the_users(ended: WorkerRecords) -> list[tuple[str, ProcessRecord]]:
    return [(one.name, one.record) for one in ended.users]


def _of_the_counts(counts: WorkerCounts) -> list[tuple[str, ProcessRecord]]:
    return [
        (
            name,
            ProcessRecord(
                process=counts.process,
                started_ns=counts.started_ns,
                seconds=counts.seconds,
                hosts=one.hosts,
                is_whole=False,
            ),
        )
        for name, one in counts.classes.items()
    ]


def _of_process(record: ProcessRecord, process: int) -> ProcessRecord:
    if process == record.process:
        return record
    moved = (replace(one, process=process) for one in record.connections)
    return replace(record, process=process, connections=tuple(moved))


def _of_the_lost(lost: Sequence[WorkerCounts]) -> Iterable[str]:
    if lost:
        who = listed([f"process {one.process} on {one.machine}" for one in lost])
        several = many(len(lost), "worker")
        its, it = ("its", "it") if len(lost) == 1 else ("their", "they")
        yield (
            f"{several} {LEFT} ({who}): what {it} did after {its} last counts is missing here, and "
            f"the causes of {its} connections are not known."
        )


def _of_the_silent(workers: Sequence[str]) -> Iterable[str]:
    if workers:
        left = f"{many(len(workers), 'worker')} {LEFT} ({listed(workers)})"
        yield f"{left}: nothing that {'it' if len(workers) == 1 else 'they'} did is counted."


def _of_the_unreadable(workers: Sequence[str]) -> Iterable[str]:
    if workers:
        yield (
            f"reports of {many(len(workers), 'worker')} cannot be read ({listed(workers)}), and "
            "are not counted. Next: install the same version of keptalive everywhere."
        )


def _of_the_unwatched(classes: Sequence[str]) -> Iterable[str]:
    if classes:
        yield (
            f"no request of {listed(classes)} went through requests or urllib3, so none of them is "
            "counted here. Next: HttpUser, or a user of keptalive.locust, in place of FastHttpUser."
        )


def _environment(test: Test, causes: Mapping[str, Mapping[str, int]]) -> Mapping[str, Any]:
    versions: dict[str, dict[str, None]] = {}
    for one in test.records.values():
        for name, version in one.libraries.items():
            versions.setdefault(name, {})[version] = None
    system = os.uname()
    return {
        **{name: ", ".join(several) for name, several in versions.items()},
        "keptalive": VERSION,
        "system": f"{system.sysname} {system.machine}",
        "processors": os.cpu_count(),
        "workers": len(test.counts),
        "classes": {
            row.name: {
                **{key: value for key, value in as_plain(row).items() if key != "name"},
                "causes": causes.get(row.of, {}),
            }
            for row in rows(test.classes())
        },
    }
