"""What the pytest plugin shows of strangers' text is obeyed by no terminal and no CI."""

from __future__ import annotations

import pytest
from tests.hostile.words import ARGUMENT, HOSTILE, LONG, faults_in
from tests.reports import cause, host

from keptalive import redaction
from keptalive.compare.limits import Limit
from keptalive.compare.rules import Rule
from keptalive.records.report import Finding, Report
from keptalive.render.in_tests import nothing_seen, refusal
from keptalive.render.suite import OfTest, Together, Unclosed, by_cause, outside, totals, unclosed


def report(text: str) -> Report:
    said = cause("new-session", 2, evidence=text, cure=text)
    routes = (host(text, said, via=text), host(f"{text}2", said))
    return Report(source="watch", hosts=routes, warnings=(text, f"::a {text}"))


@pytest.mark.parametrize("text", [HOSTILE, LONG, ARGUMENT, "::error::x", f"{'x' * 66} ::error::x"])
def test_a_broken_limit_is_refused_in_words_that_are_not_obeyed(text):
    refused = refusal(Rule(limit=Limit(at_most=1)), report(text))
    assert refused is not None
    assert faults_in(refused.encode()) == []


def test_a_broken_limit_is_refused_without_secrets_each_text_on_a_line(monkeypatch):
    monkeypatch.setattr(redaction.IN_USE, "_patterns", {})
    redaction.IN_USE.add(SECRET)
    refused = refusal(Rule(limit=Limit(at_most=1)), report(f"a\nb {SECRET}"))
    assert refused is not None
    assert SECRET not in refused
    assert "opened 4 connections to 2 hosts, at most 1 allowed\na b [hidden] via" in refused
    assert "\n! a b [hidden]" in refused


@pytest.mark.parametrize("text", [HOSTILE, LONG, ARGUMENT, "::error::x"])
def test_a_marker_that_checked_nothing_is_named_in_words_that_are_not_obeyed(text):
    mocked = Finding(finding="mocked-answers", host=None, evidence=text)
    said = nothing_seen(Report(source="watch", findings=(mocked,)), f"connections({text})")
    assert said is not None
    assert faults_in(said.encode()) == []


@pytest.mark.parametrize("width", [40, 80, 200])
def test_a_suite_is_shown_without_being_obeyed(width):
    tests = {
        f"test_{text}.py::test_x": OfTest(2, 1, 0, {"new-session": 1, text: 1})
        for text in (HOSTILE, LONG)
    }
    process = Together(
        outside={HOSTILE: 1, LONG: 1},
        places={"new-session": [HOSTILE, LONG]},
        unclosed=[Unclosed(HOSTILE, LONG)],
    )
    lines = [*by_cause(tests, [process], shown=0, width=width), totals(tests)]
    lines += [*outside([process]), *unclosed([process], width=width)]
    assert faults_in("\n".join(lines).encode()) == []


def test_the_id_of_a_test_stays_as_it_can_be_given_to_pytest_again():
    tests = {"tests/test_a.py::test_b[::1]": OfTest(1, 1, 0, {"retry": 1})}
    (_, _, line) = by_cause(tests, [], shown=0, width=80)
    assert line.endswith("  tests/test_a.py::test_b[::1]")


SECRET = "f1e2d3c4b5a6"
SHOWING = f"""
    import os, pytest

    @pytest.mark.connections(at_most="{HOSTILE.encode("unicode_escape").decode()} {SECRET}")
    def test_of_its_marker(): pass
"""


def test_a_marker_that_is_refused_is_quoted_without_its_secret(pytester, monkeypatch):
    monkeypatch.setattr(redaction.IN_USE, "_patterns", {})
    monkeypatch.setenv("SHOP_API_KEY", SECRET)
    pytester.makepyfile(SHOWING)
    ended = pytester.runpytest_inprocess("-p", "no:cacheprovider")
    text = ended.stderr.str() + ended.stdout.str()
    assert "[hidden]" in text
    assert SECRET not in text
    assert faults_in(ended.stderr.str().encode()) == []
