"""Reports of workers become one report, and what is missing in it is said."""

from __future__ import annotations

import io
import sys
from collections.abc import Mapping
from dataclasses import replace

from keptalive.locust.ending import ends
from keptalive.locust.master import Test as LoadTest
from keptalive.locust.master import causes_of, records_of, report_of
from keptalive.locust.messages import (
    ClassCounts,
    UserRecord,
    WorkerCounts,
    WorkerRecords,
    packed,
    unpacked,
)
from keptalive.locust.rows import rows
from keptalive.locust.table import table
from keptalive.locust.tally import percentile_ms, rounded
from keptalive.records.connection import CloseReason, Connection, ConnectionEnd, OpeningFacts
from keptalive.records.counts import HostCounts
from keptalive.records.process import ProcessRecord

HOST = "https://api.example.com:443"


def counted_hosts(opened: int, **more: int) -> tuple[HostCounts, ...]:
    return (HostCounts(host=HOST, requests=opened, opened=opened, most_at_once=opened, **more),)


def counted(opened: int, process: int = 7, test: int = 0, **more: int) -> WorkerCounts:
    hosts = counted_hosts(opened, **more)
    return WorkerCounts(
        process=process,
        machine="box",
        started_ns=1_700_000_000_000_000_000,
        seconds=2.0,
        test=test,
        classes={"Shop": ClassCounts(users=opened, times_ms={10: opened}, hosts=hosts)},
    )


def ended(opened: int, process: int = 7, test: int = 0) -> WorkerRecords:
    counts = counted(opened, process, test)
    connections = tuple(
        Connection(
            id=number,
            process=process,
            thread=1,
            host=HOST,
            attempted_s=0.1,
            connected_s=0.2,
            served=1,
            facts=OpeningFacts(pool_is_new=True, most_at_once=number),
        )
        for number in range(1, opened + 1)
    )
    record = ProcessRecord(
        process=process,
        started_ns=counts.started_ns,
        seconds=2.0,
        hosts=counts.classes["Shop"].hosts,
        connections=connections,
    )
    return WorkerRecords(counts=counts, users=(UserRecord(name="Shop", record=record),))


def test_the_records_of_all_workers_are_one_report():
    test = LoadTest()
    test.has_ended("a", ended(2, process=7))
    test.has_ended("b", ended(3, process=8))
    report = report_of(test, causes_of(test))
    [host] = report.hosts
    assert (host.opened, host.perfect.least, report.warnings, report.lost) == (5, 5, (), ())
    assert report.environment["workers"] == 2
    assert report.environment["classes"]["Shop"]["causes"] == {"concurrency": 3, "first-use": 2}


def test_messages_survive_the_way_to_the_master():
    for message in (counted(2), ended(2)):
        assert unpacked(packed(message), type(message)) == message


def test_a_worker_that_left_has_its_last_counts_in_the_report_which_says_so():
    test = LoadTest()
    test.has_counts("a", counted(2, process=7))
    test.has_counts("b", counted(3, process=8))
    test.has_ended("b", ended(4, process=8))
    report = report_of(test, causes_of(test))
    [host] = report.hosts
    assert (host.opened, host.is_lower_bound) == (6, True)
    assert [one.process for one in report.lost] == [7]
    [warning] = report.warnings
    assert "1 worker left without a report (process 7 on box)" in warning


def test_a_worker_that_never_reported_is_named():
    test = LoadTest(expected={"a", "b"})
    test.has_ended("a", ended(1))
    [warning] = report_of(test, causes_of(test)).warnings
    assert warning == "1 worker left without a report (b): nothing that it did is counted."


def test_reports_of_another_version_are_named_and_harm_no_others():
    test = LoadTest(expected={"a", "b"})
    test.receives("a", packed(ended(2)), WorkerRecords)
    test.receives("b", {"counts": "of the future"}, WorkerRecords)
    report = report_of(test, causes_of(test))
    [warning] = report.warnings
    assert warning.startswith("reports of 1 worker cannot be read (b), and are not counted. Next:")
    assert report.hosts[0].opened == 2


def test_what_a_worker_says_late_of_a_test_counts_in_no_later_one():
    test = LoadTest(number=2, expected={"a"})
    test.receives("a", packed(counted(3, test=1)), WorkerCounts)
    test.receives("a", packed(ended(4, test=1)), WorkerRecords)
    assert (test.counts, test.awaits("a")) == ({}, True)
    test.receives("a", packed(ended(2, test=2)), WorkerRecords)
    assert (test.classes()["Shop"].users, test.awaits("a")) == (2, False)


def test_workers_in_containers_with_one_process_id_are_told_apart():
    test = LoadTest()
    test.has_ended("a", ended(1, process=1))
    test.has_ended("b", ended(1, process=1))
    processes = {record.process for _, record in records_of(test)}
    assert len(processes) == 2
    assert {one.process for one in report_of(test, causes_of(test)).connections} == processes


def test_a_row_has_the_connections_and_the_times_of_all_workers():
    test = LoadTest()
    test.has_counts("a", counted(2, process=7, reused=2))
    test.has_counts("b", counted(2, process=8, opened_unanswered=1))
    [row] = rows(test.classes())
    assert (row.users, row.opened, row.unanswered, row.enough) == (4, 4, 1, 4)
    assert (row.median_ms, row.p95_ms, round(row.reused_percent)) == (10, 10, 33)


def test_requests_that_another_client_has_sent_are_no_row_and_the_report_says_so():
    test = LoadTest()
    test.has_counts("a", replace(counted(1), classes={"Fast": ClassCounts(times_ms={10: 5})}))
    assert rows(test.classes()) == []
    assert "no request of Fast went through requests or urllib3" in report_of(test, {}).warnings[-1]


def test_a_narrow_table_says_how_many_requests_failed_where_some_did():
    def headers(failed: int) -> list[object]:
        one = ClassCounts(users=2, failed=failed, times_ms={10: 5}, hosts=counted_hosts(2))
        return [column.header for column in table(rows({"Shop": one}), width=60).columns]

    assert "failed" not in headers(0)
    assert "failed" in headers(1)


def test_clients_that_locust_makes_for_its_users_are_no_sessions_that_somebody_forgot_to_close():
    def unclosed(made_at: str) -> Mapping[str, int]:
        test, records = LoadTest(), ended(1)
        [user] = records.users
        [one] = user.record.connections
        closed = ConnectionEnd(how=CloseReason.POOL_CLOSED, collected=True)
        one = replace(one, end=closed, facts=replace(one.facts, session_location=made_at))
        record = replace(user.record, connections=(one,))
        test.has_ended("a", replace(records, users=(replace(user, record=record),)))
        return report_of(test, {}).unclosed_at

    assert unclosed("locust/runners.py:562") == {}
    assert unclosed("locustfile.py:7") == {"locustfile.py:7": 1}


def test_a_report_is_saved_though_nobody_reads_standard_error(tmp_path, monkeypatch):
    class Closed(io.StringIO):
        def write(self, _text: str) -> int:
            raise BrokenPipeError

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stderr", Closed())
    test = LoadTest()
    test.has_ended("a", ended(1))
    with (tmp_path / "output").open("w") as output:
        monkeypatch.setattr(sys, "stdout", output)
        ends(test)
        sys.stdout.write("standard output is as before")
        sys.stdout.flush()
    assert len(list(tmp_path.glob("results/run-*.json"))) == 1
    assert (tmp_path / "output").read_text() == "standard output is as before"


def test_times_are_kept_with_two_digits_as_locust_keeps_them():
    assert [rounded(ms) for ms in (0.4, 9.6, 147, 3432, 58760)] == [0, 10, 150, 3400, 59000]


def test_a_percentile_is_the_time_within_which_that_share_ended():
    times = {10: 90, 20: 5, 300: 5}
    assert [percentile_ms(times, share) for share in (0.5, 0.95, 0.99, 1)] == [10, 20, 300, 300]
    assert percentile_ms({}, 0.5) is None
