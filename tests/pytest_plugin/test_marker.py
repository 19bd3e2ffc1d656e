"""The marker `connections`: which tests it limits, and how it refuses."""

from __future__ import annotations

import pytest


def test_the_marker_refuses_without_the_fixture(project, refused):
    result = project.run(
        """
        @pytest.mark.connections(at_most=1)
        def test_it(url):
            prices_one_by_one(url, BASKET)
        """,
    )
    result.assert_outcomes(failed=1)
    shown = project.shown(result)
    assert f"{' test_it ':_^80}\n{refused}\ntest_it.py:6: marked connections(at_most=1)\n=" in shown
    assert "pytest_plugin" not in shown


def test_the_marker_refuses_a_forbidden_cause_with_the_line_of_code(project):
    result = project.run(
        """
        @pytest.mark.connections(forbid=["unread-body", "new-session"])
        def test_it(url):
            prices_one_by_one(url, BASKET)

        @pytest.mark.connections(forbid="new-session")
        def test_keeps_to_it(shop):
            shop.prices(BASKET)
        """,
    )
    result.assert_outcomes(passed=1, failed=1)
    assert """\
opened 1 connection for new-session, which is forbidden: shopclient/client.py:5
http://SHOP: 2 connections
1 × new-session:
  a new Session, or requests.get, began with an empty pool
  Sessions made at shopclient/client.py:5.
  → Make one Session, keep it, and use it for every request to this
    host.
1 × first-use (necessary)

test_it.py:6: marked connections(forbid=['unread-body', 'new-session'])
""" in project.shown(result)


def test_the_nearest_marker_wins(project):
    result = project.run(
        """
        pytestmark = pytest.mark.connections(at_most=0)

        def test_module(shop):
            shop.prices(BASKET)

        @pytest.mark.connections(at_most=2)
        class TestClass:
            def test_class(self, url):
                prices_one_by_one(url, BASKET)

            @pytest.mark.connections(at_most=1)
            def test_function(self, url):
                prices_one_by_one(url, BASKET)
        """,
    )
    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines(["*connections(at_most=0)", "*connections(at_most=1)"])


def test_the_marker_holds_for_each_parameter(project):
    result = project.run(
        """
        @pytest.mark.connections(at_most=2)
        @pytest.mark.parametrize("basket", [BASKET, [*BASKET, "sugar"]], ids=len)
        def test_it(url, basket):
            prices_one_by_one(url, basket)
        """,
        "-rA",
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["PASSED *test_it?2?", "FAILED *test_it?3?*"])


def test_what_fixtures_open_is_not_the_tests(project):
    result = project.run(
        """
        @pytest.fixture
        def basket(url):
            prices_one_by_one(url, BASKET)
            yield BASKET
            prices_one_by_one(url, BASKET)

        @pytest.mark.connections(at_most=0)
        def test_it(basket):
            pass
        """,
    )
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        ("", "use at_most=N, exactly=N or forbid=CAUSE"),
        ("1", "unknown argument 1; use at_most=N, exactly=N or forbid=CAUSE"),
        ("most=1", "unknown argument most; use at_most=N, exactly=N or forbid=CAUSE"),
        ("at_most=1, exactly=1", "use at_most=N or exactly=N, one of them"),
        ("at_most=-1", "at_most is a whole number, zero or more, not -1"),
        ("exactly='1'", "exactly is a whole number, zero or more, not '1'"),
        ("at_most=True", "at_most is a whole number, zero or more, not True"),
        ("at_most=1, per_host=1", "per_host is True or False, not 1"),
        ("forbid=3", "forbid is the name of a cause, or a list of them, not 3"),
        ("forbid=[3]", "forbid is the name of a cause, or a list of them, not [3]"),
        (
            "forbid='unread-bodies'",
            'forbid: there is no cause "unread-bodies". Next: is it unread-body?',
        ),
        (
            "forbid='first-use'",
            (
                'forbid: "first-use" is necessary, so it cannot be forbidden. '
                "Next: limit the number of connections instead."
            ),
        ),
    ],
)
def test_a_marker_that_makes_no_sense_is_a_usage_error(project, arguments, wrong):
    result = project.run(f"@pytest.mark.connections({arguments})\ndef test_it(): pass")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    line = f"ERROR: test_it.py::test_it: the marker connections({arguments}): {wrong}"
    assert line == result.stderr.str().strip()


def test_a_marker_that_conftest_sets_is_checked_too(project):
    with (project.path / "conftest.py").open("a") as conftest:
        conftest.write(
            "\ndef pytest_collection_modifyitems(items):"
            "\n    items[0].add_marker(pytest.mark.connections(at_most=-1))\n"
        )
    result = project.run("def test_it(): pass")
    assert result.ret == pytest.ExitCode.USAGE_ERROR


@pytest.mark.parametrize("plugin", ["conftest", "early"])
def test_what_other_plugins_do_around_the_call_is_not_the_tests(project, monkeypatch, plugin):
    monkeypatch.syspath_prepend(project.path)
    with (project.path / f"{plugin}.py").open("a") as module:
        module.write(
            "\nimport pytest"
            "\n@pytest.hookimpl(wrapper=True)"
            "\ndef pytest_runtest_call(item):"
            "\n    item.funcargs['shop'].prices(['tea'])"
            "\n    return (yield)\n"
        )
    result = project.run(
        """
        @pytest.mark.connections(at_most=0)
        def test_it(shop):
            pass
        """,
        *(["-p", "early"] if plugin == "early" else []),
    )
    result.assert_outcomes(passed=1)


def test_a_late_marker_that_makes_no_sense_fails_the_test_in_a_line(project):
    result = project.run(
        """
        @pytest.fixture(autouse=True)
        def _late(request):
            request.node.add_marker(pytest.mark.connections(at_most=None))

        def test_it():
            pass
        """,
    )
    result.assert_outcomes(failed=1)
    wrong = "test_it.py::test_it: the marker connections(at_most=None): use at_most=N or exactly=N"
    assert f"{' test_it ':_^80}\n{wrong}, one of them\n=" in project.shown(result)


def test_the_marker_is_documented(project):
    result = project.again("--markers")
    result.stdout.fnmatch_lines(
        ["@pytest.mark.connections(at_most=N, exactly=N, per_host=False, forbid=CAUSE)*"]
    )


# -- Tests that do not pass ----------------------------------------------------------------------


def test_a_failure_of_the_tests_own_stays_and_the_connections_are_shown_beneath(project, refused):
    result = project.run(
        """
        @pytest.mark.connections(at_most=1)
        def test_it(url):
            prices_one_by_one(url, BASKET)
            assert url == "closed"
        """,
    )
    result.assert_outcomes(failed=1)
    shown = project.shown(result)
    assert "E       AssertionError: assert 'http://SHOP' == 'closed'" in shown
    assert f"{' connections ':-^80}\n{refused}=" in shown


def test_a_failure_within_the_limit_is_left_alone(project):
    result = project.run(
        """
        @pytest.mark.connections(at_most=1)
        def test_it(shop):
            shop.prices(BASKET)
            raise KeyError("tea")
        """,
    )
    assert "connections -" not in project.shown(result)
    assert "pytest_plugin" not in project.shown(result)


def test_a_test_that_is_run_again_begins_anew(project):
    with (project.path / "conftest.py").open("a") as conftest:
        conftest.write(
            "\nfrom _pytest.runner import runtestprotocol"
            "\ndef pytest_runtest_protocol(item, nextitem):"
            "\n    runtestprotocol(item, log=False, nextitem=item)"
            "\n    runtestprotocol(item, nextitem=nextitem)"
            "\n    return True\n"
        )
    result = project.run(
        """
        runs = []

        @pytest.mark.connections(at_most=1)
        def test_it(url):
            runs.append(url)
            if len(runs) == 1:
                prices_one_by_one(url, BASKET)
            else:
                raise KeyError("tea")
        """
    )
    assert "KeyError" in project.shown(result)
    assert "opened" not in project.shown(result)


def test_skips_and_expected_failures_stay_what_they_are(project):
    result = project.run(
        """
        pytestmark = pytest.mark.connections(at_most=1)

        @pytest.mark.skip
        def test_skipped(url):
            prices_one_by_one(url, BASKET)

        def test_skips_itself(url):
            prices_one_by_one(url, BASKET)
            pytest.skip("closed")

        def test_expects_to_fail(url):
            prices_one_by_one(url, BASKET)
            pytest.xfail("closed")

        @pytest.mark.xfail(raises=KeyError)
        def test_fails_otherwise_than_expected(url):
            prices_one_by_one(url, BASKET)

        @pytest.mark.xfail
        def test_opens_more_as_expected(url):
            prices_one_by_one(url, BASKET)

        @pytest.mark.xfail
        def test_keeps_the_limit_unexpectedly(shop):
            shop.prices(BASKET)
        """,
    )
    result.assert_outcomes(skipped=2, xfailed=2, failed=2)


def test_the_marker_and_the_fixture_work_in_unittests(project):
    result = project.run(
        """
        import unittest

        @pytest.mark.connections(at_most=3)
        class TestShop(unittest.TestCase):
            @pytest.fixture(autouse=True)
            def _given(self, url, connections):
                self.url, self.connections = url, connections

            def setUp(self):
                prices_one_by_one(self.url, BASKET)

            def test_within(self):
                self.connections.assert_opened(exactly=2)

            def test_beyond(self):
                prices_one_by_one(self.url, BASKET)

            def test_fails(self):
                prices_one_by_one(self.url, BASKET)
                self.fail("closed")

            def test_skips(self):
                prices_one_by_one(self.url, BASKET)
                self.skipTest("closed")

            @unittest.expectedFailure
            def test_expects_to_fail(self):
                prices_one_by_one(self.url, BASKET)
                self.fail("closed")
        """,
    )
    result.assert_outcomes(passed=1, failed=2, skipped=1, xfailed=1)
    shown = project.shown(result)
    assert f"{' TestShop.test_beyond ':_^80}\nopened 4 connections to http://SHOP, at most" in shown
    assert "E       AssertionError: closed\n" in shown
    assert f"{' connections ':-^80}\nopened 4 connections to http://SHOP, at most 3 a" in shown
