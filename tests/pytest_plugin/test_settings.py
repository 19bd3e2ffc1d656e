"""What the ini file sets for every test: `connections_at_most` and `connections_forbid`."""

from __future__ import annotations

import pytest

TESTS = """
    def test_opens_two(url):
        prices_one_by_one(url, BASKET)

    def test_opens_one(shop):
        shop.prices(BASKET)

    def test_sends_nothing():
        pass

    @pytest.mark.connections(at_most=2)
    def test_may_open_two(url):
        prices_one_by_one(url, BASKET)

    @pytest.mark.connections(forbid=[])
    def test_may_have_any_cause(url):
        prices_one_by_one(url, BASKET)
"""


def settings(project, *lines: str) -> None:
    with (project.path / "pytest.ini").open("a") as ini:
        ini.writelines(f"{line}\n" for line in lines)


def failed(result: pytest.RunResult) -> set[str]:
    return {
        line.partition("::")[2].split(" ")[0]
        for line in result.stdout.lines
        if line.startswith("FAILED")
    }


def test_a_number_holds_for_every_test_whose_marker_sets_none(project):
    settings(project, "connections_at_most = 1")
    result = project.run(TESTS)
    assert failed(result) == {"test_opens_two", "test_may_have_any_cause"}
    shown = project.shown(result)
    assert "opened 2 connections to http://SHOP, at most 1 allowed\n" in shown
    assert "\n\ntest_it.py:6: connections_at_most (pytest.ini)\n" in shown
    assert "marked connections(forbid=[]), connections_at_most (pytest.ini)\n" in shown


def test_a_forbidden_cause_holds_for_every_test_whose_marker_speaks_of_no_causes(project):
    settings(project, "connections_forbid = unread-body, new-session")
    result = project.run(TESTS)
    assert failed(result) == {"test_opens_two", "test_may_open_two"}
    shown = project.shown(result)
    assert "opened 1 connection for new-session, which is forbidden: shopclient/client.py" in shown
    assert "\n\ntest_it.py:6: connections_forbid (pytest.ini)\n" in shown


def test_causes_stand_on_lines_of_their_own_too(project):
    settings(project, "connections_forbid =", "  unread-body", "  new-session")
    assert failed(project.run(TESTS)) == {"test_opens_two", "test_may_open_two"}


def test_the_command_line_overrides_it(project):
    settings(project, "connections_at_most = 2")
    result = project.run(TESTS, "-o", "connections_at_most=1")
    assert failed(result) == {"test_opens_two", "test_may_have_any_cause"}
    assert "test_it.py:6: -o connections_at_most=1\n" in project.shown(result)


@pytest.mark.parametrize("table", ["tool.pytest.ini_options", "tool.pytest"])
def test_toml_has_a_number_and_a_list(project, table):
    if table == "tool.pytest" and pytest.version_tuple < (9,):
        pytest.skip("pytest 9 began with it")
    (project.path / "pytest.ini").unlink()
    project.write(
        f"""
        [{table}]
        connections_at_most = 1
        connections_forbid = ["unread-body", "new-session"]
        """,
        "pyproject.toml",
    )
    result = project.run(TESTS)
    assert failed(result) == {"test_opens_two", "test_may_have_any_cause", "test_may_open_two"}
    assert "connections_at_most (pyproject.toml), connections_forbid (pyproject.toml)" in (
        project.shown(result)
    )


@pytest.mark.parametrize(
    ("setting", "wrong"),
    [
        ("connections_at_most = few", "connections_at_most (pytest.ini): it is no whole number"),
        (
            "connections_at_most = -1",
            "connections_at_most (pytest.ini): at_most is a whole number, zero or more, not -1",
        ),
        (
            "connections_forbid = unread-bodies",
            (
                'connections_forbid (pytest.ini): there is no cause "unread-bodies". '
                "Next: is it unread-body?"
            ),
        ),
    ],
)
def test_a_setting_that_makes_no_sense_is_a_usage_error(project, setting, wrong):
    settings(project, setting)
    result = project.run("def test_it(): pass")
    assert (result.ret, result.stderr.str().strip()) == (
        pytest.ExitCode.USAGE_ERROR,
        f"ERROR: {wrong}",
    )


@pytest.mark.complete
def test_workers_of_xdist_have_the_same_rule(project):
    settings(project, "connections_at_most = 1")
    project.run(TESTS, "--collect-only")
    result = project.elsewhere("-n1", "-W", "error")
    assert failed(result) == {"test_opens_two", "test_may_have_any_cause"}
