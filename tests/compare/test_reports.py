"""Reports of a program, before and after: which verdicts, which causes, what limits them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.reports import FIRST_USE, cause, host

from keptalive.causes.catalogue import CATALOGUE
from keptalive.compare.counted import STEADY
from keptalive.compare.host_patterns import host_pattern
from keptalive.compare.report_findings import ReportFindings, found
from keptalive.compare.reports import OF_COUNTS, without_hosts
from keptalive.compare.sides import GONE, NEW
from keptalive.compare.verdicts import (
    BETTER,
    NOT_COMPARABLE,
    NOT_SHOWN,
    SAME,
    TIME,
    WORSE,
    Guard,
)
from keptalive.records.report import Cause, HostReport, LostProcess, Range, Report

API = "https://api.test:443"


def new_session(count: int, *places: str) -> Cause:
    at = dict.fromkeys(places or ("sync.py:4",), count)
    return cause("new-session", count, facts={"sessions_at": at, "sessions_through_at": {"x": 1}})


def report(*hosts: HostReport, **more) -> Report:
    return Report(**{"source": "run", "seconds": 2.0, "command": ("sync.py",), **more}, hosts=hosts)


def program(*causes: Cause, requests: int = 10, name: str = API, **more) -> Report:
    """A report of a program that sends so many requests to one host."""
    opened = sum(one.count for one in causes)
    counts = {"requests": requests, "attempts": requests, "reused": requests - opened, **more}
    return report(host(name, *causes, **counts))


GOOD, BAD = program(FIRST_USE), program(FIRST_USE, new_session(9))


def compared(before: object, after: object, guard: Guard = OF_COUNTS) -> ReportFindings:
    sides = [one if isinstance(one, list) else [one] for one in (before, after)]
    return found(("a.json", sides[0]), ("b.json", sides[1]), guard=guard)


def verdicts(findings: ReportFindings) -> dict[str, str]:
    """Of the first route, by measure."""
    return {row.measure: row.verdict for row in findings.comparison.routes[0].rows}


def reason(findings: ReportFindings) -> str | None:
    return findings.comparison.routes[0].rows[0].reason


def test_steady_causes_are_causes():
    assert set(CATALOGUE) >= STEADY


def test_more_connections_are_a_regression_with_their_cause_and_its_place():
    findings = compared(GOOD, BAD)
    assert findings.outcome == "regression"
    assert verdicts(findings) == {"opened": WORSE, "reopened": SAME, "attempts": SAME}
    came, kept = findings.comparison.routes[0].causes
    assert (came.cause, came.change, came.places) == ("new-session", 9, {"sync.py:4": 9})
    assert (kept.cause, kept.change) == ("first-use", 0)


def test_the_way_back_is_better_and_fine():
    findings = compared(BAD, GOOD)
    assert (findings.outcome, verdicts(findings)["opened"]) == ("fine", BETTER)
    (went, _) = findings.comparison.routes[0].causes[::-1]
    assert went.cause == "first-use"
    assert findings.comparison.routes[0].causes[0].places == {"sync.py:4": 9}


def test_a_report_against_itself_is_the_same():
    findings = compared(BAD, BAD)
    assert (findings.outcome, set(verdicts(findings).values())) == ("fine", {SAME})
    assert (findings.differences, findings.warnings) == ((), ())


def test_a_new_host_cannot_fail_and_one_that_is_gone_cannot_be_checked():
    other = host("https://other.test:443", FIRST_USE)
    both = replace(GOOD, hosts=(*GOOD.hosts, other))
    new, gone = compared(GOOD, both), compared(both, GOOD)
    assert [route.rows[0].reason for route in new.comparison.routes] == [None, NEW]
    assert [route.rows[0].reason for route in gone.comparison.routes] == [None, GONE]
    assert (new.outcome, gone.outcome) == ("fine", "not comparable")
    assert compared(both, GOOD, Guard(measures=frozenset())).outcome == "fine"


def test_hosts_may_be_left_out():
    other = host("https://telemetry.test:443", FIRST_USE)
    both = replace(GOOD, hosts=(*GOOD.hosts, other))
    assert without_hosts(both, [host_pattern("*.test")]).hosts == ()
    assert without_hosts(both, [host_pattern("telemetry.test")]) == GOOD


def test_without_any_connection_there_is_nothing_to_compare():
    assert compared(report(), report()).outcome == "not comparable"
    assert compared(report(), GOOD).outcome == "not comparable"


@pytest.mark.parametrize(
    ("unknown", "said"),
    [
        (
            {"opened": None, "perfect": None},
            "the candidate does not show how many connections were opened",
        ),
        ({"requests": None}, "the candidate does not show how many requests were sent"),
        ({"reused": None}, "the candidate does not show how many requests were sent"),
    ],
)
def test_what_a_log_does_not_show_is_not_comparable(unknown, said):
    log = replace(GOOD, source="log", hosts=(replace(GOOD.hosts[0], **unknown),))
    findings = compared(GOOD, log)
    assert (findings.outcome, reason(findings)) == ("not comparable", said)


def test_of_two_logs_that_do_not_show_openings_nothing_is_comparable():
    counts = {"opened": None, "perfect": None, "begun": 4}
    log = replace(GOOD, source="log", hosts=(replace(GOOD.hosts[0], **counts),))
    said = "the baseline does not show how many connections were opened"
    assert {row.reason for row in compared(log, log).comparison.rows} == {said}


def test_of_ranges_the_log_is_taken_at_its_word_and_that_is_said():
    counts = {"perfect": Range(least=1, most=10), "most_at_once": None}
    log = replace(BAD, source="log", hosts=(replace(BAD.hosts[0], **counts),))
    findings = compared(replace(GOOD, source="log"), log)
    assert verdicts(findings)["opened"] == WORSE
    assert "which requests ran in parallel" in findings.warnings[0]
    unknown = replace(log, hosts=(replace(BAD.hosts[0], attempts=None),))
    attempts = compared(unknown, unknown).comparison.routes[0].rows[2]
    assert attempts.reason == "the baseline does not show attempts"
    mixed = compared(GOOD, log)
    assert mixed.warnings[0].startswith("Only one side was read from a log")
    assert mixed.comparison.time is None


def test_a_candidate_of_which_no_request_was_answered_is_not_better():
    failed = program(opened=0, reused=0, unanswered=10, errors={"ConnectionError": 10})
    findings = compared(BAD, failed)
    assert findings.outcome == "not comparable"
    assert reason(findings) == "no request of the candidate was answered"


DOUBT = "process 7 (sync.py, Python 3.11) was not watched: no room."


def test_a_candidate_that_was_counted_in_part_passes_no_gate_but_may_fail_one():
    partly = replace(GOOD, doubts=(DOUBT,))
    findings = compared(GOOD, partly)
    assert findings.outcome == "not comparable"
    assert reason(findings) == f"candidate: its counts may be too low: {DOUBT[:-1]}"
    assert compared(GOOD, replace(BAD, doubts=(DOUBT,))).outcome == "regression"


def test_a_baseline_that_was_counted_in_part_proves_no_regression():
    partly = replace(GOOD, doubts=(DOUBT,))
    assert compared(partly, BAD).outcome == "not comparable"
    assert verdicts(compared(partly, GOOD))["opened"] == NOT_SHOWN
    assert verdicts(compared(replace(BAD, doubts=(DOUBT,)), GOOD))["opened"] == BETTER


def test_processes_that_each_send_one_request_at_a_time_are_no_concurrency():
    def of_processes(opened: int, *causes: Cause) -> Report:
        route = host(API, *causes, requests=40, attempts=40, reused=40 - opened, most_at_once=4)
        route = replace(route, perfect=Range(least=4, most=4))
        connections = tuple(connection(number, number % 4) for number in range(opened))
        return report(route, connections=connections)

    four = cause("first-use", 4)
    findings = compared(of_processes(4, four), of_processes(5, four, new_session(1)))
    assert verdicts(findings)["opened"] == WORSE


def connection(number: int, process: int):
    from tests.reports import whole

    (one,) = whole().connections
    return replace(one, id=number, host=API, via=None, process=process)


# -- The time of the program ---------------------------------------------------------------------


def lasting(*seconds: float) -> list[Report]:
    return [replace(GOOD, seconds=one) for one in seconds]


def test_the_time_of_one_report_shows_nothing_and_of_six_it_does():
    findings = compared(lasting(1.0), lasting(3.0))
    assert (findings.comparison.time.verdict, findings.outcome) == (NOT_SHOWN, "fine")
    six = lasting(1.0, 1.1, 1.2, 1.3, 1.4, 1.5), lasting(3.0, 3.1, 3.2, 3.3, 3.4, 3.5)
    assert compared(*six).comparison.time.verdict == WORSE
    assert compared(*six).outcome == "fine"  # seconds are guarded only if somebody wants that
    assert compared(*six, Guard(measures=frozenset({TIME}))).outcome == "regression"


def test_a_guarded_time_needs_six_reports():
    findings = compared(lasting(1.0), lasting(3.0), Guard(measures=frozenset({TIME})))
    assert findings.outcome == "not comparable"
    row = findings.comparison.time
    assert row.reason == "only 1 report on a side; times need at least 6"


def test_a_log_without_times_has_no_time():
    assert compared(replace(GOOD, seconds=None), GOOD).comparison.time is None


# -- Around the numbers --------------------------------------------------------------------------


def test_what_else_differs_is_named():
    before = replace(GOOD, environment={"urllib3": "2.7.0", "system": "Linux", "processors": 2})
    after = replace(GOOD, environment={"urllib3": "2.8.0", "system": "Linux"}, command=("new.py",))
    findings = compared(before, after)
    named = [(one.name, one.baseline, one.candidate) for one in findings.differences]
    assert named == [("program", "sync.py", "new.py"), ("urllib3", "2.7.0", "2.8.0")]
    assert findings.baseline.machine == "Linux, 2 processors"


def test_the_reports_own_warnings_are_named_with_their_side():
    before = replace(GOOD, warnings=("Both.", "Old."))
    after = replace(GOOD, warnings=("New.", "Both."))
    assert compared(before, after).warnings == (
        "both sides: Both.",
        "baseline: Old.",
        "candidate: New.",
    )
    many = replace(GOOD, warnings=tuple(map(str, range(9))))
    assert compared(GOOD, many).warnings[-1] == "And 5 more warnings: the reports have them."


def test_of_lost_processes_it_is_said_once_how_many():
    before, after = (
        replace(
            GOOD,
            lost=(LostProcess(process=pid, program="sync.py", seen=True),),
            warnings=(f"process {pid} (sync.py, Python 3.11.7) left without a report (killed)",),
        )
        for pid in (11, 12)
    )
    assert compared(before, after).warnings == (
        "both sides: 1 process left without a report: its last requests may be missing.",
    )


def test_anonymised_hosts_are_compared_by_their_numbers_and_that_is_said():
    hidden = program(FIRST_USE, name="https://host1.example:443")
    assert compared(hidden, hidden).warnings[0].startswith("Both sides are anonymised: a host may")
    assert compared(GOOD, hidden).warnings[0].startswith("Only the candidate is anonymised, so")
    assert compared(hidden, GOOD).warnings[0].startswith("Only the baseline is anonymised, so")


def test_several_reports_are_means_and_name_the_places_of_the_fullest():
    before = [GOOD, GOOD]
    after = [BAD, program(FIRST_USE, new_session(4, "other.py:9"))]
    (route,) = compared(before, after).comparison.routes
    assert (route.rows[0].baseline, route.rows[0].candidate) == (1, 7.5)
    assert (route.causes[0].candidate, route.causes[0].places) == (6.5, {"sync.py:4": 9})
    assert route.rows[0].verdict == WORSE


def test_facts_of_a_file_may_be_anything():
    strange = cause("new-session", 9, facts={"sessions_at": {"a.py:1": "x"}, "requests_at": 3})
    assert compared(GOOD, program(FIRST_USE, strange)).comparison.routes[0].causes[0].places == {}


def test_a_route_in_part_of_the_reports_counts_as_none_in_the_others():
    other = host("https://other.test:443", FIRST_USE)
    both = replace(GOOD, hosts=(*GOOD.hosts, other))
    findings = compared([both, GOOD], [both, both])
    assert {row.verdict for row in findings.comparison.rows} <= {SAME, NOT_SHOWN, NOT_COMPARABLE}
    assert findings.outcome == "fine"
