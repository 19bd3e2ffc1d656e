"""What a person reads of a run, in a terminal 80 and 100 columns wide."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from tests.runs import LABELS, trace

from keptalive.bench.summary import too_few
from keptalive.bench.titles import full_title, short_title
from keptalive.lookalike.behaviour import SCENARIOS
from keptalive.records.counts import HostCounts
from keptalive.records.report import Finding
from keptalive.records.run import About, Interval, Run, StrategySummary, Trial, Witnesses
from keptalive.render.bench_figures import witnesses_line
from keptalive.render.bench_verdict import next_step, verdict
from keptalive.render.terminal import bench as terminal


def row(strategy: str, speedup: Interval | None, opened: int) -> StrategySummary:
    return StrategySummary(
        scenario="idle-timeout=60",
        strategy=strategy,
        rounds=7,
        requests=140,
        counts=HostCounts(requests=140, opened=opened, reused=140 - opened),
        perfect=7,
        seconds_per_request=Interval(median=0.0813, low=0.08, high=0.09),
        requests_per_second=Interval(median=12.3),
        p95_s=0.0947,
        first_request_s=Interval(median=0.0805),
        later_request_s=None,
        cpu_seconds_per_request=0.0202,
        speedup=speedup,
    )


TRIAL = Trial(
    scenario="idle-timeout=60",
    strategy="fresh",
    round=1,
    warm_up=False,
    counts=HostCounts(requests=20, opened=20),
    witnesses=Witnesses(pool_log=20, sockets=20, server=20),
    seconds=1.6,
    cpu_seconds=0.4,
    request_seconds=(0.08,) * 20,
)
RUN = Run(
    plan={},
    environment={},
    strategies={name: About(label=label, settings="defaults") for name, label in LABELS.items()},
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
        "Speed vs requests.get:\nThe server drops idle connections: "
        "Session no clear difference, tuned Session 12.3 times as fast."
    )
    assert verdict(RUN) == expected


def few(rounds: int, **changed: Any) -> Run:
    """The run, with so few rounds that nothing has an interval."""
    rows = tuple(
        replace(one, rounds=rounds, speedup=None, warnings=(str(too_few(rounds)),))
        for one in RUN.summary
    )
    return replace(RUN, summary=rows, **changed)


def test_too_few_rounds_are_named_once() -> None:
    text = shown(few(2), 80)
    assert verdict(few(2)) == "No verdict: only 2 rounds; at least 6 are needed."
    assert text.count("2 rounds;") == 1
    assert "6 are needed" in text


def test_with_too_few_rounds_failures_are_named_all_the_same() -> None:
    run = few(1)
    failing = replace(RUN.summary[1], rounds=1, counts=HostCounts(errors={"OSError": 3}))
    said = verdict(replace(run, summary=(run.summary[0], failing)))
    assert said.endswith("\nThe server drops idle connections: Session failed 3 times.")


def test_a_round_that_was_interrupted_before_its_end_is_not_counted_for_a_verdict() -> None:
    rows = tuple(replace(one, rounds=6 - n) for n, one in enumerate(few(6).summary[:2]))
    said = verdict(replace(RUN, summary=rows, ended="interrupted"))
    assert said.startswith("No verdict: only 5 rounds; at least 6 are needed.")


SAVED = Path("results/2026.json")


@pytest.mark.parametrize(
    ("run", "saved", "said"),
    [
        (few(1, ended="budget", seconds=7.0), SAVED, "for a verdict: --budget 20, or --rounds 6"),
        (few(1, ended="rounds"), SAVED, "for a verdict: --rounds 6"),
        (RUN, SAVED, "your own program: keptalive run SCRIPT"),
        (
            replace(RUN, plan={"target": "https://h"}),
            SAVED,
            "after a change: bench again, then keptalive compare 2026",
        ),
        (
            replace(RUN, plan={"target": "https://h"}),
            Path("a/b.json"),
            "after a change: bench again, then keptalive compare a/b.json a",
        ),
        (
            replace(RUN, plan={"target": "programs", "program": ("sync: sync.py",)}),
            SAVED,
            "after a change: bench again, then keptalive compare 2026",
        ),
        (
            replace(RUN, plan={"target": "lookalike", "program": ("sync: sync.py",)}),
            None,
            "why each was opened: keptalive run PROGRAM",
        ),
    ],
)
def test_the_last_line_says_what_to_do_next(run: Run, saved: Path | None, said: str) -> None:
    assert next_step(run, saved) == f"Next, {said}"


def test_the_title_says_how_many_requests_and_connections_a_run_needs() -> None:
    assert "7 runs of 20 requests; 1 connection a run is enough" in shown(RUN, 80)


def test_the_witnesses_have_the_last_word() -> None:
    counted = "All counts agree (warm-up included): 20 by pool log = client sockets = server."
    assert counted in shown(RUN, 100)
    liar = replace(RUN, disagreements=("The witnesses disagree: pool log 1, sockets 2.",))
    assert "INVALID: The witnesses disagree: pool log 1, sockets 2." in shown(liar, 100)


def test_a_server_that_is_not_ours_is_no_witness() -> None:
    alone = replace(TRIAL, witnesses=Witnesses(pool_log=20, sockets=20))
    said = witnesses_line(replace(RUN, trials=(alone,)))
    assert said == (
        "All counts agree (warm-up included): 20 by pool log = client sockets; "
        "no server-side count for your own server."
    )


def test_a_strategy_without_a_log_has_connections_and_no_share_of_reuse() -> None:
    counts = HostCounts(requests=140, opened=7, reused=None, unanswered=None)
    rows = (*RUN.summary[:2], replace(RUN.summary[2], counts=counts))
    line = next(
        line for line in shown(replace(RUN, summary=rows), 80).splitlines() if "12.3×" in line
    )
    assert [cell.strip() for cell in line.split("│")][2:4] == ["7", "–"]


@pytest.mark.parametrize(
    ("speedup", "said"),
    [
        (3.9, "3.9 times as fast"),
        (12.34, "12.3 times as fast"),
        (0.06, "17 times as slow"),
        (0.4, "2.5 times as slow"),
    ],
)
def test_what_is_slower_is_said_to_be_slow(speedup: float, said: str) -> None:
    interval = Interval(median=speedup, low=0.9 * speedup, high=1.1 * speedup)
    slow = replace(RUN, summary=(row("fresh", None, 140), row("session", interval, 7)))
    assert verdict(slow).endswith(f"Session {said}.")


@pytest.mark.parametrize(("receive_s", "rest"), [(0.01, ["63.2"]), (0.5, ["500.0", "53.2"])])
def test_what_takes_long_to_receive_has_a_column(receive_s: float, rest: list[str]) -> None:
    phases = {**PHASES, "receive": receive_s, "send": 0.05}
    rows = [replace(one, phases=phases) for one in RUN.summary]
    line = next(
        line
        for line in shown(replace(RUN, summary=tuple(rows)), 80).splitlines()
        if "102.1" in line
    )
    assert [cell.strip() for cell in line.strip("│").split("│")][5:] == rest


def test_a_delayed_acknowledgement_in_a_traced_run_is_shown_with_its_cure_once() -> None:
    finding = Finding(
        finding="delayed-ack", host="http://a:80", evidence="Seen late.", cure="One write."
    )
    traces = [trace(name, "idle-timeout=60", first_use=1) for name in ("session", "tuned")]
    traces = [replace(one, report=replace(one.report, findings=(finding,))) for one in traces]
    text = shown(replace(RUN, traces=tuple(traces)), 80)
    assert "Session: Seen late.\ntuned Session: Seen late.\n→ One write.\n" in text


PHASES = {"ca_bundle": 0.1399, "connect": 0.0008, "tls": 0.2051, "wait": 0.1021, "rest": 0.0032}
CELLS = [["CA bundle", "connect", "TLS", "wait", "rest"], ["139.9", "0.8", "205.1", "102.1", "3.2"]]


@pytest.mark.parametrize("name", [*SCENARIOS, "as-is"])
def test_every_phase_has_its_column_however_long_the_title_is(name: str) -> None:
    kind = SCENARIOS.get(name)
    scenario = f"{name}=2" if kind and kind.number_means else name
    rows = [replace(one, scenario=scenario, phases=PHASES) for one in RUN.summary]
    out = io.StringIO()
    Console(file=out, width=80).print(
        terminal.phases_table(replace(RUN, summary=tuple(rows)), width=80)
    )
    lines = out.getvalue().splitlines()
    cells = [[cell.strip() for cell in line.strip("│").split("│")] for line in lines]
    header, *body = [row for row in cells if len(row) == 6]
    titles = [row[0] for row in body if not row[1]]
    assert header[1:] == CELLS[0]
    assert [row for row in body if row[1]] == [
        [label, *CELLS[1]] for label in ("requests.get", "Session", "tuned Session")
    ]
    assert " ".join(titles) == short_title(scenario)
    assert all(len(line) <= 80 for line in lines)


@pytest.mark.parametrize("width", [80, 90, 100, 110, 120, 140])
def test_the_bars_leave_room_for_the_names_of_the_strategies(width: int) -> None:
    rows = [replace(one, phases={**PHASES, "receive": 0.4}) for one in RUN.summary]
    out = io.StringIO()
    Console(file=out, width=width).print(
        terminal.phases_table(replace(RUN, summary=tuple(rows)), width=width)
    )
    lines = out.getvalue().splitlines()
    for label in ("requests.get", "Session", "tuned Session"):
        assert any(line.startswith(f"│   {label} ") for line in lines)
    assert all(len(line) <= width for line in lines)
    assert ("▓" in out.getvalue()) is (width >= 110)


@pytest.mark.parametrize("name", [*SCENARIOS, "as-is"])
def test_every_scenario_has_a_title_of_its_own(name: str) -> None:
    titles = [full_title(other) for other in (*SCENARIOS, "as-is")]
    assert full_title(name) not in ("", name)
    assert titles.count(full_title(name)) == 1


def test_a_scenario_of_another_version_is_shown_by_its_name() -> None:
    rows = tuple(replace(row, scenario="half-open=3") for row in RUN.summary)
    assert "half-open" in shown(replace(RUN, summary=rows), 80)


@pytest.mark.parametrize(
    ("width", "columns"),
    [
        (100, ["opened", "reused", "a request", "first", "p95", "CPU", "requests.get"]),
        (80, ["opened", "reused", "a request", "CPU", "requests.get"]),
        (60, ["opened", "reused", "requests.get"]),
        (50, ["opened", "requests.get"]),
    ],
)
def test_a_narrow_terminal_leaves_out_the_least_important_columns(
    width: int, columns: list[str]
) -> None:
    text = shown(RUN, width)
    header = next(line for line in text.splitlines() if "opened" in line)
    assert [cell.strip() for cell in header.strip("│").split("│")[1:]] == columns
    assert "…" not in text
    assert "12.3× [11.9, 13.0]" in text
    assert all(len(line) <= width for line in text.splitlines())


TRACED = replace(
    RUN,
    traces=(
        trace("fresh", "idle-timeout=60", first_use=1, new_session=19),
        trace("session", "idle-timeout=60", idle_timeout=19, first_use=1),
    ),
)


def test_under_a_table_one_line_says_why_connections_were_opened() -> None:
    lines = shown(TRACED, 80).splitlines()
    (place,) = (n for n, line in enumerate(lines) if line.startswith("In one traced run:"))
    assert lines[place - 1].startswith("╰")
    said = " ".join(" ".join(lines[place : place + 3]).split())
    assert said.startswith(
        "In one traced run: requests.get opened 20: 1 × first-use, 19 × new-session; "
        "Session opened 20: 19 × idle-timeout, 1 × first-use."
    )
    assert "traced" not in shown(RUN, 80)


def test_a_count_and_its_cause_stand_on_one_line() -> None:
    for width in range(50, 101):
        lines = shown(TRACED, width).splitlines()
        assert all(len(line) <= width for line in lines)
        assert not [line for line in lines if line.rstrip().endswith(("×", "-")) or line[:1] == "×"]


OF_THREADS = replace(
    RUN,
    plan={"threads": 8, "bursts": True},
    summary=(
        replace(RUN.summary[0], perfect=56, requests_per_second=Interval(median=12.34)),
        replace(RUN.summary[1], perfect=56, requests_per_second=Interval(median=1234.5)),
        replace(RUN.summary[2], perfect=14, requests_per_second=Interval(median=234.5)),
    ),
)


def test_of_threads_throughput_and_cpu_stand_beside_latency_in_80_columns() -> None:
    text = shown(OF_THREADS, 80)
    assert "idle-timeout=60: 7 runs of 20 requests; 8 threads, in bursts" in text
    assert all(len(line) <= 80 for line in text.splitlines())
    cells = [
        [cell.strip() for cell in line.strip("│").split("│")]
        for line in text.splitlines()
        if line.startswith("│")
    ]
    assert cells[:2] == [
        ["", "opened", "a", "in a", "", "speed vs"],
        ["", "(enough)", "request", "second", "CPU", "requests.get"],
    ]
    assert cells[2:5] == [
        ["requests.get", "140 (56)", "81.3 ms", "12.3", "20.2 ms", "1"],
        ["Session", "140 (56)", "81.3 ms", "1,234", "20.2 ms", "~ 1.00× [0.92, 1.08]"],
        ["tuned Session", "7 (14)", "81.3 ms", "234", "20.2 ms", "12.3× [11.9, 13.0]"],
    ]


@pytest.mark.parametrize(("waited", "is_shown"), [(0.3, True), (0.01, False)])
def test_waiting_for_the_pool_has_a_column_where_it_takes_long(
    waited: float, is_shown: bool
) -> None:
    rows = tuple(replace(row, phases={**PHASES, "blocked": waited}) for row in OF_THREADS.summary)
    out = io.StringIO()
    table = terminal.phases_table(replace(OF_THREADS, summary=rows), width=80)
    Console(file=out, width=80).print(table)
    assert ("│ pool │" in " ".join(out.getvalue().split())) == is_shown
    assert ("300.0" if is_shown else "13.2") in out.getvalue()  # else it is part of the rest


def test_without_a_trial_no_counts_agree() -> None:
    text = shown(replace(RUN, trials=(), summary=(), ended="interrupted"), 80)
    assert "agree" not in text
    assert "interrupted" in text
