"""Programs that use well-known libraries do the same with tuned Sessions as without keptalive."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import pytest
from tests.servers.peer import Request
from tests.servers.scripted import Server

from keptalive.bench.programs.execution import execute

from .apis import served

FOLDER = Path(__file__).parents[1] / "data" / "programs" / "libraries"
# A program: its package, whether it has a plain adapter, and adapters that are left alone
PROGRAMS = {
    "pygithub": ("github", True, set()),
    "hub": ("huggingface_hub", False, {"huggingface_hub.utils._http.UniqueRequestIdAdapter"}),
    "spotify": ("spotipy", True, set()),
    "cached": ("requests_cache", True, set()),
    "subclass": ("requests", True, set()),
    "own_tls": ("requests", True, {"__main__.OldTLS", "__main__.Pinned"}),
}
USES_REQUESTS = re.compile(r"requests\b(?!.*extra)")
# Made anew for each request, or in each process
RANDOM = re.compile(r"(?<=session_id/)\w+|[0-9a-f]{8}-[0-9a-f-]{27}")

pytestmark = [pytest.mark.complete, pytest.mark.parametrize("program", PROGRAMS)]


@dataclass(frozen=True)
class Done:
    """What a program printed and how it ended, and what the server got from it.

    Attributes:
        requests: sorted, since some programs have threads.
    """

    code: int
    output: str
    errors: str
    requests: list[str]


def as_sent(request: Request) -> str:
    headers = list(request.headers.items())
    return RANDOM.sub("...", repr((request.target, request.method, headers, request.body)))


@pytest.fixture
def server(serve, pki) -> Server:
    return serve(served, tls=pki.context(pki.ca.issue_cert("127.0.0.1")))


@pytest.fixture
def words(program: str, server: Server, pki) -> list[str]:
    pytest.importorskip(PROGRAMS[program][0])
    if program == "hub" and not any(map(USES_REQUESTS.match, metadata.requires("huggingface_hub"))):
        pytest.skip("huggingface_hub uses requests before 1.0")
    return [str(FOLDER / f"{program}.py"), server.url.rstrip("/"), pki.ours]


@pytest.fixture
def environment(pki, monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", pki.ours)
    monkeypatch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    monkeypatch.setenv("HF_HOME", "home")
    monkeypatch.setenv("COLUMNS", "80")


@pytest.fixture
def runs(environment: None, server: Server, monkeypatch, tmp_path: Path) -> Callable[..., Done]:
    """Have a command run in an empty folder of its own."""

    def run(folder: str, execute: Callable[[], tuple[int, str, str]]) -> Done:
        (tmp_path / folder).mkdir()
        monkeypatch.chdir(tmp_path / folder)
        before = len(server.requests)
        code, output, errors = execute()
        sent = sorted(as_sent(request) for request in server.requests[before:])
        return Done(code, output, errors, sent)

    return run


def process(*command: object) -> Callable[[], tuple[int, str, str]]:
    def started() -> tuple[int, str, str]:
        ran = subprocess.run(
            [sys.executable, *map(str, command)], capture_output=True, text=True, timeout=60
        )
        return ran.returncode, ran.stdout, ran.stderr

    return started


def half(words: list[str], *, tuned: bool) -> Callable[[], tuple[int, str, str]]:
    """One of the two runs of each round of `keptalive bench --program`."""

    def executed() -> tuple[int, str, str]:
        done = execute(words, tuned=tuned, variables={})
        return done.ran.exit_code, done.output.decode(), done.last_error_line

    return executed


def test_a_program_prints_and_sends_the_same_with_tuned_sessions(program, words, runs, tmp_path):
    report = tmp_path / "report.json"
    plain = runs("plain", process(*words))
    options = ("-m", "keptalive", "run", "--tuned", "--json", report)
    tuned = runs("tuned", process(*options, *words))
    assert plain.output
    assert (plain.code, tuned.code, tuned.output) == (0, 0, plain.output)
    assert plain.errors in tuned.errors
    assert tuned.requests == plain.requests
    assert "a-secret" not in tuned.errors + report.read_text()
    findings = json.loads(report.read_text())["findings"]
    (facts,) = (one["facts"] for one in findings if one["finding"] == "tuned-run")
    _, has_plain_adapters, left_alone = PROGRAMS[program]
    assert set(facts["left_alone"]) == left_alone
    assert (facts["adapters"] > 0) == has_plain_adapters
    assert all(name.rpartition(".")[2] in tuned.errors for name in left_alone)


def test_both_halves_of_a_benchmark_print_and_send_the_same(program, words, runs):
    plain = runs("plain", process(*words))
    as_it_is = runs("as-it-is", half(words, tuned=False))
    tuned = runs("tuned", half(words, tuned=True))
    assert as_it_is == tuned
    assert (tuned.code, tuned.output, tuned.requests) == (0, plain.output, plain.requests)
    assert tuned.errors == "".join(plain.errors.splitlines()[-1:])
