"""What a person reads of a run, in a terminal 80 and 100 columns wide."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from keptalive.lookalike.behaviour import SCENARIOS
from keptalive.records.run import Counts, Interval, Run, StrategySummary, Trial, Witnesses
from keptalive.render.terminal import bench as terminal


def row(strategy: str, speedup: Interval | None, opened: int) -> StrategySummary:
    return StrategySummary(
        scenario="idle-timeout=60",
        strategy=strategy,
        rounds=7,
        counts=Counts(requests=140, attempts=140, opened=opened, reused=140 - opened),
        perfect=7,
        seconds_per_request=Interval(median=0.0813, low=0.08, high=0.09),
        p95_s=0.0947,
        first_request_s=Interval(median=0.0805),
        later_request_s=None,
        cpu_seconds_per_request=0.0202,
        speedup_vs_fresh=speedup,
    )


TRIAL = Trial(
    scenario="idle-timeout=60",
    strategy="fresh",
    round=1,
    warm_up=False,
    counts=Counts(requests=20, attempts=20, opened=20),
    witnesses=Witnesses(pool_log=20, sockets=20, server=20),
    seconds=1.6,
    cpu_seconds=0.4,
    request_seconds=(0.08,) * 20,
)
RUN = Run(
    plan={},
    environment={},
    labels={"fresh": "requests.get", "session": "Session", "tuned": "tuned Session"},
    settings={},
    trials=(TRIAL,),
    summary=(
        row("fresh", None, 140),
        row("session", Interval(median=1.0, low=0.92, high=1.08), 140),
        row("tuned", Interval(median=12.345, low=11.9, high=13.04), 7),
    ),
    ended="budget",
    seconds=59.2,
)


def shown(run: Run, width: int) -> str:
    out = io.StringIO()
    Console(file=out, width=width).print(terminal.report(run, width=width))
    return out.getvalue()


@pytest.mark.parametrize("width", [80, 100])
def test_nothing_is_cut_off(width: int) -> None:
    text = shown(RUN, width)
    assert "…" not in text
    assert all(len(line) <= width for line in text.splitlines())
    for cell in ("~ 1.00× [0.92, 1.08]", "12.3× [11.9, 13.0]", "81.3 ms", "20.2 ms", "95 %"):
        assert cell in text


def test_the_verdict_says_only_what_is_shown() -> None:
    expected = (
        "Against requests.get:\nThe server drops idle connections: "
        "Session not shown to be faster, tuned Session 12.3 times as fast."
    )
    assert terminal.verdict(RUN) == expected


def test_opened_stands_against_what_perfect_reuse_would_open() -> None:
    assert "140 requests each way, perfect reuse would open 7" in shown(RUN, 80)


def test_the_witnesses_have_the_last_word() -> None:
    assert "Every count agrees: pool log 20 = sockets 20 = server 20." in shown(RUN, 100)
    liar = replace(RUN, disagreements=("The witnesses disagree: pool log 1, sockets 2.",))
    assert "INVALID: The witnesses disagree: pool log 1, sockets 2." in shown(liar, 100)


def test_a_server_that_is_not_ours_is_no_witness() -> None:
    alone = replace(TRIAL, witnesses=Witnesses(pool_log=20, sockets=20))
    said = terminal.witnesses_line(replace(RUN, trials=(alone,)))
    assert said == "Every count agrees: pool log 20 = sockets 20 (the server is not ours to ask)."


PHASES = {"ca_bundle": 0.1399, "connect": 0.0008, "tls": 0.2051, "wait": 0.1021, "rest": 0.0032}
CELLS = [["CA bundle", "connect", "TLS", "wait", "rest"], ["139.9", "0.8", "205.1", "102.1", "3.2"]]


@pytest.mark.parametrize("name", [*SCENARIOS, "as-is"])
def test_every_phase_has_its_column_however_long_the_title_is(name: str) -> None:
    kind = SCENARIOS.get(name)
    scenario = f"{name}=2" if kind and kind.number_means else name
    rows = [replace(one, scenario=scenario, phases=PHASES) for one in RUN.summary]
    out = io.StringIO()
    Console(file=out, width=80).print(terminal.phases_table(replace(RUN, summary=tuple(rows))))
    lines = out.getvalue().splitlines()
    cells = [[cell.strip() for cell in line.strip("│").split("│")] for line in lines]
    header, *body = [row for row in cells if len(row) == 6]
    titles = [row[0] for row in body if not row[1]]
    assert header[1:] == CELLS[0]
    assert [row for row in body if row[1]] == [
        [label, *CELLS[1]] for label in ("requests.get", "Session", "tuned Session")
    ]
    assert " ".join(titles) == terminal.short_title(scenario)
    assert all(len(line) <= 80 for line in lines)
