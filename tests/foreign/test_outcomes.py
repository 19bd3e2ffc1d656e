"""The comparison of suites tells apart what a treatment changed and what changes by itself."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from .outcomes import Comparison, Outcome, Run, compare, outcomes_of, property_of

REPORT = """
<testsuites><testsuite>
<properties><property name="tuned_sends" value="7"/></properties>
<testcase file="tests/test_a.py" classname="tests.test_a.TestIt" name="test_passes[x]"/>
<testcase file="tests/test_a.py" classname="tests.test_a" name="test_fails">
  <failure message="AssertionError">def test_fails():
E       assert 1 == 2
E        +  where 1 = one()</failure></testcase>
<testcase file="tests/test_a.py" classname="tests.test_a" name="test_fails"><error/></testcase>
<testcase file="tests/test_a.py" classname="tests.test_a" name="test_teardown"/>
<testcase file="tests/test_a.py" classname="tests.test_a" name="test_teardown">
  <error message="failed on teardown"/></testcase>
<testcase file="tests/test_a.py" classname="tests.test_a" name="test_skips">
  <skipped type="pytest.skip" message="no IPv6"/></testcase>
<testcase file="tests/test_a.py" classname="tests.test_a" name="test_xfails">
  <skipped type="pytest.xfail" message="known"/></testcase>
</testsuite></testsuites>
"""


def run(**kinds: str) -> Run:
    return Run({test: Outcome(kind) for test, kind in kinds.items()})


def test_each_test_of_a_report_has_one_outcome_and_its_reason():
    report = ET.fromstring(REPORT)
    assert outcomes_of(report) == {
        "tests/test_a.py::TestIt::test_passes[x]": Outcome("passed"),
        "tests/test_a.py::test_fails": Outcome("failed", "+  where 1 = one()"),
        "tests/test_a.py::test_teardown": Outcome("error", "failed on teardown"),
        "tests/test_a.py::test_skips": Outcome("skipped", "no IPv6"),
        "tests/test_a.py::test_xfails": Outcome("xfailed", "known"),
    }
    assert (property_of(report, "tuned_sends"), property_of(report, "other")) == (7, 0)


def test_a_test_is_same_different_known_or_flaky_and_nothing_else():
    plain = run(a="passed", b="passed", c="passed", d="passed", e="failed", g="passed")
    again = run(a="passed", b="passed", c="passed", d="failed", e="failed", g="passed")
    treated = run(a="passed", b="failed", c="failed", d="passed", e="passed", f="passed")
    assert compare(plain, treated, again, {"c": "a reason"}) == Comparison(
        same=["a"], different=["b", "e", "f", "g"], known=["c"], flaky=["d"]
    )
