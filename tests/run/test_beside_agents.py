"""Other agents start by a `sitecustomize` too: each runs once, whoever stands first on the path."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from keptalive.run.collect import Ran

from .running import PYTHONS, connects, quickly, watched, whole

# How agents run the sitecustomize behind them. Each text is what the real one does at that place.
HEAD = """
import os, sys
from importlib.machinery import PathFinder
here = os.path.dirname(os.path.abspath(__file__))
print("agent begins")
"""
LEAVES = "sys.path[:] = [entry for entry in sys.path if entry != here]\n"
FINDS = f"{LEAVES}spec = PathFinder.find_spec('sitecustomize', sys.path)\n"
CHAINS = {
    "New Relic": f"{FINDS}if spec: spec.loader.load_module('sitecustomize')\n",
    "load_module afresh": (
        f"{FINDS}mine = sys.modules.pop('sitecustomize')\n"
        "if spec: spec.loader.load_module('sitecustomize')\n"
        "sys.modules['sitecustomize'] = mine\n"
    ),
    "exec_module": (
        f"{FINDS}import importlib.util\n"
        "if spec: spec.loader.exec_module(importlib.util.module_from_spec(spec))\n"
    ),
    "runs what it finds twice": (
        f"{FINDS}for _ in range(2 if spec else 0): spec.loader.load_module('sitecustomize')\n"
    ),
    "stays on the path": (
        "path = [entry for entry in sys.path if entry != here]\n"
        "spec = PathFinder.find_spec('sitecustomize', path)\n"
        "if spec: spec.loader.load_module('sitecustomize')\n"
    ),
    "import_module": (
        f"{FINDS}import importlib\n"
        "mine = sys.modules['sitecustomize']\n"
        "if spec: del sys.modules['sitecustomize']; importlib.import_module('sitecustomize')\n"
        "sys.modules.setdefault('sitecustomize', mine)\n"
    ),
    "run_path": f"{FINDS}import runpy\nif spec: runpy.run_path(spec.origin)\n",
    "exec": (
        f"{FINDS}if spec: exec(compile(open(spec.origin).read(), spec.origin, 'exec'), globals())\n"
    ),
    "ddtrace": """
index = sys.path.index(here)
del sys.path[index]
mine = sys.modules.pop("sitecustomize", None)
sys.modules["agent.sitecustomize"] = mine
try:
    import sitecustomize
except ImportError:
    sys.modules["sitecustomize"] = mine
finally:
    sys.path.insert(index, here)
""",
    "OpenTelemetry": "",  # it does not
}
REAL = ("New Relic", "ddtrace", "OpenTelemetry")
TAIL = "print('agent ends', here == os.path.dirname(__file__))\n"
BEHIND = "print('behind', __name__, __file__)\nleft_by_behind = 1\n"
STATE = """
import calls, json, sys
calls.connect()
site = sys.modules.get("sitecustomize")
print(json.dumps([
    sys.path,
    site and (site.__file__, site.__spec__.origin, hasattr(site, "left_by_behind")),
    sorted(name for name in vars(site) if "keptalive" in name) if site else None,
]))
"""


@pytest.fixture(params=[True, False], ids=["one behind", "nothing behind"])
def agent(request, tmp_path, monkeypatch):
    """Puts an agent on $AGENT, which is not on PYTHONPATH yet."""

    def put(text: str) -> None:
        for name in ("agent", "behind"):
            (tmp_path / name).mkdir()
        (tmp_path / "agent" / "sitecustomize.py").write_text(text)
        if request.param:
            (tmp_path / "behind" / "sitecustomize.py").write_text(BEHIND)
        lib = f"{tmp_path / 'behind'}:{tmp_path / 'lib'}"
        monkeypatch.setenv("PYTHONPATH", lib)
        monkeypatch.setenv("AGENT", str(tmp_path / "agent"))

    return put


def theirs_first(python: str = sys.executable) -> list[str]:
    Path("state.py").write_text(STATE)
    return ["sh", "-c", f'PYTHONPATH="$AGENT:$PYTHONPATH" exec {python} state.py']


def alone(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("chain", quickly(CHAINS, *REAL))
def test_an_agent_runs_once_where_ours_stands_first(chain, agent, capfd):
    agent(HEAD + CHAINS[chain] + TAIL)
    Path("state.py").write_text(STATE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", f"{os.environ['AGENT']}:{os.environ['PYTHONPATH']}")
        expected = alone([sys.executable, "state.py"])
        ran = watched(sys.executable, "state.py")
    assert capfd.readouterr() == (expected.stdout, expected.stderr)
    assert (ran.exit_code, connects(ran), whole(ran)) == (0, [1], True)


@pytest.mark.parametrize("chain", quickly([*CHAINS][:-1], *REAL))
def test_an_agent_that_chains_runs_once_where_it_stands_first(chain, agent, capfd):
    agent(HEAD + CHAINS[chain] + TAIL)
    expected = alone(theirs_first())
    ran = watched(*theirs_first())
    assert capfd.readouterr() == (expected.stdout, expected.stderr)
    assert expected.stdout.count("agent ends") == 1
    assert (ran.exit_code, connects(ran), whole(ran)) == (0, [1], True)


@pytest.mark.complete
@pytest.mark.parametrize("chain", ["New Relic", "exec_module", "ddtrace"])
@pytest.mark.parametrize("python", PYTHONS, ids=str)
def test_an_agent_chains_in_every_python_that_we_support(python, chain, agent, capfd):
    agent(HEAD + CHAINS[chain] + TAIL)
    expected = alone(theirs_first(python))
    assert connects(watched(*theirs_first(python))) == [1]
    assert capfd.readouterr() == (expected.stdout, expected.stderr)


def said_unwatched(ran: Ran) -> bool:
    (warning,) = ran.warnings
    return (
        warning.startswith("the program itself, process ")
        and "was not watched: another sitecustomize ran instead of keptalive's" in warning
        and "Whether its child processes were watched is not known." in warning
        and "Next: " in warning
    )


def test_a_program_that_an_agent_in_front_keeps_from_being_watched_is_said(agent, capfd):
    agent(HEAD + TAIL)
    ran = watched(*theirs_first())
    assert (ran.exit_code, ran.processes, said_unwatched(ran)) == (0, (), True)
    assert capfd.readouterr().err == ""


def test_an_agent_in_front_of_the_program_but_not_of_its_child_is_said(agent, capfd):
    agent(HEAD + TAIL)
    Path("parent.py").write_text(
        "import os, subprocess, sys\n"
        "entries = os.environ['PYTHONPATH'].split(':')\n"
        "os.environ['PYTHONPATH'] = ':'.join(entries[1:])\n"
        "subprocess.run([sys.executable, '-c', 'import calls; calls.connect(3)'])"
    )
    ran = watched("sh", "-c", f'PYTHONPATH="$AGENT:$PYTHONPATH" exec {sys.executable} parent.py')
    assert (connects(ran), said_unwatched(ran)) == ([3], True)


@pytest.mark.parametrize("call", ["execv(path, words)", "execve(path, words, variables)"])
def test_a_launcher_that_puts_its_agent_in_front_and_executes_the_program_is_watched(
    call, agent, capfd
):
    agent(HEAD + TAIL)
    Path("launcher.py").write_text(
        "import os, sys\n"
        "path = words = None\n"
        "variables = dict(os.environ)\n"
        "for one in (os.environ, variables):\n"
        "    one['PYTHONPATH'] = os.environ['AGENT'] + ':' + one['PYTHONPATH']\n"
        "path, words = sys.executable, [sys.executable, 'state.py']\n"
        f"os.{call}"
    )
    Path("state.py").write_text(STATE)
    expected = alone([sys.executable, "launcher.py"])
    ran = watched(sys.executable, "launcher.py")
    assert capfd.readouterr() == (expected.stdout, expected.stderr)
    assert (connects(ran), whole(ran)) == ([0, 1], True)


def test_a_launcher_whose_exec_fails_finds_its_path_as_it_was(agent, capfd):
    agent(HEAD + TAIL)
    text = (
        "import os\n"
        "os.environ['PYTHONPATH'] = before = os.environ['AGENT'] + ':' + os.environ['PYTHONPATH']\n"
        "try: os.execv('/dev/null', ['x'])\n"
        "except PermissionError: print(os.environ['PYTHONPATH'] == before)"
    )
    watched(sys.executable, "-c", text)
    assert capfd.readouterr().out.endswith("True\n")


@pytest.mark.complete
@pytest.mark.parametrize("python", PYTHONS, ids=str)
def test_outside_of_virtual_environments_an_agent_in_front_keeps_nobody_from_being_watched(
    python, agent, tmp_path, capfd
):
    agent(HEAD + TAIL)
    (tmp_path / "lib" / "usercustomize.py").write_text("print('usercustomize', __file__)")
    expected = alone(theirs_first(python))
    ran = watched(*theirs_first(python))
    assert capfd.readouterr() == (expected.stdout, expected.stderr)
    assert "usercustomize" in expected.stdout
    assert (connects(ran), whole(ran)) == ([1], True)


def test_a_sitecustomize_that_is_a_package_runs_behind_an_agent(
    agent, tmp_path, monkeypatch, capfd
):
    agent(HEAD + CHAINS["New Relic"])
    (tmp_path / "package" / "sitecustomize").mkdir(parents=True)
    (tmp_path / "package" / "sitecustomize" / "__init__.py").write_text(
        "from . import beside\nprint(__path__ == [__file__.rpartition('/')[0]])"
    )
    (tmp_path / "package" / "sitecustomize" / "beside.py").write_text("print('beside')")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path / 'package'}:{tmp_path / 'lib'}")
    expected = alone(theirs_first())
    ran = watched(*theirs_first())
    assert capfd.readouterr() == (expected.stdout, expected.stderr)
    assert "beside\nTrue\n" in expected.stdout
    assert connects(ran) == [1]


def test_a_program_that_asks_for_a_sitecustomize_finds_none_where_there_is_none(capfd):
    text = "try: import sitecustomize\nexcept ImportError as error: print(error.name)"
    for options in ([], ["-S"]):
        watched(sys.executable, *options, "-c", text)
        assert capfd.readouterr().out == "sitecustomize\n"


@pytest.mark.complete
@pytest.mark.parametrize("agents", ["New Relic,ddtrace", "ddtrace,New Relic"])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_two_agents_and_ours_each_run_once_in_any_order(
    agents, place, tmp_path, monkeypatch, capfd
):
    folders = []
    for chain in agents.split(","):
        folder = tmp_path / chain
        folder.mkdir()
        text = (HEAD + CHAINS[chain] + TAIL).replace("agent.site", f"agent{len(folders)}.site")
        (folder / "sitecustomize.py").write_text(text)
        folders.append(str(folder))
    Path("state.py").write_text(STATE)
    expected = alone(
        ["sh", "-c", f"PYTHONPATH='{':'.join(folders)}':$PYTHONPATH exec {sys.executable} state.py"]
    )
    assert expected.stdout.count("agent ends") == 2
    entries = [f"'{folder}'" for folder in folders]
    entries.insert(place, "${PYTHONPATH%%:*}")
    command = f"PYTHONPATH={':'.join(entries)}:${{PYTHONPATH#*:}} exec {sys.executable} state.py"
    ran = watched("sh", "-c", command)
    assert capfd.readouterr().out == expected.stdout
    assert (connects(ran), whole(ran)) == ([1], True)
