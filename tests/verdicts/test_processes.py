"""Processes of a short life, one after the other: none can reuse another's connection."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tests.causes.records import HOST, OPENING_S, STARTED_NS, opened, process

from keptalive.causes.judge import nothing_to_change, report
from keptalive.records.process import ProcessRecord
from keptalive.records.report import Finding
from keptalive.run.final_report import report_of
from keptalive.run.launch import run


def lived(number: int, began_s: float, seconds: float = 1.0, served: int = 1) -> ProcessRecord:
    """A process that opened one connection."""
    connection = opened(1, attempted_s=0.0, served=served)
    return replace(
        process(connection, number=number),
        started_ns=STARTED_NS + int(began_s * 1e9),
        seconds=seconds,
    )


def short(*records: ProcessRecord) -> list[Finding]:
    found = report(records, source="run").findings
    return [one for one in found if one.finding == "short-lived-processes"]


def test_eight_processes_one_after_the_other_are_named_with_what_they_cost():
    records = [lived(number, 2.0 * number) for number in range(8)]
    (found,) = short(*records)
    assert found.facts == {"processes": 8, "connections": 8, "processes_at_once": 1}
    assert found.seconds == pytest.approx(7 * OPENING_S)
    assert found.evidence == (
        f"8 processes, one after the other, opened 8 connections to {HOST}: no process can reuse "
        "another's connection."
    )
    assert found.cure == "Do the work in one process, with one Session."
    result = report(records, source="run")
    assert result.hosts[0].perfect.most == 8  # of each process
    assert not nothing_to_change(result.hosts[0], result.findings)


def test_a_pool_that_replaces_its_workers_is_advised_to_keep_them():
    (found,) = short(*(lived(2 * n + part, 2.0 * n) for n in range(4) for part in (0, 1)))
    assert found.facts["processes_at_once"] == 2
    assert found.cure == "Do the work in 2 processes that stay, each with one Session."
    assert found.seconds == pytest.approx(6 * OPENING_S)


@pytest.mark.parametrize(
    "records",
    [
        [lived(number, 0.1 * number, seconds=9.0) for number in range(8)],  # all at once
        [lived(number, 2.0 * number) for number in range(2)],
        [lived(number, 2.0 * number, served=500) for number in range(8)],  # none is short
    ],
)
def test_workers_that_run_beside_each_other_or_send_much_are_no_finding(records):
    assert short(*records) == []


@pytest.mark.complete
def test_a_loop_of_the_shell_is_recognised(serve, tmp_path: Path):
    server = serve()
    once = tmp_path / "once.py"
    once.write_text(f"import requests; requests.get({server.url!r})")
    words = ["sh", "-c", f"for i in 1 2 3; do {sys.executable} {once}; done"]
    ran = run(words, watcher="keptalive.run.process_watcher.begin")
    (found,) = report_of(ran, words).findings
    assert (found.finding, found.facts["processes"]) == ("short-lived-processes", 3)
    assert server.accepted == 3
