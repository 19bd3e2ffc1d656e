"""`--connections`: which tests opened the most."""

from __future__ import annotations

import re
from textwrap import dedent
from xml.etree import ElementTree

import pytest
from tests.pytest_plugin.conftest import BEGINNING

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

TABLE = [
    "opened  cause and test",
    "     3  new-session: a new Session, or requests.get, began with an empty pool",
    "        at shopclient/client.py:5",
    "     2    test_it.py::test_one_by_one",
    "     1    test_it.py::test_leaves_it_to_its_fixtures",
    "     3  first-use: the first connection to this host (necessary)",
]
TOTAL = "4 tests: 6 connections opened, 3 would be enough; 3 responses on a kept one."
SHARED = "One Session for all tests would have saved 5 of 6 connections."


def summary(result: pytest.RunResult) -> list[str]:
    """The lines beneath its title, to the last of the report."""
    lines = result.stdout.str().splitlines()
    shown = lines[lines.index(f"{' connections ':=^80}") + 1 : -1]
    return [re.sub(r" \([\d.]+ m?s\)", "", line) for line in shown]


def test_causes_come_with_their_lines_of_code_and_the_tests_that_had_most_of_them(project):
    result = project.run(SHOPPING, "--connections")
    assert [*TABLE, TOTAL, SHARED] == summary(result)
    result.assert_outcomes(passed=5)


def test_workers_of_xdist_show_the_same(project):
    project.run(SHOPPING, "--collect-only")
    result = project.elsewhere("--connections", "-n2", "--dist", "loadscope", "-W", "error")
    assert [*TABLE, TOTAL, SHARED] == summary(result)
    result.assert_outcomes(passed=5)


@pytest.mark.parametrize(
    ("option", "rows"),
    [("=1", [*TABLE[:4], "          and 1 more test", TABLE[5]]), ("=0", TABLE)],
)
def test_as_many_tests_as_are_asked_for_are_shown_for_each_cause(project, option, rows):
    result = project.run(SHOPPING, f"--connections{option}")
    assert [*rows, TOTAL, SHARED] == summary(result)


def test_what_is_no_number_is_a_usage_error(project):
    result = project.again("--connections", "tests")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["*'tests' is not a number; put --connections last, or use --connections=10"]
    )


def test_where_no_request_was_sent_it_says_so(project):
    result = project.run("def test_it(): pass", "--connections")
    assert summary(result) == ["No test got a response through requests or urllib3."]


def test_without_the_option_nothing_is_shown(project):
    assert " connections " not in project.shown(project.run(SHOPPING))


def test_long_names_lose_their_beginning_at_80_columns(project):
    name = f"test_{'very_' * 20}long"
    result = project.run(f"def {name}(url):\n    prices_one_by_one(url, BASKET)\n", "--connections")
    row = summary(result)[3]
    assert (len(row), row[:14], row[-10:]) == (80, "     1    …ver", "_very_long")


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
        ("connections_causes", "first-use=1"),
    ]
    assert ("connections_causes", "new-session=2 first-use=1") in found["test_one_by_one"]
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
        "One Session for all tests would have saved 4 of 5 connections.",
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


def test_what_an_import_opens_is_told_beside_the_tests(project):
    project.write(
        """
        import requests
        from keptalive.pytest_plugin.server import KeepaliveServer

        with KeepaliveServer() as server:
            server.expect_request("/").respond_with_data("read at the beginning")
            requests.get(server.url + "/")
        """,
        "settings.py",
    )
    result = project.run("import settings\n" + dedent(SHOPPING), "--connections")
    assert summary(result)[-2:] == [
        "1 more connection was opened outside of tests, at settings.py:7.",
        "One Session for all tests would have saved 5 of 7 connections.",
    ]


def test_a_failed_test_whose_traceback_keeps_a_response_has_left_no_session_open(project):
    result = project.run(
        """
        def test_it(url):
            response = requests.get(url)
            assert response.status_code == 500
        """,
        "--connections",
    )
    result.assert_outcomes(failed=1)
    assert "Sessions that no test closed" not in result.stdout.str()


@pytest.mark.complete
def test_numbers_of_several_workers_come_together(project):
    for name in ("test_a.py", "test_b.py"):
        project.write(BEGINNING + dedent(SHOPPING), name)
    result = project.elsewhere("--connections=1", "-n2", "--dist", "loadfile", "-W", "error")
    assert summary(result) == [
        TABLE[0],
        TABLE[1].replace("3", "6"),
        TABLE[2],
        "     2    test_a.py::test_one_by_one",
        "          and 3 more tests",
        TABLE[5].replace("3", "6"),
        "8 tests: 12 connections opened, 6 would be enough; 6 responses on a kept one.",
        "One Session for each worker would have saved 10 of 12 connections.",
    ]
