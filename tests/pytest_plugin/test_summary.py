"""`--connections`: which tests opened the most."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

SHOPPING = """
    def test_one_by_one(url):
        prices_one_by_one(url, [*BASKET, "sugar"])

    def test_keeps_its_connection(shop):
        shop.prices(BASKET)

    def test_uses_a_kept_one(shop):
        shop.prices(BASKET)

    @pytest.fixture
    def basket(url):
        prices_one_by_one(url, ["tea"])
        yield BASKET
        prices_one_by_one(url, ["tea"])

    def test_leaves_it_to_its_fixtures(basket):
        pass

    def test_buys_nothing():
        pass
"""

HEADINGS = "opened  enough  cause        test"
ROWS = [
    "     3       1  new-session  test_it.py::test_one_by_one",
    "     2       1  new-session  test_it.py::test_leaves_it_to_its_fixtures",
    "     1       1  first-use    test_it.py::test_keeps_its_connection",
]
TOTAL = "4 tests: 6 connections opened, 3 would be enough; 3 responses on a kept one."
SHARED = "If tests shared a Session, 1 would be enough for all of them."


def summary(result: pytest.RunResult) -> list[str]:
    """The lines beneath its title, to the last of the report."""
    lines = result.stdout.str().splitlines()
    shown = lines[lines.index(f"{' connections ':=^80}") + 1 : -1]
    return [re.sub(r" \([\d.]+ m?s saved\)", "", line) for line in shown]


def test_the_tests_that_opened_most_come_first_with_their_most_expensive_cause(project):
    result = project.run(SHOPPING, "--connections")
    assert [HEADINGS, *ROWS, TOTAL, SHARED] == summary(result)
    result.assert_outcomes(passed=5)


def test_workers_of_xdist_show_the_same(project):
    project.run(SHOPPING, "--collect-only")
    result = project.elsewhere("--connections", "-n2", "--dist", "loadscope", "-W", "error")
    assert [HEADINGS, *ROWS, TOTAL, SHARED] == summary(result)
    result.assert_outcomes(passed=5)


@pytest.mark.parametrize(("option", "rows"), [("=2", ROWS[:2]), ("=1", ROWS[:1]), ("=0", ROWS)])
def test_as_many_as_are_asked_for_are_shown(project, option, rows):
    result = project.run(SHOPPING, f"--connections{option}")
    assert [HEADINGS, *rows, TOTAL, SHARED] == summary(result)


def test_what_is_no_number_is_a_usage_error(project):
    result = project.again("--connections", "tests")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*'tests' is not a number; use --connections=10"])


def test_where_no_request_was_sent_it_says_so(project):
    result = project.run("def test_it(): pass", "--connections")
    assert summary(result) == ["No test got a response through requests or urllib3."]


def test_without_the_option_nothing_is_shown(project):
    assert " connections " not in project.shown(project.run(SHOPPING))


def test_long_names_lose_their_beginning_at_80_columns(project):
    name = f"test_{'very_' * 20}long"
    result = project.run(f"def {name}(shop):\n    shop.prices(BASKET)\n", "--connections")
    row = summary(result)[1]
    assert (len(row), row[:32], row[-10:]) == (
        80,
        "     1       1  first-use  …ry_v",
        "_very_long",
    )


def test_colours_are_pytests(project):
    plain = project.run(SHOPPING, "--connections").stdout.str()
    coloured = project.again("--connections", "--color=yes").stdout.str()
    assert ("\x1b" in plain, f"\x1b[1m{TOTAL}\x1b[0m" in coloured) == (False, True)


def test_junits_xml_has_the_numbers_of_each_test_with_requests(project):
    project.run(SHOPPING, "--connections", "--junit-xml=junit.xml", "-W", "error")
    found = {
        case.get("name"): [(p.get("name"), p.get("value")) for p in case.iter("property")]
        for case in ElementTree.parse(project.path / "junit.xml").iter("testcase")
    }
    assert found["test_keeps_its_connection"] == [
        ("connections_opened", "1"),
        ("connections_perfect", "1"),
        ("connections_reused", "1"),
        ("connections_reopened", "0"),
        ("connections_cause", "first-use"),
    ]
    assert found["test_buys_nothing"] == []


def test_junits_xml_is_as_it_was_where_no_summary_is_wanted(project, refused):
    project.run(
        """
        @pytest.mark.connections(at_most=1)
        def test_it(url):
            prices_one_by_one(url, BASKET)
        """,
        "--junit-xml=junit.xml",
    )
    root = ElementTree.parse(project.path / "junit.xml")
    assert list(root.iter("property")) == []
    [failure] = root.iter("failure")
    assert refused in re.sub(r"127\.0\.0\.1:\d+", "SHOP", failure.text)


LEFT_OPEN = """
    @pytest.fixture
    def api():
        return requests.Session()

    def test_a(api, url):
        api.get(url)

    def test_b(api, url):
        api.get(url)

    def test_closes_it(url):
        with requests.Session() as session:
            session.get(url)

    class Kept:
        session = requests.Session()

    def test_d(url):
        Kept.session.get(url)

    @pytest.fixture(scope="module")
    def shared():
        with requests.Session() as session:
            yield session

    def test_shares_what_is_closed_later(shared, url):
        shared.get(url)
"""


@pytest.mark.parametrize("elsewhere", [False, pytest.param(True, marks=pytest.mark.complete)])
def test_tests_that_left_a_session_open_are_named_with_the_place_where_it_was_made(
    project, elsewhere
):
    result = project.run(LEFT_OPEN, "--connections=1")
    if elsewhere:
        result = project.elsewhere("--connections=1", "-n2", "--dist", "loadscope")
    assert summary(result)[2:] == [
        "5 tests: 5 connections opened; 0 responses on a kept one.",
        SHARED,
        "Sessions that no test closed (use session.close(), or a with statement):",
        "  made at test_it.py:21: test_it.py::test_d",
        "  made at test_it.py:8: test_it.py::test_a, test_it.py::test_b",
    ]


MOCKED = """
    @pytest.fixture
    def api(monkeypatch):
        def send(self, request, **settings):
            response = requests.Response()
            response.status_code = 200
            return response
        send.__module__ = "responses"
        monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", send)

    def test_asks_nobody(api):
        requests.get("http://api.example.com/")
"""


def test_a_test_whose_answers_were_all_mocked_is_counted(project):
    assert summary(project.run(MOCKED, "--connections")) == [
        "No test got a response through requests or urllib3.",
        "1 test had all answers from a mock or a recording.",
    ]


def test_a_limit_that_a_mocked_test_breaks_says_that_it_was_mocked(project):
    marked = MOCKED.replace(
        "def test_asks", "@pytest.mark.connections(exactly=1)\n    def test_asks"
    )
    shown = project.shown(project.run(marked))
    assert "opened no connection, exactly 1 expected" in shown
    assert "! 1 answer came from no socket, but from a mock or a recording" in shown
