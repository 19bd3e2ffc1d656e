"""Each command of the README is typed on a machine that has keptalive and nothing else of ours."""

from __future__ import annotations

import itertools
import re
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.installing.foreign import copied_to
from tests.installing.machine import ROOT, Machine, succeeded
from tests.servers.scripted import Server

README = (ROOT / "README.md").read_text()
# What is shown as output has a comment before it, and other languages have a name
FENCED = re.findall(r"(-->\n)?```(\w*)\n(.*?)```", README, re.DOTALL)
BLOCKS = [block for output, language, block in FENCED if not output and not language]
COMMANDS = [re.sub(r"\s+# .*", "", line) for block in BLOCKS for line in block.splitlines()]

# In this order; what is added to a command, and what it shows. `bench` makes two rounds only
TYPED = {
    "keptalive run sync.py": ("", "3 requests, 1 connection"),
    "keptalive run -m pytest": ("", "1 passed"),
    "keptalive run --html report.html sync.py": ("", "Wrote report.html"),
    "keptalive explain debug.log": ("", "3 requests, 3 connections"),
    "keptalive run --tuned sync.py": ("", "with tuned Sessions"),
    "keptalive bench --program 'python sync.py'": ("", "same output with tuned Sessions"),
    "keptalive run --max-opened 1 --forbid new-session sync.py": ("", "limit"),
    "keptalive run --json new.json sync.py": (
        " && cp new.json old.json",
        "3 requests, 1 connection",
    ),
    "keptalive compare old.json new.json": ("", "No regression"),
    "python -m pytest": ("", "1 passed"),
}
# What each shows before it says how to stop it
SERVING = {"keptalive serve --scenario idle-timeout=5": "scenario idle-timeout=5"}
LAST_LINE = "Ctrl-C stops it.\n"
ELSEWHERE = {
    'python -m pip install "keptalive @ git+https://github.com/OWNER/keptalive@REF"': (
        "test_install_page.py"
    ),
    "git clone https://github.com/OWNER/keptalive && cd keptalive": "test_install_page.py",
    "make bench": "it takes a minute: the plan is that of `keptalive bench`",
    "make test": "it runs these tests",
    "keptalive bench --target github": "it needs the real GitHub",
    "keptalive bench --target https://ghe.example.com/api/v3": "it needs such a server",
    "keptalive probe https://api.example.com": "it needs such a server; tests/probe has some",
    "keptalive bench --threads 8": "tests/bench/test_threads.py and tests/cli/test_bench.py run it",
    "keptalive bench my-api.toml": "it needs such a server; tests/test_docs.py reads the plan",
}
LOG = "".join(
    f"2026-01-01 00:00:0{second},000 DEBUG urllib3.connectionpool: {message}\n"
    for second in range(3)
    for message in (
        "Starting new HTTPS connection (1): api.example.com:443",
        'https://api.example.com:443 "GET /user HTTP/1.1" 200 2',
    )
)


def test_every_command_of_the_readme_is_typed_here_or_it_is_said_where_it_is() -> None:
    assert [one for one in COMMANDS if one not in {*TYPED, *SERVING, *ELSEWHERE}] == []
    assert set(COMMANDS) == {*TYPED, *SERVING, *ELSEWHERE}


@pytest.fixture(scope="module")
def person(installed: Machine) -> Machine:
    """Somebody's project, on a machine where keptalive was installed."""
    shutil.rmtree(installed.work)
    copied_to(installed.work)
    (installed.work / "debug.log").write_text(LOG)
    return installed


@pytest.mark.complete
@pytest.mark.parametrize("command", TYPED)
def test_a_command_of_the_readme_works(
    command: str, person: Machine, serve: Callable[..., Server]
) -> None:
    added, shows = TYPED[command]
    line = f"{command}{added}".replace("keptalive bench", "keptalive bench --rounds 2")
    api = {"API_URL": serve().url.rstrip("/"), "COLUMNS": "80"}
    assert shows in succeeded(person.run("bash", "-ec", line, more=api))


@pytest.mark.complete
@pytest.mark.parametrize("command", SERVING)
def test_a_server_of_the_readme_serves_until_ctrl_c(command: str, person: Machine) -> None:
    with person.start("bash", "-ec", f"exec {command}") as serving:
        said = "".join(itertools.takewhile(lambda line: line != LAST_LINE, serving.stdout))
        assert SERVING[command] in said
        serving.send_signal(signal.SIGINT)
        rest, _ = serving.communicate()
    assert (serving.returncode, rest) == (0, "Served 0 requests on 0 connections.\n")


@pytest.mark.complete
def test_what_the_readme_has_made_is_where_it_says(person: Machine) -> None:
    made = {Path(file).parent.as_posix() for file in person.files("work") if "results" in file}
    assert made == {"work/results"}
