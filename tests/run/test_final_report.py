"""One report of all processes: judged together, with what was run and with which versions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from keptalive.records.connection import CloseReason, Connection, ConnectionEnd, OpeningFacts
from keptalive.records.counts import HostCounts
from keptalive.records.plain import as_plain
from keptalive.records.process import ProcessRecord
from keptalive.run.collect import Ran, collected
from keptalive.run.final_report import report_of, shown_command
from keptalive.run.folder import seal
from keptalive.run.process import Ended

HOST = "https://api.example.com:443"
ENDED = Ended(
    exit_code=0,
    seconds=70.0,
    cpu_seconds=1.0,
    signals=(),
    pid=101,
    python="python",
    ignores_path=False,
)


def opened_twice(pid: int, *, survived_s: float, died_s: float) -> ProcessRecord:
    """A process whose connection served after one idle time, and was found closed after another."""
    began = survived_s + died_s
    first = Connection(
        id=1,
        process=pid,
        thread=1,
        host=HOST,
        connected_s=0.1,
        ended_s=began,
        phases={"connect": 0.02, "tls": 0.08},
        served=2,
        longest_idle_s=survived_s,
        end=ConnectionEnd(how=CloseReason.FIN, idle_s=died_s),
        facts=OpeningFacts(pool_is_new=True),
    )
    second = Connection(
        id=2,
        process=pid,
        thread=1,
        host=HOST,
        attempted_s=began,
        connected_s=began + 0.1,
        phases={"connect": 0.02, "tls": 0.08},
        served=1,
        replaces=1,
        facts=OpeningFacts(reconnect=True),
    )
    counts = HostCounts(
        host=HOST,
        requests=3,
        connects=2,
        opened=2,
        reopened=1,
        reused=1,
        most_at_once=1,
        seconds_opening=0.2,
        phases={"connect": 0.04, "tls": 0.16},
        longest_survived_s=survived_s,
        most_served=2,
    )
    return ProcessRecord(
        process=pid,
        started_ns=pid * 10**9,
        seconds=began + 1,
        hosts=(counts,),
        connections=(first, second),
    )


def left_by(tmp_path: Path, *records: ProcessRecord, libraries: Mapping[int, str]) -> Ran:
    """What is collected where these processes have left their records."""
    folder = tmp_path / "reports"
    folder.mkdir()
    seal(folder)
    for record in records:
        whole = {
            "pid": record.process,
            "parent": 1,
            "program": "sync.py",
            "python": "3.11.7",
            "libraries": {"requests": libraries[record.process]},
            "ended": "exit",
            "warnings": [],
            "report": as_plain(record),
        }
        stem = f"{record.process}-{record.started_ns:x}"
        (folder / f"{stem}.started").touch()
        (folder / f"{stem}.json").write_text(json.dumps(whole))
    return collected(folder, ENDED, frozenset())


@pytest.fixture
def ran(tmp_path) -> Ran:
    """Three processes, as if three servers stood behind one name."""
    return left_by(
        tmp_path,
        opened_twice(101, survived_s=55, died_s=61),
        opened_twice(102, survived_s=3, died_s=6),
        opened_twice(103, survived_s=40, died_s=30),
        libraries={101: "2.32.3", 102: "2.32.3", 103: "2.28.0"},
    )


def test_idle_times_of_all_processes_make_one_cure(ran):
    report = report_of(ran, ["sync.py"])
    (host,) = report.hosts
    causes = {cause.cause: cause for cause in host.causes}
    assert {name: cause.count for name, cause in causes.items()} == {
        "idle-timeout": 3,
        "first-use": 3,
    }
    assert 3 <= causes["idle-timeout"].facts["max_idle_s"] < 6
    assert causes["idle-timeout"].cure.startswith("tuned_session() learns when the server closes")


def test_processes_cannot_share_connections_so_each_needs_its_own(ran):
    (host,) = report_of(ran, ["sync.py"]).hosts
    assert host.perfect is not None
    assert (host.opened, host.perfect.least, host.perfect.most) == (6, 3, 3)


def test_times_are_seconds_since_the_first_process_began(ran):
    report = report_of(ran, ["sync.py"])
    attempted = {(one.process, one.attempted_s) for one in report.connections}
    assert attempted == {(101, 0), (101, 116), (102, 1), (102, 10), (103, 2), (103, 72)}
    assert report.started_at == "1970-01-01T00:01:41.000+00:00"


def test_the_report_says_what_was_run_for_how_long_and_with_which_versions(ran):
    report = report_of(ran, ["sync.py", "--all"])
    assert (report.source, report.command, report.seconds) == ("run", ("sync.py",), 70.0)
    assert report.environment["python"] == "3.11.7"
    assert report.environment["requests"] == "2.32.3, 2.28.0"


def test_without_any_record_there_is_a_report_that_says_so(tmp_path):
    report = report_of(left_by(tmp_path, libraries={}), ["hello.py"])
    assert (report.hosts, report.connections, report.seconds) == ((), (), 70.0)
    assert "python" not in report.environment


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["sync.py", "--all", "7"], ["sync.py"]),
        (["a.py", "s3cr3t"], ["a.py"]),
        (["-m", "pytest", "-k", "s3cr3t"], ["-m", "pytest"]),
        (["python", "a.py", "s3cr3t"], ["python", "a.py"]),
        (
            ["/usr/bin/python3.11", "-W", "error", "-u", "a.py", "s3cr3t"],
            ["/usr/bin/python3.11", "-W", "error", "-u", "a.py"],
        ),
        (["python", "-m", "pytest", "s3cr3t"], ["python", "-m", "pytest"]),
        (["python", "-c", "token = 's3cr3t'"], ["python", "-c"]),
        (["python"], ["python"]),
        (["gunicorn", "--env", "TOKEN=s3cr3t", "app"], ["gunicorn"]),
        (["https://me:pw@x.org/a.py"], ["https://[hidden]@x.org/a.py"]),
    ],
)
def test_of_the_command_only_the_program_is_shown_since_arguments_may_be_secret(words, shown):
    assert shown_command(words) == tuple(shown)
