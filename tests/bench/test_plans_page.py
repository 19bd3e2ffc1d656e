"""docs/plans.md: its plans run as they stand there, and it has every key that a plan can have."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.servers.peer import Peer
from tests.servers.scripted import Server

from keptalive.bench import plan_requests, plan_tuning
from keptalive.bench.gate import judge
from keptalive.bench.plan import gate_of, read_plan, with_values
from keptalive.bench.plan_checks import CHECKS
from keptalive.bench.runner import Bench
from keptalive.bench.targets import prepared
from keptalive.records.run import Run
from keptalive.render import sentences

PAGE = (Path(__file__).parents[2] / "docs" / "plans.md").read_text()
PLANS = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
MODULES = dict(re.findall(r"```python\n# (\S+)\n(.*?)```", PAGE, re.DOTALL))


def answers(peer: Peer) -> None:
    while peer.request():
        peer.respond(200, body=b"{}")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current folder, with the modules of the page in it, and the variables that it names."""
    for name, text in MODULES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setenv("MY_KEY", "the value of a key")
    monkeypatch.setenv("GH_ENTERPRISE_TOKEN", "the-value-of-a-token")
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0] == "mypkg"]:
        del sys.modules[name]


def run_of(text: str, folder: Path) -> tuple[Run, Server]:
    """One round of a plan of the page, with a server of ours in place of api.example.com."""
    with Server(answers) as server:
        path = folder / "plan.toml"
        path.write_text(text.replace("https://api.example.com", server.url.rstrip("/")))
        plan = with_values(read_plan(path), {"rounds": 1}, source=None)
        with prepared(plan) as (target, followed):
            return Bench(plan=followed, target=target).run(), server


# The first and the last one run in the two tests below
@pytest.mark.parametrize("text", PLANS[1:-1], ids=range(1, len(PLANS) - 1))
def test_every_plan_of_the_page_runs(text: str, folder: Path) -> None:
    run, _ = run_of(text, folder)
    assert (run.ended, run.disagreements) == ("rounds", ())
    assert all(row.failed == 0 for row in run.summary)


def test_the_first_plan_sends_what_it_says(folder: Path) -> None:
    run, server = run_of(PLANS[0], folder)
    assert run.ended == "rounds"
    first = server.requests[1:7]  # after the one that only asks
    assert [(one.method, one.target) for one in first] == [
        *[("GET", "/user"), ("GET", "/orders?page=2"), ("POST", "/search")] * 2
    ]
    assert all(one.headers["x-api-key"] == "the value of a key" for one in server.requests)
    assert first[2].body == b'{"text": "tea", "limit": 10}'
    assert first[2].headers["content-type"] == "application/json"


def test_the_client_of_the_page_opens_as_many_connections_as_the_page_says(folder: Path) -> None:
    run, _ = run_of(PLANS[-1], folder)
    (row,) = [row for row in run.summary if row.strategy == "mypkg.client:Client"]
    gate = judge(run, gate_of(run.plan, source="The plan"))
    (sentence,) = sentences.faults_of(gate, run.labels)
    causes = [
        f"{cause.count} × {cause.cause}"
        for trace in run.traces
        if trace.strategy == row.strategy
        for cause in trace.report.hosts[0].causes
    ]
    assert f"`{sentence}`" in PAGE
    assert f"`{causes[0]}`" in PAGE


@pytest.mark.parametrize(
    "key",
    [
        *CHECKS,
        *plan_requests._CHECKS,
        *plan_tuning._RETRY,
        *plan_tuning._POOL,
    ],
)
def test_every_key_has_its_place_in_a_table(key: str) -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| `")]
    named = [name for row in rows for name in re.findall(r"`\[?(\w+)\]?`", row.split(" | ")[0])]
    assert key in named
