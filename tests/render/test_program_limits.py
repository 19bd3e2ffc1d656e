"""The lines that say what became of a program's limits."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.compare.test_program_limits import API, CDN, limits, report, route
from tests.reports import cause, host, whole

from keptalive.causes.catalogue import CATALOGUE
from keptalive.compare.program_limits import TooMany, judge
from keptalive.records.report import Range
from keptalive.render import markdown_report
from keptalive.render.program_limits import _broken, cures, lines

PAGE = Path(__file__).parents[2] / "docs" / "ci.md"
MADE = {"sessions_at": {"shop/client.py:12": 2, "shop/a.py:3": 1, "shop/b.py:4": 1}}


def test_what_broke_names_its_causes_their_places_and_what_to_change():
    seen = host(
        API,
        cause("new-session", 4, facts=MADE),
        cause("idle-timeout", 1),
        cause("retry", 1),
        cause("first-use", 1),
    )
    found = judge(report(seen), limits("1"))
    assert lines(found) == [
        (
            "limit broken: 7 connections to https://api.test, 1 allowed by --max-opened: "
            "4 × new-session at shop/client.py:12 and 2 more, 1 × idle-timeout and 1 more."
        )
    ]
    assert cures(found) == ["Change this."]


def test_the_page_on_ci_shows_what_a_broken_limit_looks_like():
    made = {"sessions_at": {"shop/client.py:12": 2}}
    seen = host(
        "https://api.example.com:443",
        cause("new-session", 2, facts=made, cure=CATALOGUE["new-session"].cure({})),
        cause("first-use", 1),
    )
    found = judge(report(seen), limits("1"))
    (line,), (cure,) = lines(found), cures(found)
    assert f"```\nkeptalive: {line}\n→ {cure}\n```" in PAGE.read_text()


@pytest.mark.parametrize(
    ("opened", "processes", "said"),
    [
        (4, 4, "; 4 are necessary, since 4 processes cannot share them"),
        (4, 1, "; 4 are necessary, since 4 requests ran at once"),
    ],
)
def test_what_is_necessary_in_any_case_is_said(opened, processes, said):
    seen = host(
        API,
        cause("first-use", opened),
        perfect=Range(least=opened, most=opened),
        most_at_once=opened,
    )
    one = TooMany(host=seen, allowed=1, processes=processes)
    assert _broken(one, limits("1")) == (
        f"4 connections to https://api.test, 1 allowed by --max-opened{said}"
    )


def test_a_forbidden_cause_names_its_places():
    seen = host(API, cause("new-session", 4, facts=MADE), via="http://proxy.test:3128")
    assert lines(judge(report(seen), limits(forbidden="new-session"))) == [
        (
            "limit broken: 4 × new-session to https://api.test via http://proxy.test:3128, "
            "forbidden by --forbid: shop/client.py:12, shop/a.py:3 and 1 more."
        )
    ]


def test_of_many_broken_limits_five_are_shown():
    found = judge(report(*(route(f"http://{n}.test:80", 2) for n in range(8))), limits("1"))
    assert len(lines(found)) == 6
    assert lines(found)[-1] == "limit broken: 3 more."


def test_a_program_s_own_exit_code_is_named_where_the_limits_do_not_hold():
    broken, fine = (
        judge(report(route(API, 2)), limits("1")),
        judge(report(route(API, 1)), limits("1")),
    )
    assert lines(broken, exit_code=3)[-1].endswith(" The exit code 3 is the program's own.")
    assert lines(fine, exit_code=3) == ["limits hold: at most 1 connection to each host."]


def test_limits_that_hold_are_named():
    given = limits("1", "cdn.test=2", "x.test=0", forbidden="retry new-session")
    assert lines(judge(report(host(API, cause("first-use", 1)), host(CDN)), given)) == [
        (
            "limits hold: at most 1 connection to each host, at most 2 connections to cdn.test, no "
            "connection to x.test and no new-session or retry."
        )
    ]


def test_a_project_s_limit_that_was_not_needed_is_named():
    given = limits("other.test=2", of_project=True)
    assert lines(judge(report(route(API, 1)), given)) == [
        ("limits hold: at most 2 connections to other.test. No response came from other.test.")
    ]


def test_only_the_first_reason_is_shown_why_limits_were_not_judged():
    doubts = ["1 process still runs.", "another"]
    assert lines(judge(report(route(API, 1)), limits("1"), doubts)) == [
        "limits not judged: 1 process still runs (and 1 other reason)."
    ]


# -- The summary of a CI -------------------------------------------------------------------------


def test_a_summary_has_the_limits_the_hosts_the_causes_and_the_cures():
    text = markdown_report.of_report(whole(), ["limits hold: *all*."])
    assert text.startswith("## Connection reuse\n\n**Limits hold: \\*all\\*.**  \n")
    assert (
        "\n| host | requests | connections | enough | reused |\n|---|---:|---:|---:|---:|\n" in text
    )
    assert "| https://api.github.com via http://proxy.test:3128 (proxy for http://a.test) |" in text
    assert "| 1 | **idle-timeout**: " in text
    assert "\n- idle-timeout: Change this.\n" in text
    assert "\n- ca-bundle: It took 2 s." in text
    assert "\n> Something may be missing.\n" in text


def test_beside_a_broken_limit_a_summary_does_not_say_that_nothing_is_to_be_changed():
    seen = report(route(API, 1))
    assert "Nothing to change" in markdown_report.of_report(seen)
    assert "Nothing to change" not in markdown_report.of_report(seen, ["x"], broken=True)


def test_a_summary_of_many_hosts_stays_short():
    text = markdown_report.of_report(report(*(route(f"http://{n}.test:80", 2) for n in range(60))))
    assert "And 10 more hosts." in text
    assert "http://49.test" in text
    assert "http://50.test" not in text


def test_no_text_of_a_report_is_markup_in_a_summary():
    seen = route("http://<b>.test:80", 2)
    assert "<b>" not in markdown_report.of_report(report(seen))
