"""A test that loses a socket is the one that is blamed for it, not the one that runs meanwhile."""

from __future__ import annotations

import gc

import pytest

CONFTEST = "from tests.conftest import _complaints_of_lost_files_come_here"
TESTS = """
import gc, socket

def test_that_loses_a_socket():
    lost = [socket.socket()]
    lost.append(lost)

def test_that_collects_garbage():
    gc.collect()
"""


def test_a_test_that_loses_a_socket_is_the_one_that_is_blamed(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(TESTS)
    gc.disable()  # or it may be found while the test runs
    try:
        ended = pytester.runpytest("-W", "error", "-p", "no:cacheprovider")
    finally:
        gc.enable()
    ended.assert_outcomes(passed=2, errors=1)
    ended.stdout.fnmatch_lines(["*ERROR at teardown of test_that_loses_a_socket*"])
