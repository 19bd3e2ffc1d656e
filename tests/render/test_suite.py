from __future__ import annotations

from keptalive.render.suite import OfTest, Together, by_cause, outside, shared, totals, unclosed

TESTS = {
    "test_b": OfTest(2, 1, 0, {"new-session": 1, "first-use": 1}),
    "test_a": OfTest(2, 2, 9, {"first-use": 2}),
    "test_c": OfTest(12, 1, 0, {"new-session": 1, "tls-settings-differ": 10, "first-use": 1}),
    "test_d": OfTest(0, 0, 5, {}),
}


def test_causes_come_with_their_lines_of_code_and_the_tests_that_had_most_of_them():
    process = Together(places={"new-session": ["a.py:3", "b.py:4"]})
    assert by_cause(TESTS, [process, process], shown=0, width=80) == [
        "opened  cause and test",
        "    10  tls-settings-differ: verify, cert or the ssl_context differ from an",
        "        earlier request, so another pool",
        "    10    test_c",
        "     2  new-session: a new Session, or requests.get, began with an empty pool",
        "        at a.py:3 and b.py:4",
        "     1    test_b",
        "     1    test_c",
        "     4  first-use: the first connection to this host (necessary)",
    ]
    assert by_cause(TESTS, [], shown=1, width=80)[4:7] == [
        "     2  new-session: a new Session, or requests.get, began with an empty pool",
        "     1    test_b",
        "          and 1 more test",
    ]


def test_the_totals_have_what_would_be_enough_for_each_test():
    assert totals(TESTS) == (
        "4 tests: 16 connections opened, 4 would be enough; 14 responses on a kept one."
    )


def test_where_no_connection_could_be_saved_the_totals_do_not_speak_of_it():
    assert totals({"test_a": OfTest(1, 1, 9, {"first-use": 1})}) == (
        "1 test: 1 connection opened; 9 responses on a kept one."
    )
    assert totals({}) == "No test got a response through requests or urllib3."


def test_where_nothing_was_opened_there_is_no_table():
    assert by_cause({"test_d": OfTest(0, 0, 5, {})}, [Together()], shown=0, width=80) == []


def test_long_names_lose_their_beginning():
    tests = {"tests/" + "x" * 90 + "::test_it": OfTest(1, 1, 0, {"retry": 1})}
    line = by_cause(tests, [], shown=0, width=60)[2]
    assert (len(line), line[-10:]) == (60, "x::test_it")


def test_one_session_for_all_saves_what_is_beyond_perfect_reuse_of_each_process():
    assert shared(TESTS, [Together(perfect=1, saved_s=0.25)]) == [
        "One Session for all tests would have saved 15 of 16 connections (250 ms)."
    ]
    workers = [Together(perfect=1), Together(perfect=1, outside={"conftest.py:4": 2})]
    assert shared(TESTS, workers) == [
        "One Session for each worker would have saved 16 of 18 connections."
    ]
    assert shared(TESTS, [Together(perfect=4)]) == []
    assert shared(TESTS, []) == []


def test_what_was_opened_outside_of_tests_is_named_with_its_place():
    processes = [Together(outside={"conftest.py:4": 2, "": 1}), Together(outside={"a.py:1": 1})]
    assert outside(processes) == [
        "4 more connections were opened outside of tests, at conftest.py:4 and a.py:1."
    ]
    assert outside([Together(outside={"": 1})]) == [
        "1 more connection was opened outside of tests."
    ]
    assert outside([Together()]) == []


def test_where_no_session_was_left_open_nothing_is_said():
    assert unclosed([Together()], width=80) == []
