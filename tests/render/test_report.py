"""A report as a person reads it: the verdict first, one screen, 80 columns."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console
from tests.hostile.words import HOSTILE, LONG, faults_in
from tests.reports import FIRST_USE, cause, host, whole

from keptalive.cli.output import Screen
from keptalive.records.plain import with_texts
from keptalive.records.report import Cause, Finding, HostReport, Range, Report
from keptalive.render import report_sentences
from keptalive.render import verdict as verdicts
from keptalive.render.next_step import next_step
from keptalive.render.report_sentences import About
from keptalive.render.terminal.report import screen


def lines_of(report: Report, *, width: int = 80, hosts_shown: int | None = None) -> list[str]:
    file = io.StringIO()
    Console(file=file, width=width, color_system=None).print(
        screen(report, hosts_shown=hosts_shown)
    )
    return [line.rstrip() for line in file.getvalue().splitlines()]


def shown(*hosts: HostReport, width: int = 80, hosts_shown: int | None = None, **more: Any) -> str:
    """The whole screen of a watch of these routes."""
    report = Report(**{"source": "watch", "hosts": hosts, **more})
    return "\n".join(lines_of(report, width=width, hosts_shown=hosts_shown)).strip("\n")


GITHUB = host(
    "https://api.github.com:443",
    cause(
        "idle-timeout",
        13,
        3.8,
        evidence="Idle 71 s before each (sync.py:48). 57 s idle was survived, 61 s was not. The "
        "server had closed it (TLS close).",
        cure="Send requests at least every 55 s, or use tuned_session(): the new connection then "
        "costs 60 ms instead of 290 ms.",
    ),
    FIRST_USE,
    requests=120,
    attempts=120,
    reused=106,
    seconds_saved=3.8,
    phases={"ca_bundle": 2.9, "tls": 0.8, "dns": 0.01, "rest": 0.39},
)
FINE = host("https://fine.test:443", FIRST_USE, seconds_saved=0.0)
BAD = host("https://bad.test:443", cause("new-session", 3, 1.5), FIRST_USE, seconds_saved=1.5)


@pytest.fixture(autouse=True)
def _meanings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Words for causes that do not change with the catalogue's."""
    words = {
        "idle-timeout": "the server closes idle connections",
        "new-session": "a new Session began with an empty pool",
        "dropped": "found closed",
        "failed-request": "the request before failed",
    }
    monkeypatch.setattr(
        "keptalive.render.terminal.report.meaning_of", lambda name, _facts: words[name]
    )


# -- Whole screens -------------------------------------------------------------------------------


def test_one_host_is_shown_with_the_verdict_its_causes_evidence_and_cures():
    report = {
        "source": "run",
        "command": ("sync.py", "--all"),
        "seconds": 940.0,
        "left_open": 1,
        "left_at": ("sync.py:12",),
        "warnings": ("2 processes were killed: what they did after their last note is missing.",),
    }
    assert shown(GITHUB, **report) == (
        """\
keptalive: sync.py --all, 15 min 40 s
13 of 14 connections were not necessary; 3.8 s of 15 min 40 s could be saved.

https://api.github.com   120 requests, 14 connections, 1 would be enough
4.1 s went into opening connections (CA bundle 2.9 s, TLS 800 ms).

  13 ×  idle-timeout: the server closes idle connections                   3.8 s
        Idle 71 s before each (sync.py:48). 57 s idle was survived, 61 s was
        not. The server had closed it (TLS close).
        → Send requests at least every 55 s, or use tuned_session(): the new
          connection then costs 60 ms instead of 290 ms.

   1 ×  first-use (necessary)                                             300 ms

Left open at the end: 1 connection (Session made at sync.py:12). Use
  session.close(), or a with statement.
! 2 processes were killed: what they did after their last note is missing.

Next: keptalive bench --program 'python sync.py --all [ARGS]' times it as it
  is, and with tuned Sessions."""
    )


def test_the_same_screen_has_60_columns_where_the_terminal_has():
    report = {"source": "run", "command": ("sync.py",), "seconds": 940.0}
    assert shown(GITHUB, width=60, **report) == (
        """\
keptalive: sync.py, 15 min 40 s
13 of 14 connections were not necessary; 3.8 s of 15 min 40
s could be saved.

https://api.github.com
   120 requests, 14 connections, 1 would be enough
4.1 s went into opening connections (CA bundle 2.9 s, TLS
800 ms).

  13 ×  idle-timeout: the server closes idle           3.8 s
        connections
        Idle 71 s before each (sync.py:48). 57 s idle was
        survived, 61 s was not. The server had closed it
        (TLS close).
        → Send requests at least every 55 s, or use
          tuned_session(): the new connection then costs 60
          ms instead of 290 ms.

   1 ×  first-use (necessary)                         300 ms

Next: keptalive bench --program 'python sync.py [ARGS]'
  times it as it is, and with tuned Sessions."""
    )


def test_several_hosts_are_summed_up_first_and_those_that_are_fine_take_a_line_each():
    tunnel = replace(
        BAD,
        host="https://api.example.com:443",
        via="http://proxy.test:3128",
        requests=6,
        attempts=9,
        unanswered=3,
        errors={"ReadTimeout": 2, "ConnectionResetError": 1},
    )
    finding = Finding(
        finding="ca-bundle",
        host="https://bad.test:443",
        evidence="1.2 s of 1.8 s went into loading the CA bundle.",
        cure="tuned_session() loads it once.",
        seconds=1.0,
    )
    assert shown(BAD, FINE, tunnel, seconds=9.0, findings=(finding,)) == (
        """\
keptalive: watched for 9.0 s
6 of 9 connections to 3 hosts were not necessary; 3.0 s of 9.0 s could be saved.

https://bad.test   6 requests, 4 connections, 1 would be enough
1.8 s went into opening connections; 1.5 s could be saved.

   3 ×  new-session: a new Session began with an empty pool                1.5 s
        Seen.
        → Change this.

   1 ×  first-use (necessary)                                             300 ms

https://api.example.com via http://proxy.test:3128
   6 requests (9 sent in total), 4 connections, 1 would be enough, 3 tries
   without a response (2 × ReadTimeout and 1 × ConnectionResetError)
1.8 s went into opening connections; 1.5 s could be saved.

   3 ×  new-session: a new Session began with an empty pool                1.5 s
        Seen.
        → Change this.

   1 ×  first-use (necessary)                                             300 ms

https://fine.test   3 requests, 1 connection
Nothing to change for this host.

  also  ca-bundle: 1.2 s of 1.8 s went into loading the CA bundle.         1.0 s
        (https://bad.test)
        → tuned_session() loads it once."""
    )


LOG = host(
    "https://api.example.com:443",
    cause(
        "dropped",
        11,
        None,
        evidence="Idle for at least 2.6 s.",
        members=("idle-timeout", "server-closed", "server-reset", "timeout-408", "http-1.0"),
    ),
    replace(FIRST_USE, seconds=None),
    perfect=Range(least=1, most=12),
    opened_unanswered=None,
    unanswered=None,
    most_at_once=None,
)


def test_of_a_log_there_are_ranges_and_sets_of_causes_and_no_times():
    assert shown(LOG, source="log") == (
        """\
Up to 11 of 12 connections were not necessary.

https://api.example.com   14 requests, 12 connections, 1 to 12 would be enough

  11 ×  dropped: found closed
        Idle for at least 2.6 s.
        May be idle-timeout, server-closed, server-reset or 2 others.
        → Change this.

   1 ×  first-use (necessary)

The log does not show whether these connections ran in parallel. Lower number:
none did; higher: all did.

Next: keptalive run PROGRAM shows each cause for certain, and its cost."""
    )


def test_a_log_with_warnings_only_shows_what_it_has():
    unknown = dict.fromkeys(
        ("requests", "attempts", "opened", "opened_unanswered", "reused", "unanswered", "perfect")
    )
    warned = host("thermostat.example.com", **unknown, discarded=24, pool_size=10)
    assert shown(warned, source="log") == (
        """\
A pool is too small: 24 connections discarded.

thermostat.example.com   24 connections discarded by a full pool of 10

Next: keptalive run PROGRAM shows each cause for certain, and its cost."""
    )


def test_nothing_to_change_is_the_verdict_and_causes_stand_without_cures():
    threads = host(
        "https://fine.test:443",
        cause("new-session", 2, 0.002),
        FIRST_USE,
        perfect=Range(least=3, most=3),
        seconds_saved=0.0,
    )
    assert shown(threads) == (
        """\
Nothing to change.

https://fine.test   5 requests, 3 connections, all necessary
302 ms went into opening connections.

   2 ×  new-session: a new Session began with an empty pool               2.0 ms
        Seen.

   1 ×  first-use (necessary)                                             300 ms"""
    )


def test_connections_that_were_never_answered_have_their_causes():
    down = host(
        "https://down.test:443",
        Cause(cause="failed-request", count=0, unanswered=2, seconds=0.2, evidence="It failed."),
        Cause(cause="first-use", count=0, unanswered=1, seconds=0.1),
        requests=1,
        attempts=3,
        reused=0,
        opened_unanswered=3,
        unanswered=3,
        errors={"ReadTimeout": 3},
        seconds_saved=0.0,
    )
    assert shown(down) == (
        """\
No response came: 3 tries failed.

https://down.test
   1 request (3 sent in total), 3 connections never answered, 3 tries without a
   response (ReadTimeout)
300 ms went into opening connections.

   2 ×  failed-request: the request before failed                         200 ms
        It failed.
        Connected, but no response came.

   1 ×  first-use (necessary)                                             100 ms"""
    )


def test_that_nothing_was_seen_is_said():
    assert shown() == verdicts.NOTHING_SEEN


SUM = Finding(
    finding="ca-bundle",
    host=None,
    facts={"hosts": ["https://fine.test:443", "https://also.test:443"]},
    evidence="It was loaded 2 times.",
    cure="tuned_session() loads it once.",
    seconds=0.02,
)


def test_nothing_to_change_does_not_stand_beside_a_finding_over_several_hosts():
    other = replace(FINE, host="https://also.test:443")
    assert shown(FINE, other, seconds=0.2, findings=(SUM,)).splitlines()[1:6] == [
        "Connections are reused as they should be; 20 ms of 200 ms could be saved",
        "otherwise: see the other finding below.",
        "",
        "https://fine.test   3 requests, 1 connection",
        "https://also.test   3 requests, 1 connection",
    ]
    assert "Nothing to change" not in shown(FINE, other, BAD, findings=(SUM,))
    assert "Nothing to change for these hosts." in shown(FINE, other, BAD)


def test_a_finding_over_several_hosts_that_costs_next_to_nothing_changes_no_verdict():
    assert shown(FINE, findings=(replace(SUM, seconds=0.004),)).startswith("Nothing to change.")


def test_connections_of_which_none_was_used_again_are_not_called_reused():
    threads = replace(FINE, requests=1, opened=1, reused=0)
    both = (threads, replace(threads, host="https://also.test:443"))
    verdict = verdicts.verdict(Report(source="watch", hosts=both, findings=(SUM,), seconds=0.2))
    assert verdict == (
        "All 2 connections were necessary; 20 ms of 200 ms could be saved otherwise: see the other "
        "finding below."
    )


# -- The verdict ---------------------------------------------------------------------------------


@pytest.mark.parametrize("fine", [True, False])
def test_nothing_to_change_is_said_exactly_where_the_judge_says_so(fine, monkeypatch):
    monkeypatch.setattr(verdicts, "nothing_to_change", lambda *_: fine)
    for hosts in ([BAD], [FINE], [BAD, FINE]):
        assert shown(*hosts).startswith("Nothing to change.") == fine
        assert ("Nothing to change" in shown(*hosts)) == fine


def test_the_judge_is_asked_with_all_findings(monkeypatch):
    seen = []
    monkeypatch.setattr(verdicts, "nothing_to_change", lambda *given: seen.append(given))
    finding = Finding(finding="ca-bundle", host=None, evidence="Seen.")
    shown(FINE, findings=(finding,))
    assert seen
    assert all(given == (FINE, (finding,)) for given in seen)


@pytest.mark.parametrize(
    ("hosts", "seconds", "verdict"),
    [
        ([BAD], None, "3 of 4 connections were not necessary; 1.5 s could be saved."),
        (
            [BAD],
            1.0,
            "3 of 4 connections were not necessary; 1.5 s, all threads together, could be saved.",
        ),
        (
            [replace(BAD, perfect=Range(least=3, most=3), seconds_saved=None)],
            9.0,
            "1 of 4 connections was not necessary.",
        ),
        (
            [replace(LOG, perfect=Range(least=2, most=9))],
            None,
            "3 to 10 of 12 connections were not necessary.",
        ),
    ],
)
def test_the_verdict_is_how_many_connections_and_seconds_were_not_necessary(
    hosts, seconds, verdict
):
    assert verdicts.verdict(Report(source="watch", hosts=tuple(hosts), seconds=seconds)) == (
        verdict
    )


def test_where_perfect_reuse_is_unknown_there_is_no_verdict():
    unknown = replace(BAD, perfect=None, seconds_saved=None)
    assert verdicts.verdict(Report(source="log", hosts=(unknown,))) == ""


def test_a_host_with_responses_on_kept_connections_only_has_not_failed(monkeypatch):
    monkeypatch.setattr(verdicts, "nothing_to_change", lambda *_: False)
    kept = host("http://kept.test:80", reused=3, unanswered=1)
    assert verdicts.verdict(Report(source="watch", hosts=(kept,))) == (
        "Connections are reused as they should be."
    )


def test_where_no_connection_could_be_saved_the_verdict_leads_to_the_findings(monkeypatch):
    monkeypatch.setattr(verdicts, "nothing_to_change", lambda *_: False)
    finding = Finding(finding="waiting", host=None, evidence="Seen.", cure="A larger pool.")
    verdict = shown(FINE, findings=(finding,)).splitlines()[0]
    assert verdict == "Connections are reused as they should be; see the other finding below."


CHEAP = replace(BAD, host="https://cheap.test:443", seconds_saved=0.004)


def test_where_little_could_be_saved_nothing_is_to_be_changed_and_the_verdict_says_how_little():
    assert shown(CHEAP).splitlines()[0] == (
        "Nothing to change. Perfect reuse would save 4.0 ms in all."
    )
    assert "Change this" not in shown(CHEAP)


def test_the_verdict_does_not_speak_of_hosts_that_nothing_is_to_be_changed_for():
    lines = shown(BAD, CHEAP, seconds=9.0).splitlines()
    assert lines[1] == (
        "3 of 8 connections to 2 hosts were not necessary; 1.5 s of 9.0 s could be saved."
    )
    assert lines[-1] == "Nothing to change for this host; perfect reuse would save 4.0 ms."


def test_a_host_without_a_response_is_the_verdict_if_the_others_are_fine():
    down = host("http://down.test:80", requests=2, attempts=2, unanswered=2, reused=0)
    assert shown(FINE, down).splitlines()[0] == (
        "No response came from http://down.test: 2 tries failed."
    )
    assert shown(BAD, FINE, down).splitlines()[0] == (
        "3 of 5 connections to 2 hosts were not necessary; 1.5 s could be saved."
    )


# -- Parts ---------------------------------------------------------------------------------------


def test_of_many_hosts_that_are_fine_five_are_named():
    fine = [replace(FINE, host=f"https://h{n}.test:443") for n in range(9)]
    lines = shown(BAD, *fine).splitlines()
    assert len([line for line in lines if line.startswith("https://h")]) == 5
    assert lines[-2:] == ["and 4 more hosts.", "Nothing to change for these hosts."]


def test_a_host_that_is_fine_names_causes_that_are_not_necessary_in_its_line():
    threads = host(
        "https://fine.test:443",
        cause("new-session", 1, 0.1),
        FIRST_USE,
        perfect=Range(least=2, most=2),
        seconds_saved=0.0,
    )
    assert (
        "https://fine.test\n   4 requests, 2 connections, all necessary (1 × new-session, "
        "1 × first-use)" in shown(threads, BAD)
    )


def test_of_hosts_beyond_a_number_there_is_their_sum():
    hosts = [replace(BAD, host=f"https://h{n}.test:443") for n in range(4)]
    lines = shown(*hosts, hosts_shown=1).splitlines()
    assert lines[0].startswith("12 of 16 connections to 4 hosts")
    assert len([line for line in lines if line.startswith("https://h")]) == 1
    assert lines[-1] == "3 more hosts with 12 connections: --json has them."


def test_a_forward_proxy_is_shown_with_the_hosts_behind_it():
    proxy = replace(BAD, origins=("http://a:80", "http://b:80", "http://c:80", "http://d:80"))
    assert report_sentences.route(proxy) == (
        "https://bad.test (proxy for http://a, http://b, http://c and 1 more)"
    )


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ({"requests": None}, "4 connections, 1 would be enough"),
        ({"perfect": None}, "6 requests, 4 connections"),
        ({"opened_unanswered": 2}, "6 requests, 4 connections, 1 would be enough, 2 more never"),
        ({"in_flight": 1}, "6 requests, 4 connections, 1 would be enough, 1 still in flight"),
        ({"opened": 0, "perfect": Range(least=0, most=0)}, "6 requests, no new connection"),
        ({"opened": 0, "reused": 0}, "6 requests, no connection"),
        ({"requests": 12_345, "attempts": None}, "12\u202f345 requests, 4 connections, 1 would"),
        ({"opened": None}, "6 requests, openings not in this log"),
        ({"requests": None, "opened": None, "begun": 1}, "1 opening begun"),
    ],
)
def test_a_route_says_its_numbers_and_nothing_of_what_is_unknown(numbers, said):
    assert report_sentences.numbers(replace(BAD, **numbers)).startswith(said)


def test_a_cause_of_connections_with_and_without_a_response_has_both_numbers():
    both = host("https://bad.test:443", cause("new-session", 2, 1.0, unanswered=3), FIRST_USE)
    assert "And 3 more, which connected but never got a response." in shown(both)


@pytest.mark.parametrize(
    ("longest", "line"),
    [
        (99, "May be new-session, redirect, retry or unknown."),
        (46, "May be new-session, redirect or 2 others."),
        (40, "May be new-session or 3 others."),
        (10, "May be one of 4 causes."),
    ],
)
def test_the_members_of_a_set_of_causes_fit_a_line(longest, line):
    members = ("new-session", "redirect", "retry", "unknown")
    assert report_sentences.likeliest(members, longest=longest) == line


@pytest.mark.parametrize("seconds", [None, 0.0, 0.0004])
def test_a_finding_that_cost_no_time_has_none(seconds):
    finding = Finding(finding="retries", host=None, evidence="Seen.", seconds=seconds)
    assert shown(BAD, findings=(finding,)).splitlines()[-1] == "  also  retries: Seen."


def test_a_set_of_one_cause_names_it():
    assert report_sentences.likeliest(("retry",), longest=40) == "May be retry."


@pytest.mark.parametrize("width", [60, 80, 100])
def test_every_line_fits(width):
    long = "word " * 40
    name = f"https://{'a' * 30}.example.com:443"
    wide = host(
        name,
        cause("new-session", 1234, evidence=long, cure=long),
        cause("dropped", 3, None, members=tuple(map(str, range(200)))),
        via=f"http://{'p' * 30}:3128",
        origins=tuple(f"http://{n}.test:80" for n in range(9)),
    )
    finding = Finding(finding="ca-bundle", host=name, evidence=long, cure=long, seconds=1.0)
    report = Report(
        source="run",
        command=("python", "x" * 200),
        hosts=(wide, FINE, LOG),
        findings=(finding,),
        left_open=3,
        left_at=tuple(f"{n}/sync.py:12" for n in range(9)),
        warnings=(long,),
    )
    assert max(map(len, lines_of(report, width=width))) <= width


def test_without_colour_there_is_none_and_with_it_the_words_are_the_same(monkeypatch):
    report = Report(source="watch", hosts=(BAD, FINE), warnings=("Careful.",))
    coloured, plain = io.StringIO(), io.StringIO()
    Console(file=coloured, width=80, force_terminal=True, color_system="standard").print(
        screen(report)
    )
    monkeypatch.setenv("NO_COLOR", "1")
    Console(file=plain, width=80, force_terminal=True, color_system="standard").print(
        screen(report)
    )
    assert "\x1b[32m" in coloured.getvalue()
    assert "\x1b[3" not in plain.getvalue()


@pytest.mark.parametrize("text", [HOSTILE, LONG, "::error::x"])
@pytest.mark.parametrize("width", [40, 60, 80])
def test_no_text_of_a_report_is_obeyed_wherever_a_line_is_broken(monkeypatch, capsys, width, text):
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setattr("keptalive.render.terminal.report.meaning_of", lambda name, _facts: name)
    routes = [host("", cause("retry", 1), cause("x", 1, members=("a", "b"))), FINE]
    report = replace(whole(), hosts=(*whole().hosts, *routes))
    hostile = replace(with_texts(report, lambda before: before + text), source="run")
    Screen().print(screen(hostile))
    written = capsys.readouterr().out
    assert len(written.splitlines()) > 20
    assert faults_in(written.encode("utf-8", "surrogateescape")) == []


# -- The title, and what to do next ---------------------------------------------------------------


def first_line(report: Report, about: About) -> str:
    return report_sentences.title(report, about)


def test_the_title_names_what_was_run_or_read_how_long_and_by_which_python():
    ran = Report(source="run", command=("sync.py",), seconds=2.0)
    assert first_line(ran, About(python="Python of .venv (VIRTUAL_ENV)")) == (
        "keptalive: sync.py, 2.0 s, Python of .venv (VIRTUAL_ENV)"
    )
    assert first_line(ran, About(goes_on=True)) == "keptalive: sync.py, 2.0 s so far"
    log = Report(source="log", seconds=61.0)
    assert first_line(log, About(name="app.log")) == "keptalive: app.log, 1 min 1 s"
    assert first_line(replace(log, seconds=None), About(name="app.log")) == "keptalive: app.log"
    assert first_line(log, About()) == ""


def test_a_watch_that_goes_on_says_so_and_what_it_uses_is_not_left_open():
    report = Report(source="watch", seconds=2.0, hosts=(FINE,), left_open=1)
    assert first_line(report, About(goes_on=True)) == "keptalive: watching for 2.0 s"
    assert "Left open" in "\n".join(lines_of(report))
    file = io.StringIO()
    Console(file=file, width=80).print(screen(report, about=About(goes_on=True)))
    assert "Left open" not in file.getvalue()


def test_the_next_step_of_a_program_that_is_fine_is_a_limit_in_ci():
    fine = replace(FINE, opened=2, perfect=Range(least=2, most=2))
    assert next_step(Report(source="run", command=("-m", "sync"), hosts=(fine, FINE))) == (
        "Next: in CI, keptalive run --max-opened 2 -m sync [ARGS] fails if more are opened."
    )


@pytest.mark.parametrize(
    ("command", "typed"),
    [
        (("sync.py",), "python sync.py"),
        (("-m", "sync"), "python -m sync"),
        (("gunicorn",), "gunicorn"),
        (("x" * 99,), "PROGRAM"),
    ],
)
def test_the_next_step_of_a_program_that_is_not_names_it_as_a_shell_runs_it(command, typed):
    assert next_step(Report(source="run", command=command, hosts=(BAD,))) == (
        f"Next: keptalive bench --program '{typed} [ARGS]' times it as it is, and with tuned "
        "Sessions."
    )


def test_where_limits_are_judged_next_no_limit_is_proposed():
    limited = About(is_limited=True)
    assert next_step(Report(source="run", command=("sync.py",), hosts=(FINE,)), limited) == ""
    assert next_step(Report(source="run", command=("sync.py",), hosts=(BAD,)), limited) != ""


@pytest.mark.parametrize("one", [FINE, BAD])
def test_a_program_that_failed_gets_no_limit_and_no_benchmark_proposed(one):
    report = Report(source="run", command=("sync.py",), hosts=(one,))
    assert next_step(report, About(failed=True)) == ""


def test_no_limit_is_proposed_that_is_higher_than_what_would_be_enough():
    cheap = host("http://h.test:80", cause("new-session", 9, 0.004), FIRST_USE, seconds_saved=0.004)
    assert next_step(Report(source="run", command=("sync.py",), hosts=(cheap,))) == ""


def test_tuned_sessions_are_not_proposed_where_only_a_finding_without_them_costs_time():
    slow = Finding(finding="delayed-ack", host=FINE.host, evidence="slow", seconds=0.4)
    report = Report(source="run", command=("sync.py",), hosts=(FINE,), findings=(slow,))
    assert next_step(report) == ""
    bundle = replace(slow, finding="ca-bundle")
    assert "with tuned" in next_step(replace(report, findings=(bundle,)))


def test_there_is_no_next_step_where_nothing_was_seen_or_a_warning_says_it():
    assert next_step(Report(source="run", command=("sync.py",))) == ""
    said = "A log does not show which of several causes it was: keptalive run PROGRAM does."
    assert next_step(Report(source="log", hosts=(LOG,), warnings=(said,))) == ""
    assert next_step(Report(source="watch", hosts=(BAD,))) == ""
