"""What a person and a CI read of two reports of a program."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console
from tests.compare.test_reports import BAD, DOUBT, GOOD, compared, lasting, new_session, program
from tests.reports import FIRST_USE, cause, host

from keptalive.compare.report_findings import ReportFindings
from keptalive.compare.verdicts import TIME, Guard
from keptalive.records.report import Report
from keptalive.render import exports, markdown
from keptalive.render.report_tables import of_reports
from keptalive.render.terminal import comparison


def said(before: object, after: object, guard: Guard | None = None) -> list[str]:
    findings = compared(before, after, guard) if guard else compared(before, after)
    return list(of_reports(findings).verdict)


def shown(findings: ReportFindings, width: int = 80) -> str:
    out = io.StringIO()
    Console(file=out, width=width).print(comparison.screen(of_reports(findings), width=width))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def test_a_regression_is_a_sentence_with_the_cause_and_the_line_of_code():
    assert said(GOOD, BAD) == [
        "REGRESSION: https://api.test opens 9 more connections: 9 × new-session at sync.py:4."
    ]


def test_the_screen_has_the_verdict_then_a_table_for_each_route_that_changed():
    other = host("https://other.test:443", FIRST_USE)
    before, after = (replace(one, hosts=(*one.hosts, other)) for one in (GOOD, BAD))
    assert shown(compared(before, after)) == (
        """\
baseline a.json, candidate b.json
same versions

REGRESSION: https://api.test opens 9 more connections: 9 × new-session at
sync.py:4.

https://api.test
                          baseline candidate change verdict
───────────────────────────────────────────────────────────
requests                        10        10      0
opened                           1        10     +9   worse
  new-session (sync.py:4)        0         9     +9    came
  first-use                      1         1      0
10 requests on both sides: compared exactly.

As before: https://other.test.
The program took 2.0 s, then 2.0 s: +0.0 %, not certain (~)."""
    )


def test_other_requests_are_compared_per_request_and_that_is_said():
    findings = compared(GOOD, program(FIRST_USE, new_session(19), requests=20))
    (line,) = of_reports(findings).verdict
    assert line == (
        "REGRESSION: https://api.test opens more connections per request (1 for 10 requests, "
        "then 20 for 20 requests): 19 × new-session at sync.py:4."
    )
    screen = shown(findings)
    assert "opened                           1        20 +1.00 per request   worse" in screen
    assert "The requests differ in number: compared per request, without the connections" in screen


def test_where_chance_may_explain_it_the_next_step_is_said():
    counts = {"most_at_once": 8}
    before = program(FIRST_USE, cause("concurrency", 6), **counts)
    after = program(FIRST_USE, cause("concurrency", 7), **counts)
    findings = compared(before, after)
    assert said(before, after) == ["No regression; 1 of 3 counts inconclusive (~)."]
    assert "Up to 8 requests ran at once, so this may be chance. Next: compare several" in shown(
        findings
    )


def test_nothing_changed_is_two_lines():
    assert shown(compared(BAD, BAD)).splitlines()[3:] == [
        "No regression.",
        "",
        "As before: https://api.test.",
        "The program took 2.0 s, then 2.0 s: +0.0 %, not certain (~).",
    ]


def test_new_and_gone_hosts_are_named():
    other = program(FIRST_USE, new_session(2, "new.py:1"), name="https://b.test:443", requests=3)
    both = replace(GOOD, hosts=(*GOOD.hosts, *other.hosts))
    assert said(GOOD, both) == [
        "No regression.",
        "New: https://b.test, 3 requests, 3 opened: 2 × new-session at new.py:1 and 1 × first-use.",
    ]
    assert said(both, GOOD) == ["NOT COMPARABLE: https://b.test: not in the candidate."]
    assert said(both, GOOD, Guard(measures=frozenset())) == [
        "No regression.",
        "Gone: https://b.test.",
    ]


def test_what_is_better_or_worse_but_not_guarded_is_said():
    assert said(BAD, GOOD) == [
        "No regression.",
        "Better: https://api.test opens 9 fewer connections: 9 × new-session at sync.py:4.",
    ]
    time = Guard(measures=frozenset({"attempts"}))
    assert said(GOOD, BAD, time)[1].startswith("Worse, but not guarded: https://api.test opens 9")


def test_dropped_connections_and_retries_are_counted_in_words():
    dropped = program(FIRST_USE, cause("idle-timeout", 2), reopened=2, attempts=11)
    (line,) = said(GOOD, dropped)
    assert line == (
        "REGRESSION: https://api.test opens 2 more connections: 2 × idle-timeout, "
        "and sends 1 more request."
    )


def test_a_count_that_may_be_too_low_is_explained():
    findings = compared(GOOD, replace(GOOD, doubts=(DOUBT,), warnings=(DOUBT,)))
    (line,) = of_reports(findings).verdict
    assert line.startswith("NOT COMPARABLE: https://api.test: candidate: its counts may be too low")
    assert "! candidate: process 7" in shown(findings)


def test_the_time_of_several_runs_has_its_interval():
    six = lasting(1.0, 1.1, 1.2, 1.3, 1.4, 1.5), lasting(3.0, 3.1, 3.2, 3.3, 3.4, 3.5)
    assert said(*six)[1] == "Worse, but not guarded: the program takes 160 % longer."
    assert said(*six, Guard(measures=frozenset({TIME})))[0].startswith("REGRESSION: the program")
    assert "The program took 1.2 s, then 3.2 s: +160 % [+121, +210], worse." in shown(
        compared(*six)
    )
    alone = said(lasting(1.0), lasting(3.0), Guard(measures=frozenset({TIME})))
    assert alone == [
        "NOT COMPARABLE: the program's time: only 1 report on a side; times need at least 6."
    ]


def test_of_many_hosts_some_have_a_sentence_and_all_are_counted():
    def hosts(report: Report, count: int = 8) -> Report:
        named = [replace(report.hosts[0], host=f"https://h{n}.test:443") for n in range(count)]
        return replace(report, hosts=tuple(named))

    view = of_reports(compared(hosts(GOOD, 23), hosts(BAD, 23)))
    assert len(view.tables) == 20
    assert view.more[0] == "And 3 more hosts changed: --json has all of them."
    lines = said(hosts(GOOD), hosts(BAD))
    assert len(lines) == 6
    assert lines[-1] == "REGRESSION: 3 more hosts."


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_every_line_fits(width):
    place = "a/very/long/path/in/the/program/that/somebody/has/written/sync.py:4"
    findings = compared(GOOD, program(FIRST_USE, new_session(9, place)))
    assert max(map(len, shown(findings, width).splitlines())) <= width


def test_markdown_has_the_verdict_first_and_a_table():
    text = markdown.comparison(of_reports(compared(GOOD, BAD)))
    lines = text.splitlines()
    assert lines[2].startswith("**REGRESSION: https://api.test opens 9 more connections")
    assert "|  | baseline | candidate | change | verdict |" in lines
    assert "| opened | 1 | 10 | +9 | **worse** |" in lines
    assert "| new-session (sync.py:4) | 0 | 9 | +9 | came |" in lines


def test_the_annotation_is_at_the_line_of_code_of_the_first_regression():
    view = of_reports(compared(GOOD, BAD))
    assert (view.place, view.fails) == ("sync.py:4", True)
    assert view.headline == "keptalive compare: a regression"
    assert of_reports(compared(BAD, GOOD)).place == ""
    retried = replace(BAD, hosts=(replace(BAD.hosts[0], attempts=12),))
    view = of_reports(compared(BAD, retried))
    assert (view.place, view.fails) == ("", True)


def test_the_json_has_every_row_and_every_cause():
    findings = compared(GOOD, BAD)
    document = exports.document_of_reports(findings, of_reports(findings))
    assert (document["compared"], document["outcome"]) == ("reports", "regression")
    (route,) = document["hosts"]
    assert route["host"] == "https://api.test:443"
    assert (route["via"], route["was"]) == (None, None)
    opened = route["rows"][0]
    assert opened["measure"] == "opened"
    assert (opened["baseline"], opened["candidate"], opened["basis"]) == (1, 10, "exact")
    assert (opened["verdict"], opened["regression"]) == ("worse", True)
    assert opened["change"] == {"median": 9, "low": None, "high": None}
    assert route["causes"][0] == {
        "cause": "new-session",
        "members": None,
        "baseline": 0,
        "candidate": 9,
        "places": {"sync.py:4": 9},
        "change": 9,
    }


def test_of_a_process_that_was_killed_it_is_said_what_is_missing():
    killed = replace(GOOD, hosts=(replace(GOOD.hosts[0], is_lower_bound=True),))
    screen = shown(compared(GOOD, killed))
    assert "A process was killed: its last requests are not counted, but its connections" in screen


def test_another_name_in_the_baseline_is_said():
    moved = program(FIRST_USE, name="https://staging.test:443")
    assert "In the baseline: https://api.test.\n" in shown(compared(GOOD, moved))


def test_a_proxy_that_came_is_said():
    proxied = replace(GOOD, hosts=(replace(GOOD.hosts[0], via="http://proxy.test:3128"),))
    was, now = "In the baseline: https://api.test", "http://proxy.test:3128"
    assert f"{was}, without that proxy." in shown(compared(GOOD, proxied))
    assert f"{was} via {now}." in shown(compared(proxied, GOOD))


def test_of_several_reports_that_differ_it_is_said_what_the_change_is():
    def side(*opened: int) -> list[Report]:
        return [program(FIRST_USE, new_session(one - 1), requests=40) for one in opened]

    few = compared(side(2, 9), side(5, 12))
    assert "The reports of a side differ. Next: compare at least 4 of each side." in shown(few)
    findings = compared(side(2, 3, 4, 6), side(20, 21, 22, 29))
    screen = " ".join(shown(findings).split())
    assert "baseline a.json (4 reports), candidate b.json (4 reports)" in screen
    assert "opened 3.8 23 +18" in screen
    assert "The columns are means; the change is the median of all differences" in screen
