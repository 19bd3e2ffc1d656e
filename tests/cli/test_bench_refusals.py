"""What `keptalive bench` refuses, and what refuses it: a line or two, and the exit code for it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from keptalive.lookalike.process import Lookalike

from .benching import SMALL, keptalive

TOKEN = "ghp_" + "abcdefghijklmnopqrstuvwxyz0123456789"


pytestmark = pytest.mark.usefixtures("small_bundles")


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


@pytest.mark.parametrize("storage", ["s3://bucket", "file://no/such#0001", "file:///dev/null/x"])
def test_a_storage_that_takes_nothing_is_found_out_before_anything_is_measured(
    small_plan: Path, tmp_path: Path, storage: str
) -> None:
    ended = keptalive("bench", small_plan, "--storage", storage, folder=tmp_path)
    assert (ended.returncode, ended.stderr.count("\n"), ended.stdout) == (2, 1, "")
    assert not (tmp_path / "results").exists()


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
