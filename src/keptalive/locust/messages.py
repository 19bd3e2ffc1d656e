"""What a worker sends to the master: often counts, and at the end of a test the records.

All of it is plain data for Locust's messages; who reads it checks every type.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from keptalive.records.counts import HostCounts
from keptalive.records.plain import as_plain
from keptalive.records.process import ProcessRecord

KEY = "keptalive"  # in Locust's reports, and the name of the message with the records
Kind = TypeVar("Kind")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassCounts:
    """What the users of one class have done so far, on one worker.

    Attributes:
        users: how many there have been.
        failed: requests that Locust counts as failures.
        times_ms: how many requests took so many milliseconds; as rounded as Locust's own.
        hosts: their connections, the counts of all users of a route together.
    """

    users: int = 0
    failed: int = 0
    times_ms: Mapping[int, int] = field(default_factory=dict)
    hosts: tuple[HostCounts, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerCounts:
    """What a worker reports while a test runs.

    Attributes:
        process: its process id.
        machine: the name of its machine.
        started_ns: when it began to watch this test, in nanoseconds since 1970, by its clock.
        seconds: for how long it has watched.
        test: the number that the master has given to it; 0 if there is no master.
        classes: by the names of the classes; an empty name is for what no user of ours sends.
    """

    process: int
    machine: str
    started_ns: int
    seconds: float
    test: int = 0
    classes: Mapping[str, ClassCounts] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class UserRecord:
    """What was recorded of one user, as if it were a process."""

    name: str
    record: ProcessRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRecords:
    """What a worker reports when a test has ended.

    Attributes:
        counts: the last ones.
        users: one for each user, and one for the process itself.
        libraries: versions of what it ran with.
    """

    counts: WorkerCounts
    users: tuple[UserRecord, ...]
    libraries: Mapping[str, str] = field(default_factory=dict)


def packed(message: WorkerCounts | WorkerRecords) -> dict[str, Any]:
    """The message as plain data."""
    plain: dict[str, Any] = as_plain(message)
    return plain


def unpacked(plain: Any, kind: type[Kind]) -> Kind:
    """The message of this kind that this is.

    Raises:
        ValueError: it is none, perhaps of another version of keptalive.
    """
    return msgspec.convert(plain, kind)  # its errors are ValueErrors
