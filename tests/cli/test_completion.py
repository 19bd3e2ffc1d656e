"""Tab completes commands, options and values, in the shells themselves."""

from __future__ import annotations

import os
import re
import select
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.commands import in_text, keptalive

from keptalive.lookalike.behaviour import SCENARIOS


def completed(line: str) -> list[str]:
    """The words that are offered at the end of this line, as bash asks for them."""
    words = line.split(" ")
    asked = {
        "_KEPTALIVE_COMPLETE": "complete_bash",
        "COMP_WORDS": "\n".join(words),
        "COMP_CWORD": str(len(words) - 1),
    }
    ended = in_text(keptalive(environment={**os.environ, **asked}))
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout.split()


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("keptalive ", ["bench", "compare", "run", "explain", "probe", "serve"]),
        ("keptalive ex", ["explain"]),
        ("keptalive bench --tar", ["--target"]),
        ("keptalive bench --target ", ["lookalike", "github"]),
        ("keptalive bench --link ", ["auto", "tun", "veth", "delay"]),
        ("keptalive serve --link d", ["delay"]),
        ("keptalive serve --scenario ", list(SCENARIOS)),
        ("keptalive compare --fail-on co", ["counts"]),
        ("keptalive compare --fail-on opened,ti", ["opened,time"]),
        ("keptalive compare --export b", ["bencher="]),
        ("keptalive run --forbid new-session,un", ["new-session,unread-body"]),
    ],
)
def test_commands_options_and_values_are_offered(line: str, offered: list[str]) -> None:
    assert set(offered) <= set(completed(line))


@pytest.mark.parametrize(
    "line", ["keptalive run s", "keptalive run sync.py --", "keptalive explain "]
)
def test_nothing_is_offered_where_a_file_or_the_programs_own_words_follow(line: str) -> None:
    assert completed(line) == []


# -- The shells themselves -----------------------------------------------------------------------


TERMINAL = Path(__file__).parents[1] / "data" / "programs" / "terminal.py"


@pytest.fixture
def person(tmp_path: Path) -> dict[str, str]:
    """The environment of somebody who has no settings yet, with keptalive on the PATH."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {"HOME": str(tmp_path), "PATH": path, "TERM": "xterm", "LANG": "C.UTF-8"}


def typed(keys: str, *shell: str, person: dict[str, str], until: str) -> str:
    """Type these keys into a shell on a terminal of its own; what it shows up to this text."""
    with subprocess.Popen(
        [sys.executable, TERMINAL, *shell],
        env=person,
        cwd=person["HOME"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(keys.encode())
        process.stdin.flush()
        shown = b""
        while until.encode() not in shown and select.select([process.stdout], [], [], 30)[0]:
            if not (more := os.read(process.stdout.fileno(), 65536)):
                break
            shown += more
        process.stdin.write(b"\x15exit\n")  # Ctrl-U: whatever stands in the line goes away
        process.stdin.close()
        process.stdout.read()
    return shown.decode(errors="replace")


def commands_of_the_page(shell: str) -> str:
    """What docs/install.md says to type for completion in this shell."""
    page = (Path(__file__).parents[2] / "docs" / "install.md").read_text()
    section = page.partition("## Completion with Tab\n")[2].partition("\n## ")[0]
    (block,) = re.findall(rf"```\n# {shell}\b.*?\n(.*?)```", section, re.DOTALL)
    return block


@pytest.mark.parametrize(
    "shell",
    [
        "bash",
        pytest.param("zsh", marks=pytest.mark.complete),
        pytest.param("fish", marks=pytest.mark.complete),
    ],
)
def test_the_first_tab_completes_where_the_commands_of_the_page_were_typed(
    shell: str, person: dict[str, str]
) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    subprocess.run([shell, "-c", commands_of_the_page(shell)], env=person, check=True)
    keys, shows = "keptalive expl\t--help\n", "Explain from a debug log why"
    assert shows in typed(keys, shell, "-i", person=person, until=shows)


def test_a_shell_that_is_not_known_is_one_line() -> None:
    ended = in_text(keptalive("--completion", "tcsh"))
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (2, "", 1)
    assert "'bash', 'zsh', 'fish'" in ended.stderr
