"""The screen of a benchmark of programs."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rich.console import Console

from keptalive.bench.summary import summarise
from keptalive.records.counts import HostCounts
from keptalive.records.run import About, Run, Trial, Witnesses
from keptalive.render.terminal import programs

NOISE = (1.0, 1.01, 0.99, 1.02, 0.98, 1.005)


def run_of(scenario: str = "as-is", **labels: str) -> Run:
    """Six rounds of each program; each is half as slow again as the one after it."""
    trials = [
        Trial(
            scenario=scenario,
            strategy=name,
            round=number,
            warm_up=number == 0,
            counts=HostCounts(requests=60, opened=60, reused=0, most_at_once=1),
            witnesses=Witnesses(pool_log=60, sockets=60),
            seconds=8.1 * noise / 1.5**place,
            cpu_seconds=2.0,
            request_seconds=(8.1 * noise,),
        )
        for number, noise in enumerate((1.0, *NOISE))
        for place, name in enumerate(labels)
    ]
    return Run(
        plan={"program": ["sync.py: python sync.py"] if len(labels) < 3 else [""] * len(labels)},
        environment={},
        strategies={name: About(label=label, settings="") for name, label in labels.items()},
        trials=tuple(trials),
        summary=summarise(trials, reference=next(iter(labels))),
        ended="rounds",
        seconds=90.0,
        notes=("sync.py: same output with tuned Sessions.",),
    )


def lines(run: Run, width: int) -> list[str]:
    console = Console(width=width, no_color=True)
    with console.capture() as shown:
        console.print(programs.report(run, width=width))
    return shown.get().splitlines()


ALONE = run_of(sync="as it is", tuned="tuned Sessions")


def test_what_tuned_sessions_change_is_one_sentence_with_its_interval():
    assert " ".join(lines(ALONE, 80)[:2]) == (
        "sync.py as it is: 60 connections, 8.1 s; with tuned Sessions: 60 connections, "
        "5.4 s (1.50× [1.50, 1.50])."
    )


def test_several_programs_have_a_sentence_of_their_names():
    run = run_of(old="old", new="new", newer="newer")
    assert "old: 60 connections, 8.1 s; new: 60 connections, 5.4 s" in " ".join(lines(run, 80))


@pytest.mark.parametrize("width", [40, 60, 80, 120])
@pytest.mark.parametrize("scenario", ["as-is", "close-announced"])
def test_the_screen_fits_its_terminal(width, scenario):
    run = run_of(scenario, sync="as it is", tuned="tuned Sessions")
    assert width >= max(map(len, lines(run, width)))


def test_counts_that_differ_are_said_and_not_agreed_upon():
    run = replace(ALONE, disagreements=("The counts disagree: watch 60, sockets 59.",))
    assert "INVALID: The counts disagree: watch 60, sockets 59." in lines(run, 80)
