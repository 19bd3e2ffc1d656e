"""No test sleeps: it waits for an event, so it is neither slow nor wrong on a slow machine."""

from __future__ import annotations

import ast
from pathlib import Path

TESTS = Path(__file__).parent
# Files that do, how often, and why nothing can be waited for
JUSTIFIED = {
    "cli/test_signals.py": 3,  # a signal comes at any moment: these are moments
    "real_servers/test_learning.py": 1,  # requests around the idle timeout of a real server
    "servers/scripts.py": 2,  # what is sent is on its way, over a long link
    "tuned/test_learning_in_time.py": 2,  # nothing happens to an idle connection: that is tested
    "verdicts/test_cures_of_idle_times.py": 1,  # the same
}


def sleeps(source: str) -> int:
    """How many calls of `time.sleep` there are."""
    calls = (node.func for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    return sum(
        (isinstance(called, ast.Name) and called.id == "sleep")
        or (
            isinstance(called, ast.Attribute)
            and called.attr == "sleep"
            and isinstance(called.value, ast.Name)
            and called.value.id == "time"
        )
        for called in calls
    )


def test_a_sleep_is_found_in_either_form() -> None:
    assert sleeps("import time\nfrom time import sleep\ntime.sleep(1)\nsleep(0.1)\n") == 2
    assert sleeps("'time.sleep(1)'\nwaits.sleep(1)\n") == 0


def test_no_test_sleeps_but_where_nothing_can_be_waited_for() -> None:
    files = (path for path in TESTS.rglob("*.py") if TESTS / "data" not in path.parents)
    found = {str(path.relative_to(TESTS)): sleeps(path.read_text()) for path in files}
    assert {name: number for name, number in found.items() if number} == JUSTIFIED
