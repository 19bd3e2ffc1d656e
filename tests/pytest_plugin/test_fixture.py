"""The fixture `connections`: what it counts, and how it refuses."""

from __future__ import annotations

import pytest


def test_the_fixture_counts_what_the_test_opens_and_reuses(project):
    result = project.run(
        """
        def test_it(url, connections):
            prices_one_by_one(url, BASKET)
            with requests.Session() as session:
                session.get(url + "/last-order")
                session.get(url)
                session.get(url)
            assert (connections.opened, connections.reused, connections.reopened) == (4, 1, 1)
            assert connections.perfect == 1
            causes = {"close-announced": 1, "first-use": 1, "new-session": 2}
            assert dict(connections.causes) == causes
            assert list(connections.causes)[-1] == "first-use"
            assert connections.report()["hosts"][0]["host"] == url
        """,
    )
    result.assert_outcomes(passed=1)


def test_the_fixture_sees_sessions_that_are_older_and_other_threads(project):
    result = project.run(
        """
        import threading

        def test_first(shop):
            shop.prices(BASKET)

        def test_then(shop, connections):
            thread = threading.Thread(target=shop.prices, args=[BASKET])
            thread.start()
            thread.join()
            assert (connections.opened, connections.reused) == (0, 2)
        """,
    )
    result.assert_outcomes(passed=2)


def test_the_fixture_begins_when_it_is_set_up(project):
    result = project.run(
        """
        @pytest.fixture
        def early(shop):
            return shop.prices(BASKET)

        @pytest.fixture
        def late(shop):
            return shop.prices(BASKET)

        def test_it(early, connections, late):
            assert (connections.opened, connections.reused) == (0, 2)
        """,
    )
    result.assert_outcomes(passed=1)


def test_a_refusal_names_the_causes_and_the_cures_and_points_at_the_test(project, refused):
    result = project.run(
        """
        def test_it(url, connections):
            prices_one_by_one(url, BASKET)
            connections.assert_opened(at_most=1)
        """,
    )
    lines = "".join(f"E       {line}\n" for line in refused.splitlines())
    first = lines.replace("E       opened", "E       AssertionError: opened")
    shown = project.shown(result)
    assert f">       connections.assert_opened(at_most=1)\n{first}\ntest_it.py:8: Assert" in shown
    assert max(map(len, lines.splitlines())) <= 80
    assert "pytest_plugin" not in shown


def test_a_plain_assertion_shows_the_causes_too(project):
    result = project.run(
        """
        def test_it(url, connections):
            prices_one_by_one(url, BASKET)
            assert connections.opened == 1
        """,
    )
    assert (
        "where 2 = Connections(opened=2, perfect=1, reused=0, reopened=0, "
        "causes={'new-session': 1, 'first-use': 1}).opened" in project.shown(result)
    )


def test_per_host_each_host_may_have_its_connection(project):
    result = project.run(
        """
        def test_it(url, connections):
            with requests.Session() as session:
                session.get(url)
                session.get(url.replace("127.0.0.1", "localhost"))
            connections.assert_opened(at_most=1, per_host=True)
            connections.assert_opened(exactly=1, per_host=True)
            with pytest.raises(AssertionError, match="opened 2 connections to 2 hosts, at most 1"):
                connections.assert_opened(at_most=1)
        """,
    )
    result.assert_outcomes(passed=1)


def test_exactly_refuses_fewer_too(project):
    result = project.run(
        """
        def test_it(shop, connections):
            connections.assert_opened(exactly=0)
            with pytest.raises(AssertionError, match="opened no connection, exactly 1 expected"):
                connections.assert_opened(exactly=1)
            shop.prices(BASKET)
            connections.assert_opened(exactly=1)
        """,
    )
    result.assert_outcomes(passed=1)


def test_the_fixture_has_the_causes_and_refuses_those_that_are_forbidden(project):
    result = project.run(
        """
        def test_it(url, connections):
            prices_one_by_one(url, BASKET)
            assert list(connections.causes.items()) == [("new-session", 1), ("first-use", 1)]
            connections.assert_opened(forbid="unread-body")
            connections.assert_opened(at_most=2, forbid=["unread-body", "new-session"])
        """,
    )
    result.stdout.fnmatch_lines(
        ["E * opened 1 connection for new-session, which is forbidden: shopclient/client.py:5"]
    )


def test_numbers_that_make_no_sense_are_refused_in_a_line(project):
    result = project.run(
        """
        def test_it(connections):
            connections.assert_opened(at_most=-1)
        """,
    )
    result.stdout.fnmatch_lines(
        ["E * assert_opened: at_most is a whole number, zero or more, not -1"]
    )
    assert "pytest_plugin" not in project.shown(result)


def test_two_watches_of_a_test_are_independent(project):
    result = project.run(
        """
        from keptalive import watch

        @pytest.fixture
        def late(url, connections):
            prices_one_by_one(url, BASKET)

        @pytest.mark.connections(exactly=2)
        def test_it(url, connections, late):
            with watch() as seen:
                prices_one_by_one(url, ["tea"])
            prices_one_by_one(url, ["tea"])
            assert (seen.opened, connections.opened) == (1, 4)
        """,
    )
    result.assert_outcomes(passed=1)


@pytest.mark.connections(exactly=2)
def test_a_watched_test_may_run_watched_tests_in_its_process(project, connections):
    result = project.run(
        """
        @pytest.mark.connections(at_most=1)
        def test_it(url):
            prices_one_by_one(url, BASKET)
        """,
        "--connections",
    )
    result.assert_outcomes(failed=1)
    connections.assert_opened(exactly=2)
