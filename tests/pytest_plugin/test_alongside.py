"""With other plugins, and a project's own settings: benchmark, xdist, the project as a whole."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from keptalive.lookalike.process import Lookalike

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "pytest.md").read_text()


@pytest.mark.parametrize("options", [(), ("-n2", "--dist", "loadscope"), ("-n1",)], ids=len)
def test_a_projects_limits_are_checked(project, options):
    shutil.copytree(ROOT / "tests/data/shopclient/tests", project.path / "tests")
    result = project.elsewhere(*options)
    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(["FAILED tests/test_shop.py::test_prices_come_one_by_one - *"])
    assert "opened 3 connections to http://SHOP, at most 1 allowed\n" in project.shown(result)


def test_xdist_shows_a_marker_that_makes_no_sense_as_the_tests_failure(project):
    project.run("@pytest.mark.connections(at_most=-1)\ndef test_it(): pass", "--collect-only")
    result = project.elsewhere("-n1")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["test_it.py::test_it: the marker connections(at_most=-1): at_most is a whole number, *"]
    )


# -- pytest-benchmark ----------------------------------------------------------------------------

BENCHMARKED = """
    @pytest.mark.connections(at_most=1)
    def test_marked(shop, benchmark):
        benchmark.pedantic(shop.prices, [BASKET], rounds=3)

    def test_with_the_fixture(shop, benchmark, connections):
        benchmark.pedantic(shop.prices, [BASKET], rounds=3)
        connections.assert_opened(exactly=0)

    def test_unwatched(shop, benchmark):
        benchmark.pedantic(shop.prices, [BASKET], rounds=3)
"""


def test_a_benchmark_has_the_numbers_of_its_connections(project):
    result = project.run(BENCHMARKED, "--benchmark-json=numbers.json")
    result.assert_outcomes(passed=3)
    benchmarks = json.loads((project.path / "numbers.json").read_text())["benchmarks"]
    assert {b["name"]: b["extra_info"] for b in benchmarks} == {
        "test_marked": {"connections": {"opened": 1, "perfect": 1, "reused": 5, "reopened": 0}},
        "test_with_the_fixture": {
            "connections": {"opened": 0, "perfect": 0, "reused": 6, "reopened": 0}
        },
        "test_unwatched": {},
    }


@pytest.mark.parametrize("option", ["--benchmark-disable", "--benchmark-only"])
def test_a_benchmark_may_be_off(project, option):
    project.run(BENCHMARKED, option).assert_outcomes(passed=3)


def test_nobody_needs_pytest_benchmark(project):
    result = project.run(
        """
        @pytest.fixture
        def benchmark():
            return "a fixture of that name"

        @pytest.mark.connections(at_most=1)
        def test_it(shop, benchmark):
            shop.prices(BASKET)
        """,
        "-p",
        "no:benchmark",
    )
    result.assert_outcomes(passed=1)


# -- The page of the documentation ---------------------------------------------------------------


EXAMPLES = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
OUTPUTS = dict(re.findall(r"^<!-- output of: (.*) -->\n```\n([^`]+)^```", PAGE, re.MULTILINE))


def test_what_the_page_shows_is_what_its_examples_print(project):
    fixture, _dropped, marker, forbid, _server = EXAMPLES
    with Lookalike.start(["keep-alive"]) as lookalike:
        address = lookalike.url("keep-alive").removeprefix("https://")
        project.write(fixture.replace("api.github.com", address), "test_fixture.py")
        project.write(marker.replace("api.github.com", address), "test_marker.py")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("REQUESTS_CA_BUNDLE", str(lookalike.ca_bundle))
            result = project.again("--connections")
            result.assert_outcomes(passed=1, failed=1)
            project.write(forbid.replace("api.github.com", address), "test_forbid.py")
            forbidden = project.again("test_forbid.py")
    shown = result.stdout.str().replace(address, "api.github.com")
    shown = re.sub(r"\([\d.]+ m?s\)", "(1.2 ms)", shown)
    assert OUTPUTS["pytest test_marker.py"] in shown
    assert OUTPUTS["pytest --connections"] in shown
    shown = forbidden.stdout.str().replace(address, "api.github.com")
    assert OUTPUTS["pytest test_forbid.py"] in shown


def test_the_pages_examples_of_a_server_pass(project):
    for number, example in enumerate(one for one in EXAMPLES if "keepalive_server" in one):
        project.write(example, f"test_server_{number}.py")
    project.again().assert_outcomes(passed=2)


def test_the_page_shows_the_warning_of_a_mocked_test(project):
    project.write(
        """
        import pytest
        import requests


        @pytest.mark.connections(at_most=1)
        def test_user(monkeypatch):
            def send(self, request, **settings):
                response = requests.Response()
                response.status_code = 200
                return response

            send.__module__ = "responses"
            monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", send)
            requests.get("https://api.github.com/user")
        """,
        "test_mocked.py",
    )
    result = project.again("-o", "filterwarnings=default")
    assert OUTPUTS["pytest test_mocked.py"] in result.stdout.str()


def test_the_pages_settings_are_read(project):
    (settings,) = re.findall(r"^```ini\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    project.write(settings, "pytest.ini")
    project.run("def test_it(): pass").assert_outcomes(passed=1)
    help_lines = project.again("--help").stdout.str()
    assert all(line.partition(" =")[0] in help_lines for line in settings.splitlines()[1:])
