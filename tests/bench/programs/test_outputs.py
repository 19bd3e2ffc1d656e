"""Whether a program prints the same with tuned Sessions."""

from __future__ import annotations

import pytest

from keptalive.bench.programs.outputs import Outputs

SAME = "same output with tuned Sessions"
OTHER = "the output with tuned Sessions is another one"
VARIES = "its output changes from run to run as it is, so it was not compared with that of"


@pytest.mark.parametrize(
    ("plain", "tuned", "expected"),
    [
        ([b"a\n", b"a\n"], [b"a\n", b"a\n"], [f"sync: {SAME}."]),
        ([b"a\nb", b"a\nb"], [b"a\nc"], [f"sync: {OTHER}, from line 2 on. Next: compare them."]),
        ([b"a\n"], [b"a\n", b"b\n"], [f"sync: {OTHER} in some runs. Next: compare them."]),
        ([b"at 10:01\n", b"at 10:02\n"], [b"at 10:03\n"], [f"sync: {VARIES} tuned Sessions."]),
        ([b"a\n"], [], []),
    ],
)
def test_the_output_with_tuned_sessions_is_compared_where_it_does_not_change_by_itself(
    plain, tuned, expected
):
    outputs = Outputs()
    for is_tuned, several in ((False, plain), (True, tuned)):
        for output in several:
            outputs.add("as-is", "sync", output, tuned=is_tuned)
    assert expected == list(outputs.notes())
