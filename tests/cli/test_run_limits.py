"""`keptalive run` with limits: somebody's program, changed from a Session to requests.get and back.

The programs are real, and so are their connections; what is limited how is tested without any, in
`tests/compare/test_program_limits.py`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.commands import in_text, keptalive
from tests.marks import complete
from tests.servers.peer import Peer

SHOPCLIENT = Path(__file__).parents[1] / "data" / "shopclient" / "shopclient"
SYNC = """
import sys
from shopclient import Shop
shop = Shop(sys.argv[1])
print(len(shop.prices(["tea", "milk", "sugar"])))
shop.close()
sys.exit(int(sys.argv[2]) if len(sys.argv) > 2 else 0)
"""
NEW_SESSION = "2 × new-session at shopclient/client.py:20."
SETTLED = '[tool.keptalive]\nmax_opened = 1\nforbid = ["new-session"]\n'


def sells(peer: Peer) -> None:
    while peer.request():
        peer.respond(body=b'{"price": 3}')


class Shop:
    """A project of somebody's, with a client package and a program, and the server it needs."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.url = folder, url
        shutil.copytree(SHOPCLIENT, folder / "shopclient")
        (folder / "sync.py").write_text(SYNC)

    def uses_requests_get(self) -> None:
        """Somebody brings it back."""
        self._client_says("self.session.get(", "requests.get(")

    def uses_its_session(self) -> None:
        self._client_says("requests.get(self", "self.session.get(self")

    def _client_says(self, old: str, new: str) -> None:
        client = self.folder / "shopclient" / "client.py"
        text = client.read_text()
        assert old in text
        client.write_text(text.replace(old, new))

    def run(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """`keptalive run WORDS`, where URL stands for the server's."""
        theirs = ("GITHUB_STEP_SUMMARY", "GITHUB_ACTIONS", "GITHUB_WORKSPACE")
        ours = {key: value for key, value in os.environ.items() if key not in theirs}
        ran = keptalive(
            *("run", *(word.replace("URL", self.url) for word in words)),
            folder=self.folder,
            environment={**ours, "COLUMNS": "80", "PYTHONDONTWRITEBYTECODE": "1", **environment},
        )
        return in_text(ran)


@pytest.fixture
def shop(tmp_path: Path, serve: Callable[..., object]) -> Shop:
    return Shop(tmp_path, serve(sells).url.rstrip("/"))


def last(ran: subprocess.CompletedProcess[str], lines: int = 1) -> list[str]:
    return ran.stderr.splitlines()[-lines:]


def test_a_change_to_requests_get_breaks_the_limit_at_its_line_and_the_way_back_keeps_it(shop):
    for change, code in ((None, 0), (shop.uses_requests_get, 1), (shop.uses_its_session, 0)):
        if change is not None:
            change()
        ran = shop.run("--max-opened", "1", "sync.py", "URL")
        assert ran.returncode == code
        if code:
            assert last(ran, 2) == [
                (
                    f"keptalive: limit broken: 3 connections to {shop.url}, 1 allowed by "
                    f"--max-opened: {NEW_SESSION}"
                ),
                "→ Make one Session, keep it, and use it for every request to this host.",
            ]
        else:
            assert last(ran) == ["keptalive: limits hold: at most 1 connection to each host."]


def test_limits_of_the_project_hold_and_in_a_ci_the_line_of_code_is_annotated(shop):
    shop.uses_requests_get()
    (shop.folder / "pyproject.toml").write_text(SETTLED)
    environment = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_WORKSPACE": str(shop.folder.parent),
        "GITHUB_STEP_SUMMARY": str(shop.folder / "summary.md"),
    }
    ran = shop.run("sync.py", "URL", **environment)
    assert ran.returncode == 1
    (command,) = [line for line in ran.stderr.splitlines() if line.startswith("::")]
    file = f"{shop.folder.name}/shopclient/client.py"
    assert command == (
        f"::error file={file},line=20,title=keptalive run%3A limit broken::"
        f"limit broken: 3 connections to {shop.url}, 1 allowed in pyproject.toml: {NEW_SESSION}"
        f"%0Alimit broken: 2 × new-session to {shop.url}, forbidden in pyproject.toml: "
        "shopclient/client.py:20."
    )
    summary = (shop.folder / "summary.md").read_text()
    assert summary.startswith("## Connection reuse\n\n**Limit broken: 3 connections to ")
    assert f"| {shop.url} | 3 | 3 | 1 | 0 |" in summary
    assert "| 2 | **new-session**: a new Session, or requests.get, began" in summary
    assert "| shopclient/client.py:20 |" in summary


def test_the_program_s_own_exit_code_stays_and_an_option_replaces_what_the_project_says(shop):
    (shop.folder / "pyproject.toml").write_text(SETTLED)
    broken = shop.run("--max-opened", "0", "--json", "report.json", "sync.py", "URL", "3")
    assert broken.returncode == 3
    assert last(broken) == [
        (
            f"keptalive: limit broken: 1 connection to {shop.url}, 0 allowed by "
            "--max-opened; 1 is necessary. The exit code 3 is the program's own."
        )
    ]
    assert json.loads((shop.folder / "report.json").read_text())["hosts"][0]["opened"] == 1


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (
            ["--max-opened", "1", "python", "-S", "-c", "pass"],
            2,
            "limits not judged: no Python process was watched (-E, -I and -S ignore PYTHONPATH).",
        ),
        complete(
            ["--max-opened", "shop.test=1", "sync.py", "URL"],
            2,
            "limits not judged: no response from shop.test was seen; responses came from URL.",
        ),
        complete(
            ["--max-opened", "1", "--ignore", "127.0.0.1", "sync.py", "URL"],
            2,
            "limits not judged: every host that responded is ignored.",
        ),
        complete(
            ["--forbid", "new-session,unread-body", "-m", "this"],
            2,
            "limits not judged: no response through requests or urllib3 was seen; other clients "
            "and mocks are not watched.",
        ),
        complete(["--max-opened", "0", "-m", "this"], 0, "limits hold: no connection to any host."),
    ],
)
def test_what_cannot_be_checked_fails(shop, words, code, said):
    ran = shop.run(*words)
    assert (ran.returncode, last(ran)) == (code, [f"keptalive: {said.replace('URL', shop.url)}"])


POOL = """
import _keptalive_process, multiprocessing, sys, requests
_keptalive_process._INTERIM_S = 60  # a note that took long would be the last one
def ask(url):
    with requests.Session() as session:
        session.get(url), session.get(url)
if __name__ == "__main__":
    with multiprocessing.Pool(2) as pool:
        pool.map(ask, [sys.argv[1]] * 2, chunksize=1)
"""
STAYS = """
import subprocess, sys, requests
requests.get(sys.argv[1])
command = [sys.executable, "-c", "import sys; print(flush=True); sys.stdin.read()"]
child = subprocess.Popen(command, stdin=open(sys.argv[2]), stdout=subprocess.PIPE)
child.stdout.read(1)  # it has started, and its watch with it
"""


@pytest.mark.complete
def test_processes_that_a_pool_kills_are_judged_by_what_they_noted(shop):
    (shop.folder / "pool.py").write_text(POOL)
    assert shop.run("--max-opened", "2", "pool.py", "URL").returncode == 0
    ran = shop.run("--max-opened", "1", "pool.py", "URL")
    assert ran.returncode == 1
    if "2 connections" in last(ran)[0]:  # one process may have done the work of both
        assert "2 are necessary, since 2 processes cannot share them." in last(ran)[0]


@pytest.mark.complete
def test_a_process_that_still_runs_leaves_a_limit_unjudged_unless_it_is_broken_already(shop):
    (shop.folder / "stays.py").write_text(STAYS)
    pipe = shop.folder / "pipe"
    os.mkfifo(pipe)
    writer = os.open(pipe, os.O_RDWR)
    try:
        ran = shop.run("--max-opened", "1", "stays.py", "URL", str(pipe))
        assert (ran.returncode, last(ran)) == (
            2,
            [
                (
                    "keptalive: limits not judged: 1 process still runs: what it does from now on "
                    "is not seen."
                )
            ],
        )
        assert shop.run("--max-opened", "0", "stays.py", "URL", str(pipe)).returncode == 1
    finally:
        os.close(writer)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--max-opened", "one"], '--max-opened: "one" must be a number, or HOST=N, as in'),
        (["--max-opened", "a b=1"], '--max-opened: "a b" must be a host such as'),
        (["--max-opened", "=1"], '--max-opened: "=1" must be a number, or HOST=N, as in'),
        (["--max-opened", "me:pass@a=1"], "--max-opened: ... must be a host such as"),
        (["--forbid", "first-use"], '--forbid: "first-use" is necessary, so it cannot be'),
        (["--max-opened=1", "--ignore", "a/b"], '--ignore: "a/b" must be a host such as'),
        (["--ignore", "a.test"], "--ignore: nothing is limited. Next: --max-opened N or --forbid"),
    ],
)
def test_a_limit_that_makes_no_sense_is_refused_before_the_program_runs(shop, words, said):
    (shop.folder / "runs.py").write_text("open('ran', 'w')")
    ran = shop.run(*words, "runs.py", GITHUB_ACTIONS="true")
    command, line = ran.stderr.splitlines()
    assert (ran.returncode, (shop.folder / "ran").exists()) == (2, False)
    assert line.startswith(f"keptalive: {said}")
    assert command.startswith("::error title=keptalive run%3A nothing was run::")


def test_settings_that_make_no_sense_name_the_file_and_the_key(shop):
    (shop.folder / "pyproject.toml").write_text('[tool.keptalive]\nforbid = ["concurrency"]\n')
    ran = shop.run("sync.py", "URL")
    assert ran.returncode == 2
    assert ran.stderr.startswith('keptalive: forbid in pyproject.toml: "concurrency" is necessary')
