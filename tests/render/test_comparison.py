"""What a person and a CI read of a comparison: the verdict first, and nothing cut off."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console
from tests.runs import run, trace, usual

from keptalive.bench.gate import Limit, judge
from keptalive.compare.findings import (
    Findings,
    Source,
    causes_of_more,
    differences,
    labels,
    warnings,
)
from keptalive.compare.verdicts import Guard, compare
from keptalive.records.run import About, Run
from keptalive.render import github_actions as github
from keptalive.render import markdown, markdown_text, sentences
from keptalive.render.comparison_sides import sides, surroundings
from keptalive.render.comparison_view import of_results
from keptalive.render.terminal import comparison

HERE = Source(
    path="results/a.json", made="2026-11-20T10:00:00", commit="3f2a91c0aa", machine="Linux, 2 CPUs"
)
THERE = replace(HERE, path="results/b.json", commit=None, made="2026-11-24T10:00:00")


def findings(
    baseline: Run,
    candidate: Run,
    *limits: Limit,
    guard: Guard | None = None,
    absolute: bool = False,
    machine: str = HERE.machine,
) -> Findings:
    there = replace(THERE, machine=machine)
    return Findings(
        baseline=HERE,
        candidate=there,
        comparison=compare(baseline, candidate, guard=guard, absolute=absolute),
        gate=judge(candidate, limits),
        differences=differences(baseline, candidate),
        warnings=warnings((HERE, baseline), (there, candidate), absolute=absolute),
        labels={**baseline.labels, **candidate.labels},
        causes=causes_of_more(baseline, candidate),
    )


def shown(found: Findings, width: int = 80) -> str:
    out = io.StringIO()
    Console(file=out, width=width).print(comparison.screen(of_results(found), width=width))
    return out.getvalue()


WORSE = findings(run(), run(usual(opened=2, reopened=1), environment={"urllib3": "2.8.0"}))
FAILED = findings(run(), run(usual(errors={"ReadTimeout": 1})))
LONG = [
    replace(
        t, scenario="idle-timeout=60", strategy={"session": "tuned"}.get(t.strategy, t.strategy)
    )
    for t in usual(slower=12.3456)
]


def test_a_comparison_of_programs_names_no_server_and_the_reference_as_people_know_it() -> None:
    as_it_is = [replace(trial, scenario="as-is") for trial in usual()]
    found = replace(findings(run(as_it_is), run(as_it_is)), of_programs=True)
    found = replace(
        found,
        comparison=replace(found.comparison, reference="sync.py"),
        labels={**found.labels, "sync.py": "as it is"},
    )
    lines = [line.strip() for line in shown(found).splitlines()]
    assert "Your programs" in lines
    assert [line for line in lines if "time vs as it is" in line]


def test_the_verdict_stands_in_a_sentence_before_the_numbers() -> None:
    lines = shown(WORSE).splitlines()
    assert [line.rstrip() for line in lines[:4]] == [
        "baseline 3f2a91c (2026-11-20), candidate b.json (2026-11-24)",
        "same plan, urllib3 2.7.0 → 2.8.0",
        "",
        "REGRESSION: Session opens 1 more connection a run (reopened).",
    ]


def named(baseline: Source, candidate: Source) -> str:
    found = replace(WORSE, baseline=baseline, candidate=candidate)
    return sides(found.baseline, found.candidate).replace(" (2026-11-20)", "")


def test_sides_of_the_same_commit_are_told_apart_by_their_files() -> None:
    other = replace(HERE, path="results/b.json")
    assert named(HERE, other) == "baseline 3f2a91c a.json, candidate 3f2a91c b.json"
    outside = [replace(side, commit=None) for side in (HERE, other)]
    assert named(*outside) == "baseline a.json, candidate b.json"
    moved = replace(outside[0], path="results/baseline/a.json")
    assert named(moved, outside[0]) == "baseline results/baseline/a.json, candidate results/a.json"
    assert named(HERE, replace(other, commit="7be0d12")) == "baseline 3f2a91c, candidate 7be0d12"


@pytest.mark.parametrize(
    "found",
    [WORSE, FAILED, findings(run(), run([*usual(), *LONG])), findings(run(LONG), run(LONG))],
)
def test_everything_fits_80_columns(found: Findings) -> None:
    text = shown(found)
    assert "…" not in text
    assert max(len(line.rstrip()) for line in text.splitlines()) <= 80


def test_a_table_has_both_sides_the_change_its_interval_and_a_verdict() -> None:
    rows = [
        line.split() for line in shown(WORSE).splitlines() if "opened" in line or "time vs" in line
    ]
    assert ["Session", "opened", "1", "2", "+1", "worse"] in rows
    (time,) = (row for row in rows if row[0] == "time")
    assert time[:6] == ["time", "vs", "get", "0.249", "0.249", "+0.0"]
    assert time[-1] == "same"


def test_what_is_not_comparable_says_why() -> None:
    said = " ".join(shown(FAILED).split())
    assert "NOT COMPARABLE: something that is guarded cannot be compared" in said
    assert "Session: not comparable: candidate: 8 of 32 requests failed (ReadTimeout)." in said


def test_a_broken_limit_is_named_with_what_broke_it() -> None:
    found = findings(run(), run(), Limit(max_opened=0), Limit(min_reuse=0.8), Limit(min_speedup=9))
    assert sentences.verdict(found) == [
        (
            "GATE, where the server keeps connections: "
            "Session opened 1 connection in a run, max_opened is 0."
        ),
        (
            "GATE, where the server keeps connections: "
            "Session reused a connection for 75.0 % of its requests, min_reuse is 80 %; "
            "perfect reuse would be 75.0 %."
        ),
        (
            "GATE, where the server keeps connections: "
            "Session is 4.01 times as fast, min_speedup is 9."
        ),
    ]


def test_a_limit_that_could_not_be_judged_is_named_and_is_not_fine() -> None:
    limits = Limit(min_speedup=2), Limit(max_opened=1, scenario="as-is", strategy="tuned")
    only_counts = Guard(measures=frozenset({"opened"}))
    found = findings(run(usual(3)), run(usual(3)), *limits, guard=only_counts)
    assert found.outcome == "not comparable"
    assert sentences.headline(found) == "keptalive compare: not comparable"
    assert sentences.verdict(found) == [
        (
            "GATE not judged, where the server keeps connections: Session: min_speedup is 2, "
            "but it has only 3 rounds; at least 6 are needed."
        ),
        "GATE not judged: tuned: max_opened is 1, but the result has no such trial.",
    ]


def test_a_gate_that_holds_is_reported() -> None:
    found = findings(run(), run(), Limit(max_opened=1, min_reuse=0.5), Limit(min_speedup=2))
    expected = ["No regression.", "The plan's gate holds: 3 limits."]
    assert sentences.verdict(found) == expected
    assert all(line in shown(found) for line in expected)
    assert "holds: 3 limits." in markdown.comparison(of_results(found))


def test_a_server_as_it_is_needs_no_where() -> None:
    there = run([replace(t, scenario="as-is") for t in usual()])
    (line,) = sentences.verdict(findings(there, there, Limit(max_opened=0)))
    assert line == "GATE: Session opened 1 connection in a run, max_opened is 0."


def test_the_headline_names_all_that_is_wrong() -> None:
    alone = run([t for t in usual() if t.strategy == "fresh"])
    broken = findings(run(), alone, Limit(max_opened=1, strategy="fresh"))
    assert sentences.headline(broken) == (
        "keptalive compare: a broken gate and something not comparable"
    )
    assert [line.split(":")[0] for line in sentences.verdict(broken)] == [
        "GATE, where the server keeps connections",
        "NOT COMPARABLE",
    ]
    worse = findings(run(), run(usual(opened=2)), Limit(max_opened=1))
    assert sentences.headline(worse) == "keptalive compare: a regression and a broken gate"
    assert sentences.headline(WORSE) == "keptalive compare: a regression"


def test_with_fail_on_nothing_everything_is_reported_and_nothing_fails() -> None:
    nothing = Guard(measures=frozenset())
    found = findings(run(), run(usual(opened=2)), Limit(max_opened=1), guard=nothing)
    assert found.outcome == "fine"
    assert sentences.verdict(found) == [
        (
            "GATE, where the server keeps connections: "
            "Session opened 2 connections in a run, max_opened is 1."
        ),
        "Nothing fails for it: --fail-on nothing makes a report only.",
        "Worse, but not guarded: Session opens 1 more connection a run.",
    ]


def test_a_gate_that_differs_is_named() -> None:
    limits = [{"scenario": None, "strategy": "session", "max_opened": 1, "min_reuse": None}]
    limited = run(plan={"gate": limits})
    said = "plan's gate: not the same"
    assert surroundings(findings(limited, run())).startswith(said)
    (difference,) = differences(limited, run())
    assert (difference.baseline, difference.candidate) == (
        "strategy = session, max_opened = 1",
        "none",
    )


def test_nothing_is_called_the_same_that_is_not_shown() -> None:
    noisy = usual()
    noisy[3::4] = [replace(t, seconds=t.seconds * 1.5) for t in noisy[3::4]]
    said = sentences.verdict(findings(run(), run(noisy)))
    assert said == ["No regression; 1 of 1 timings inconclusive (~)."]
    assert sentences.verdict(findings(run(), run())) == ["No regression."]


def test_what_is_worse_but_not_guarded_and_what_is_better_is_reported_too() -> None:
    only_time = Guard(measures=frozenset({"time"}))
    found = findings(run(), run(usual(opened=2)), guard=only_time)
    assert sentences.verdict(found) == [
        "No regression.",
        "Worse, but not guarded: Session opens 1 more connection a run.",
    ]
    better = findings(run(usual(opened=3, slower=2.0)), run())
    assert sentences.verdict(better) == [
        "No regression.",
        (
            "Better: Session opens 2 fewer connections a run, takes 50 % less time relative to "
            "requests.get."
        ),
    ]


def test_seconds_from_two_machines_are_warned_of() -> None:
    text = " ".join(shown(findings(run(), run(), absolute=True, machine="Darwin")).split())
    assert "! The machines differ (Linux, 2 CPUs; Darwin): seconds say little." in text
    assert "machines differ" not in shown(findings(run(), run(), machine="Darwin"))


def test_a_run_that_was_interrupted_is_a_warning() -> None:
    text = " ".join(shown(findings(run(), run(ended="interrupted"))).split())
    assert "! The candidate did not come to its own end (interrupted): fewer rounds." in text


def test_the_causes_of_a_connection_more_are_named() -> None:
    before = run(traces=(trace("session", first_use=1, retry=1),))
    after = run(usual(opened=2), traces=(trace("session", first_use=1, request_limit=1),))
    expected = "REGRESSION: Session opens 1 more connection a run (request-limit)."
    assert sentences.verdict(findings(before, after)) == [expected]
    reopened = run(usual(opened=2, reopened=1), traces=after.traces)
    assert sentences.verdict(findings(before, reopened)) == [expected]
    assert "(request-limit)" not in sentences.verdict(findings(run(), after))[0]


def test_a_program_is_called_by_its_name_and_not_as_it_is() -> None:
    plan = {"program": ["sync.py: python sync.py"]}
    about = {"sync.py": About(label="as it is", settings="")}
    both = {**about, "sync.py-tuned": About(label="tuned Sessions", settings="")}
    assert labels(replace(run(), plan=plan, strategies=both)) == {
        "sync.py": "sync.py",
        "sync.py-tuned": "sync.py (tuned)",
    }
    assert labels(run())["session"] == "Session"


def test_fewer_connections_have_no_causes() -> None:
    more = run(usual(opened=2), traces=(trace("session", first_use=1, idle_timeout=1),))
    fewer = run(traces=(trace("session", first_use=1, retry=1),))
    assert sentences.verdict(findings(more, fewer)) == [
        "No regression.",
        "Better: Session opens 1 fewer connection a run.",
    ]


def test_another_server_is_named_at_the_top_however_long_its_url_is() -> None:
    urls = [f"https://build-{number}.ci.example.com:8443/api/v3" for number in (1, 2)]
    at_two = findings(*(run(plan={"target": url}) for url in urls))
    top = " ".join(shown(at_two).split("\n\n")[0].split())
    assert f"plan's target {urls[0]} → {urls[1]}" in top
    assert sentences.verdict(at_two) == ["No regression."]


@pytest.mark.parametrize("width", [60, 50])
def test_a_narrow_terminal_leaves_columns_out_rather_than_cut_figures_off(width: int) -> None:
    text = shown(WORSE, width)
    assert "…" not in text
    assert max(len(line.rstrip()) for line in text.splitlines()) <= width
    assert "worse" in text
    assert "baseline 3f2a91c" in text
    assert "  baseline" not in text


def test_a_long_value_of_the_plan_is_named_not_shown() -> None:
    other = run(plan={"requests": ("/a-very-long-path-to-something",)})
    assert "plan's requests: not the same" in shown(findings(run(), other))
    assert "same plan" not in shown(findings(run(), other))


# -- Markdown ------------------------------------------------------------------------------------


def test_the_markdown_begins_with_the_verdict_and_has_the_table() -> None:
    text = markdown.comparison(of_results(WORSE))
    assert text.startswith("## Connection reuse\n\n**REGRESSION: Session opens 1 more connection")
    assert "| Session | opened | 1 | 2 | +1 | **worse** |" in text.splitlines()


def test_a_label_with_markup_of_its_own_breaks_no_table() -> None:
    found = replace(WORSE, labels={"fresh": "a|b", "session": "<b>*x*</b>\n"})
    lines = markdown.comparison(of_results(found)).splitlines()
    assert "| a\\|b | opened | 4 | 4 | 0 | same |" in lines
    assert any("&lt;b>\\*x\\*&lt;/b>" in line for line in lines)


def test_a_secret_is_hidden_before_it_is_escaped() -> None:
    token = "ghp_" + "abcdefghijklmnopqrstuvwxyz0123456789"
    text = markdown.comparison(of_results(findings(run(), run(usual(errors={token: 1})))))
    assert "requests failed (\\[hidden\\])" in text
    assert "abcdefghijklm" not in text + markdown_text.failed(
        "No comparison", f"There is no result {token}"
    )


@pytest.mark.parametrize("limit", [0, 10, 200, 500, 10_000])
def test_a_summary_is_cut_between_lines_and_says_so(limit: int) -> None:
    text = markdown.comparison(of_results(WORSE)).replace("Session", "Sessiön")
    cut = markdown_text.cut_to(text, limit)
    assert len(cut.encode()) <= limit
    if limit == 10_000:
        assert cut == text
    elif cut:
        kept, note = cut.split("\n\n(The rest")
        assert text.startswith(f"{kept}\n")
        assert note.startswith(" does not fit here")


# -- Annotations ---------------------------------------------------------------------------------


def test_an_annotation_is_one_line_escaped_as_the_toolkit_does() -> None:
    assert github.error("a: b, c", "100 %\r\nmore: fine, too") == (
        "::error title=a%3A b%2C c::100 %25%0D%0Amore: fine, too"
    )


def test_where_the_columns_would_give_another_change_it_is_said_from_what_it_is_computed() -> None:
    slower = usual()
    slower[5::4] = [replace(one, seconds=one.seconds * 1.3) for one in slower[5::4]]
    assert of_results(findings(run(), run())).more == ()
    (times,) = of_results(findings(run(), run(slower))).more
    assert times == (
        "Times: the columns are medians; the change is the median of all ratios of a round of the "
        "candidate to a round of the baseline."
    )
    more = usual(opened=2)
    more[3::8] = [replace(one, counts=replace(one.counts, opened=5)) for one in more[3::8]]
    counts = of_results(findings(run(), run(more))).more[0]
    assert counts == (
        "Counts: the columns are means; the change is the median of all differences between the "
        "two sides."
    )


def test_of_threads_throughput_and_cpu_time_stand_below_the_time() -> None:
    before = run([replace(t, threads=8) for t in usual()], plan={"threads": 8})
    after = run([replace(t, threads=8) for t in usual(slower=2)], plan={"threads": 8})
    text = shown(findings(before, after))
    lines = [" ".join(line.split()) for line in text.splitlines()]
    found = [line for line in lines if " vs get " in line]
    assert [line.split(" vs get")[0] for line in found] == ["time", "requests/s", "CPU"]
    assert found[1].startswith("requests/s vs get 4.01 2.01 -50 %")
    assert all(line.endswith("worse") for line in found)
    assert (
        "Worse, but not guarded: Session has 50 % fewer requests a second relative to "
        "requests.get, takes 100 % more CPU time relative to requests.get." in " ".join(lines)
    )
    assert all(len(line) <= 80 for line in text.splitlines())
    assert "requests/s" not in shown(WORSE)
