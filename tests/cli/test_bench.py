"""The command line as a person meets it: screens, exit codes, one clear line for bad input."""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests import commands
from tests.commands import in_text
from tests.small_bundle import started

from keptalive.lookalike.process import Lookalike

TOKEN = "ghp_" + "abcdefghijklmnopqrstuvwxyz0123456789"
COMMAND = (sys.executable, "-m", "keptalive")

SMALL = """
requests = ["/user"]
repeats = 3
rounds = 1
rtt_ms = 0
"""


@pytest.fixture(autouse=True)
def _small_bundles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Lookalike, "start", functools.partial(started, Lookalike.start))


@pytest.fixture(scope="module")
def lookalike() -> Iterator[Lookalike]:
    with Lookalike.start(["keep-alive"]) as running:
        yield running


def keptalive(
    *arguments: object, folder: Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    inherited = {
        k: v
        for k, v in os.environ.items()
        if k not in ("GITHUB_TOKEN", "GH_TOKEN", "KEPTALIVE_TOKEN")
    }
    variables = {**inherited, "COLUMNS": "80", **environment}
    return in_text(commands.keptalive(*arguments, folder=folder, environment=variables))


@pytest.fixture
def small_plan(tmp_path: Path) -> Path:
    path = tmp_path / "small.toml"
    path.write_text(SMALL)
    return path


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


def test_a_page_that_cannot_be_written_is_found_out_before_anything_is_measured(
    small_plan: Path, tmp_path: Path
) -> None:
    ended = keptalive("bench", small_plan, "--html", "no/such/page.html", folder=tmp_path)
    assert ended.returncode == 2
    assert ended.stderr == (
        "keptalive: no/such/page.html cannot be written: No such file or directory. "
        "Next: --html with another file.\n"
    )
    assert not (tmp_path / "results").exists()


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


@pytest.mark.parametrize("storage", ["s3://bucket", "file://no/such#0001", "file:///dev/null/x"])
def test_a_storage_that_takes_nothing_is_found_out_before_anything_is_measured(
    small_plan: Path, tmp_path: Path, storage: str
) -> None:
    ended = keptalive("bench", small_plan, "--storage", storage, folder=tmp_path)
    assert (ended.returncode, ended.stderr.count("\n"), ended.stdout) == (2, 1, "")
    assert not (tmp_path / "results").exists()


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


def test_with_a_wrong_token_the_error_says_how_to_make_one_and_never_shows_it(
    lookalike: Lookalike, tmp_path: Path
) -> None:
    ended = keptalive(
        "bench",
        "--target",
        lookalike.url("keep-alive"),
        folder=tmp_path,
        KEPTALIVE_TOKEN=TOKEN,
        REQUESTS_CA_BUNDLE=str(lookalike.ca_bundle),
    )
    assert ended.returncode == 3
    assert "401 Bad credentials" in ended.stderr
    assert "no passwords since November 2020" in ended.stderr
    assert "https://github.com/settings/tokens" in ended.stderr
    assert TOKEN not in ended.stdout + ended.stderr


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


def test_more_than_half_of_what_remains_is_refused(small_plan: Path, tmp_path: Path) -> None:
    with Lookalike.start(["keep-alive"], rate_limit=30) as scarce:
        ended = keptalive(
            "bench",
            small_plan,
            "--target",
            scarce.url("keep-alive"),
            folder=tmp_path,
            KEPTALIVE_TOKEN=scarce.token,
            REQUESTS_CA_BUNDLE=str(scarce.ca_bundle),
        )
    assert ended.returncode == 3
    assert "This would make 27 requests, and 29 remain" in ended.stderr


OWN = """
import requests
from keptalive.bench.strategies import OneSession

class Quiet(OneSession):
    label = "quiet Session"
"""


@pytest.fixture
def own_strategies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A module of strategies in the current folder, which is not imported any more afterwards."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    path = tmp_path / "own_strategies.py"
    path.write_text(OWN)
    yield path
    sys.modules.pop("own_strategies", None)


def test_a_strategy_of_the_current_folder_runs_beside_the_three(
    tmp_path: Path, own_strategies: Path
) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(
        SMALL + 'strategies = ["fresh", "own_strategies:Quiet"]\nscenarios = ["keep-alive"]\n'
    )
    ended = keptalive("bench", plan, folder=tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "quiet Session opened 1: 1 × first-use." in " ".join(ended.stdout.split())


@pytest.mark.parametrize("named", ["own_strategies:None_", "nowhere:Quiet"])
def test_a_strategy_that_cannot_be_imported_is_one_line_before_anything_is_measured(
    tmp_path: Path, own_strategies: Path, named: str
) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(SMALL + f'strategies = ["{named}"]\n')
    ended = keptalive("bench", plan, folder=tmp_path)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith(f"keptalive: The strategy {named} cannot be imported: ")
    assert len(ended.stderr.splitlines()) == 1


def test_a_strategy_that_makes_a_mistake_is_two_lines_and_no_traceback(
    tmp_path: Path, own_strategies: Path
) -> None:
    own_strategies.write_text(OWN + "    def send(self, request):\n        return 1 / 0\n")
    plan = tmp_path / "plan.toml"
    plan.write_text(SMALL + 'strategies = ["own_strategies:Quiet"]\n')
    ended = keptalive("bench", plan, folder=tmp_path)
    assert ended.returncode == 2
    assert (
        "own_strategies:Quiet failed in send(): ZeroDivisionError: division by zero\n"
        in ended.stderr
    )
    assert len(ended.stderr.splitlines()) == 2


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["bench", "missing.toml"], 2, "There is no plan missing.toml"),
        (["bench", "--rounds", "0"], 2, "keptalive: --rounds 0 must be a whole number, 1 or more."),
        (["bench", "--threads", "0"], 2, "--threads 0 must be a whole number, 1 or more."),
        (["bench", "--threads", "8", "--target", "github"], 2, "one request after another."),
        (["bench", "--target", "ftp://x"], 2, 'must be "lookalike", "github", or a URL'),
        (["bench", "--target", "https://u:secret@h"], 2, "a URL without a user or password"),
        (["bench", "--target", "https://u:s/secret@h"], 2, "--target ... must be"),
        (["bench", "--target", "http://127.0.0.1:1"], 3, "nothing listens there"),
        (["bench", "--target", "github"], 2, "GitHub wants a token"),
        (["bench", "--results", "/dev/null/x"], 2, "Results cannot be written to /dev/null/x"),
        (["bench", "plan.toml"], 2, "The plan plan.toml: rtt_ms is for target ="),
        (["bench", "--wrong"], 2, "No such option"),
        (["serve", "--scenario", "nonsense"], 2, "unknown scenario 'nonsense'"),
        (["serve", "--bundle", "/dev/null/x"], 2, "CA bundle cannot be written to /dev/null/x: "),
        (["serve", "--bundle", "/dev/full"], 2, "/dev/full exists already"),
    ],
)
def test_bad_input_gets_a_line_or_two_and_its_exit_code(
    arguments: list[str], code: int, said: str, tmp_path: Path
) -> None:
    (tmp_path / "plan.toml").write_text('target = "https://h.example"\nrtt_ms = 1\n')
    ended = keptalive(*arguments, folder=tmp_path, PATH="/nonexistent")
    assert code == ended.returncode
    assert said in ended.stderr
    assert len(ended.stderr.splitlines()) <= 2
    assert "secret" not in ended.stderr
    assert "Traceback" not in ended.stderr


def test_ctrl_c_keeps_what_was_measured(tmp_path: Path) -> None:
    plan = tmp_path / "long.toml"
    plan.write_text(SMALL.replace("rounds = 1", "rounds = 100000"))
    terminal, ours = pty.openpty()
    environment = {**os.environ, "COLUMNS": "100", "TERM": "xterm"}
    with subprocess.Popen(
        [*COMMAND, "bench", plan],
        cwd=tmp_path,
        env=environment,
        stdin=ours,
        stdout=ours,
        stderr=ours,
        start_new_session=True,
    ) as running:
        os.close(ours)
        shown = b""
        while b"round 3" not in shown:  # the progress bar
            shown += os.read(terminal, 65536)
        running.send_signal(2)
        try:
            while chunk := os.read(terminal, 65536):
                shown += chunk
        except OSError:  # Linux: the other side of a pty has closed
            pass
        os.close(terminal)
    assert running.returncode == 130
    assert b"interrupted: incomplete, and marked so" in shown
    (saved,) = (tmp_path / "results").glob("*.json")
    assert json.loads(saved.read_text())["keptalive"]["complete"] is False


ROUNDS = ["warm-up", "round 1", "traced round"]


SMALLEST = f'{SMALL}strategies = ["session"]\nscenarios = ["keep-alive"]\n'


def rounds_named(said: str) -> list[str]:
    return re.findall(r"^(.+) done after \d+ s(?:, at most \d+ s left)?\r?$", said, re.MULTILINE)


def test_a_terminal_that_cannot_move_its_cursor_gets_a_line_for_each_round(
    small_plan: Path, tmp_path: Path
) -> None:
    small_plan.write_text(SMALLEST)
    terminal, ours = pty.openpty()
    environment = {**os.environ, "TERM": "dumb"}
    with subprocess.Popen(
        [*COMMAND, "bench", small_plan],
        cwd=tmp_path,
        env=environment,
        stdin=ours,
        stdout=subprocess.DEVNULL,
        stderr=ours,
    ):
        os.close(ours)
        shown = b""
        with contextlib.suppress(OSError):  # Linux: the other side of a pty has closed
            while chunk := os.read(terminal, 65536):
                shown += chunk
        os.close(terminal)
    assert rounds_named(shown.decode()) == ROUNDS
    assert b"\x1b" not in shown


@pytest.mark.complete
def test_where_there_is_no_terminal_each_round_is_reported_if_that_is_wanted(
    small_plan: Path, tmp_path: Path
) -> None:
    small_plan.write_text(SMALLEST)
    ended = keptalive("bench", small_plan, "--progress", "--json", folder=tmp_path)
    assert json.loads(ended.stdout)["keptalive"]["complete"]
    assert rounds_named(ended.stderr) == ROUNDS


def test_of_a_request_that_is_refused_at_once_there_is_one_error_and_no_table(
    tmp_path: Path, lookalike: Lookalike
) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(
        f'target = "{lookalike.url("keep-alive")}"\n'
        'headers = { Authorization = "env:MY_HEADER" }\n'
        'requests = ["/user", { path = "/user", json = { a = 1 } }]\n'
    )
    ended = keptalive(
        "bench",
        plan,
        folder=tmp_path,
        MY_HEADER=f"Bearer {lookalike.token}",
        REQUESTS_CA_BUNDLE=str(lookalike.ca_bundle),
    )
    assert ended.returncode == 3
    assert "authenticated" in ended.stdout
    assert f"{lookalike.url('keep-alive')}/user answered 404 Not Found.\nNext: " in ended.stderr
    assert "│" not in ended.stdout
    assert "All counts agree" not in ended.stdout
    assert lookalike.token not in ended.stdout + ended.stderr


def test_serve_leaves_no_file_behind(tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    environment = {**os.environ, "TMPDIR": str(temporary)}
    with subprocess.Popen(
        [*COMMAND, "serve"], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True
    ) as serving:
        assert serving.stdout is not None
        serving.stdout.readline()
        assert str(temporary) in serving.stdout.readline()
        assert [path.name for path in tmp_path.iterdir()] == ["temporary"]
        serving.send_signal(2)
        serving.communicate()
    assert (serving.returncode, [*temporary.iterdir()]) == (0, [])


def test_serve_tells_how_to_reach_it_and_counts_at_the_end(tmp_path: Path) -> None:
    command = [*COMMAND, "serve", "--scenario", "close-announced"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as serving:
        assert serving.stdout is not None
        first = serving.stdout.readline()
        assert first.startswith("https://127.0.0.1:")
        assert "scenario close-announced" in first
        serving.stdout.readline()
        serving.stdout.readline()
        _, _, python = serving.stdout.readline().partition("or:  ")
        (tmp_path / "asks.py").write_text(
            f"import requests\nprint({python.strip()}.json()['login'])"
        )
        asks = [sys.executable, "asks.py"]
        asked = subprocess.run(asks, cwd=tmp_path, capture_output=True, text=True, check=False)
        serving.send_signal(2)
        rest = serving.stdout.read()
    assert (asked.stdout, asked.stderr) == ("octolook\n", "")
    assert "Served 1 request on 1 connection." in rest
    assert serving.returncode == 0


def test_the_command_line_knows_its_version(tmp_path: Path) -> None:
    ended = keptalive("--version", folder=tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == f"keptalive {importlib.metadata.version('keptalive')}\n"


FULL = (
    "keptalive: the output cannot be written: No space left on device. Next: send it elsewhere.\n"
)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("arguments", [["explain", "x.log"], ["explain", "x.log", "--json"]])
def test_an_output_that_is_full_is_one_line(arguments: list[str], tmp_path: Path) -> None:
    (tmp_path / "x.log").write_text(
        'urllib3.connectionpool: https://h:443 "GET / HTTP/1.1" 200 1\n'
    )
    with Path("/dev/full").open("w") as full:
        for errors, said in ((subprocess.PIPE, FULL), (full, None)):
            ended = subprocess.run(
                [*COMMAND, *arguments],
                cwd=tmp_path,
                stdout=full,
                stderr=errors,
                text=True,
                check=False,
            )
            assert (ended.returncode, ended.stderr) == (2, said)
