"""A benchmark's progress where there is no terminal: nothing, or a line for each round."""

from __future__ import annotations

import pytest

from keptalive.bench.runner import Progress
from keptalive.cli.bench_progress import shown_progress

STEPS = (
    Progress(round=0, trial=1, trials_a_round=2, elapsed_s=1.0, seconds_left=None),
    Progress(round=0, trial=2, trials_a_round=2, elapsed_s=2.0, seconds_left=None),
    Progress(round=1, trial=2, trials_a_round=2, elapsed_s=4.2, seconds_left=3.1),
    Progress(round=2, trial=2, trials_a_round=2, elapsed_s=6.0, seconds_left=0.0, traced=True),
)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (
            True,
            (
                "warm-up done after 2 s\n"
                "round 1 done after 4 s, at most 3 s left\n"
                "traced round done after 6 s\n"
            ),
        ),
        (False, ""),
    ],
)
def test_without_a_terminal_there_is_a_line_for_each_round_if_that_is_wanted(
    capsys: pytest.CaptureFixture[str], wanted: bool, expected: str
) -> None:
    with shown_progress(wanted=wanted) as show:
        for step in STEPS:
            show(step)
    assert capsys.readouterr() == ("", expected)
