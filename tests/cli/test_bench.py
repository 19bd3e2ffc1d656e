"""`keptalive bench` as a person meets it: its screens, its results, its exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from keptalive.lookalike.process import Lookalike

from .benching import SMALL, keptalive

pytestmark = pytest.mark.usefixtures("small_bundles")


def test_bench_prints_tables_that_fit_80_columns_and_saves_a_result(
    small_plan: Path, tmp_path: Path
) -> None:
    ended = keptalive("bench", small_plan, "--html", "bench.html", folder=tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "The server drops idle connections" in ended.stdout
    assert "Wrote bench.html\n" in ended.stdout
    page = (tmp_path / "bench.html").read_text()
    assert "<h1>No verdict" in page  # of so few rounds
    assert page.count('<figure class="timeline"') == 6  # two scenarios, three strategies
    # 6 fresh connections and one of each Session a round; all anew where idle ones are dropped
    agree = "All counts agree (warm-up included): 28 by pool log = client sockets = server."
    assert agree in " ".join(ended.stdout.split())
    tables = [line for line in ended.stdout.splitlines() if line.startswith(("│", "╭", "╰"))]
    assert len(tables) == 14 + 11  # of two scenarios, and where the time of both goes
    assert "Where a request's time goes (ms)" in ended.stdout
    assert all(len(line) <= 80 for line in tables)
    assert "Session opened 3: 2 × idle-timeout, 1 × first-use" in " ".join(ended.stdout.split())
    assert "Next, for a verdict: --rounds 6" in ended.stdout
    assert "…" not in ended.stdout
    assert len(list((tmp_path / "results").glob("*.json"))) == 1


def test_a_broken_limit_of_the_plan_is_reported_after_the_result_is_saved(
    small_plan: Path, tmp_path: Path
) -> None:
    small_plan.write_text(f'{SMALL}[gate]\nscenario = "keep-alive"\nmax_opened = 0\n')
    ended = keptalive("bench", small_plan, folder=tmp_path)
    assert (ended.returncode, ended.stderr) == (1, "")
    said = " ".join(ended.stdout.split())
    for label in ("Session", "tuned Session"):
        assert f"keeps connections: {label} opened 1 connection in a run, max_opened is 0." in said
    assert said.count("GATE") == 2
    assert len(list((tmp_path / "results").glob("*.json"))) == 1


def test_a_limit_that_holds_is_reported_and_one_that_cannot_be_judged_is_exit_code_2(
    small_plan: Path, tmp_path: Path
) -> None:
    small_plan.write_text(f"{SMALL}[gate]\nmax_opened = 3\nmin_reuse = 0\n")
    holding = keptalive("bench", small_plan, folder=tmp_path)
    assert (holding.returncode, holding.stderr) == (0, "")
    assert "The plan's gate holds: 2 limits.\n" in holding.stdout
    small_plan.write_text(f'{SMALL}[gate]\nstrategy = "session"\nmin_speedup = 50\n')
    ended = keptalive("bench", small_plan, folder=tmp_path)
    assert (ended.returncode, ended.stderr) == (2, "")
    assert (
        "GATE not judged, where the server keeps connections: Session: min_speedup is 50, but "
        "it has only 1 round; at least 6 are needed."
    ) in " ".join(ended.stdout.split())
    assert len(list((tmp_path / "results").glob("*.json"))) == 2


def test_a_result_is_stored_for_the_team_and_compare_finds_the_one_before_it(
    small_plan: Path, tmp_path: Path
) -> None:
    small_plan.write_text(f'{SMALL}scenarios = ["keep-alive"]\n')
    storage = f"file://{tmp_path}/team"
    first = keptalive("bench", small_plan, "--storage", storage, folder=tmp_path)
    assert (first.returncode, first.stderr) == (0, "")
    (stored,) = (tmp_path / "team").glob("*/0001_*.json")
    assert f"Stored {stored}\n" in first.stdout
    alone = keptalive("compare", storage, folder=tmp_path)
    assert (alone.returncode, alone.stderr.count("\n")) == (2, 1)
    assert f"There is no older result {storage}. Next: " in alone.stderr
    (saved,) = (tmp_path / "results").glob("*.json")
    older = stored.read_text().replace(json.loads(stored.read_text())["datetime"], "2026-01-01")
    stored.write_text(older)
    ended = keptalive("compare", storage, saved, "--fail-on", "counts", folder=tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert f"baseline {stored.name} (2026-01-01)" in ended.stdout


def test_json_alone_stands_on_standard_output(small_plan: Path, tmp_path: Path) -> None:
    ended = keptalive("bench", small_plan, "--json", folder=tmp_path)
    contents = json.loads(ended.stdout)
    assert contents["keptalive"]["schema"] == 1
    assert list(dict.fromkeys(row["scenario"] for row in contents["keptalive"]["summary"])) == [
        "keep-alive",
        "idle-timeout=60",
    ]


def test_an_environment_that_would_falsify_the_run_is_set_aside_and_said(
    small_plan: Path, tmp_path: Path
) -> None:
    ended = keptalive(
        "bench",
        small_plan,
        folder=tmp_path,
        REQUESTS_CA_BUNDLE="/nonexistent.pem",
        HTTPS_PROXY="http://127.0.0.1:1",
    )
    assert ended.returncode == 0
    assert "Set aside for the test server: REQUESTS_CA_BUNDLE, HTTPS_PROXY." in ended.stdout


def test_threads_have_throughput_and_cpu_time_in_tables_and_in_the_result(
    small_plan: Path, tmp_path: Path
) -> None:
    ended = keptalive("bench", small_plan, "--threads", "4", folder=tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    lines = ended.stdout.splitlines()
    assert all(len(line) <= 80 for line in lines if line.startswith(("│", "╭", "╰")))
    assert "4 threads with 3 authenticated requests each a run" in ended.stdout
    assert "1 run of 12 requests; 4 threads" in ended.stdout
    header = next(line for line in lines if "(enough)" in line)
    assert [word for word in ("request", "second", "CPU") if word in header] == [
        *("request", "second", "CPU")
    ]
    (result,) = (tmp_path / "results").glob("*.json")
    (row, *_) = json.loads(result.read_text())["keptalive"]["summary"]
    assert row["requests"] == 12
    assert row["requests_per_second"]["median"] > 0


def test_a_server_of_ones_own_gets_an_announced_number_of_requests(
    lookalike: Lookalike, small_plan: Path, tmp_path: Path
) -> None:
    ended = keptalive(
        "bench",
        small_plan,
        "--target",
        lookalike.url("keep-alive"),
        folder=tmp_path,
        KEPTALIVE_TOKEN=lookalike.token,
        REQUESTS_CA_BUNDLE=str(lookalike.ca_bundle),
    )
    assert ended.returncode == 0
    said = " ".join(ended.stdout.split())
    assert "It will make 27 requests, of 9999" in said
    assert "REQUESTS_CA_BUNDLE is set and honoured" in said
    agree = "All counts agree (warm-up included): 10 by pool log = client sockets; no server-side"
    assert agree in said
