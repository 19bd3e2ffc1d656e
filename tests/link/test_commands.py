"""`bench` and `serve` on a true link: what they say, that counts agree, that nothing is left."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from tests.commands import in_text, keptalive
from tests.marks import complete

from .conftest import possible, skip_unless, without_rights

COMMAND = [sys.executable, "-m", "keptalive"]
ALL = [
    *("keep-alive", "close-announced", "http-1.0", "request-limit=2", "request-limit-announced=2"),
    *("idle-timeout=60", "idle-reset=60", "timeout-408=60", "stray-bytes", "stale"),
]
PATIENCE_S = 60.0


def plan(folder: Path, scenarios: list[str], **values: Any) -> Path:
    path = folder / "plan.toml"
    keys = {"requests": ["/user"], "repeats": 3, "rounds": 1, "rtt_ms": 2, **values}
    keys = {"strategies": ["session", "tuned"], **keys}
    lines = [f"{key} = {json.dumps(value)}" for key, value in keys.items()]
    path.write_text("\n".join([*lines, f"scenarios = {json.dumps(scenarios)}"]))
    return path


def bench(folder: Path, *options: object) -> subprocess.CompletedProcess[str]:
    """In the tests' own process, which comes back from the link."""
    variables = {**os.environ, "COLUMNS": "100"}
    return in_text(keptalive("bench", *options, folder=folder, environment=variables))


def environment(ended: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert ended.returncode == 0, ended.stderr
    contents = json.loads(ended.stdout)
    assert contents["keptalive"]["complete"]
    found: dict[str, Any] = contents["keptalive"]["environment"]
    return found


@pytest.mark.parametrize("scenarios", [ALL[::5], complete(ALL)])
def test_all_counts_agree_on_it_and_the_result_says_which_it_was(kind, tmp_path, scenarios):
    ended = bench(tmp_path, str(plan(tmp_path, scenarios)), "--link", kind, "--json")
    found = environment(ended)
    assert found["link"] == kind
    assert found["link_why"] in " ".join(ended.stderr.split())
    assert "TCP's handshake takes 2 ms too." in found["link_why"]


@pytest.mark.complete
def test_the_connect_phase_has_the_round_trip_which_a_delay_has_not(tun, tmp_path):
    connect_ms = {}
    for link in ("tun", "delay"):
        # one connection in each of several trials: what disturbs some does not disturb all
        settings = {"rtt_ms": 20, "repeats": 1, "rounds": 8, "strategies": ["fresh"]}
        path = plan(tmp_path, ["keep-alive"], **settings)
        ended = bench(tmp_path, str(path), "--link", link, "--json")
        assert environment(ended)["link"] == link
        trials = json.loads(ended.stdout)["keptalive"]["trials"]
        connect_ms[link] = min(1000 * one["phases"]["connect"] for one in trials)
    assert 19.8 <= connect_ms["tun"] <= 22
    assert connect_ms["delay"] < 5


@pytest.mark.complete
def test_a_nat_that_forgets_fails_a_session_and_the_trace_says_silent_drop(tun, tmp_path):
    path = plan(tmp_path, ["nat-timeout=0.5"], strategies=["session"])
    ended = bench(tmp_path, str(path), "--json")
    assert environment(ended)["link"] == "tun"
    result = json.loads(ended.stdout)["keptalive"]
    assert [sum(one["counts"]["errors"].values()) for one in result["trials"]] == [1, 1]
    causes = [
        one["cause"] for trace in result["traces"] for one in trace["report"]["hosts"][0]["causes"]
    ]
    assert "silent-drop" in causes
    assert "stale-connection" not in causes


# -- Where it is not possible, or not wanted -----------------------------------------------------


def test_asked_for_a_delay_it_says_so(tmp_path):
    found = environment(
        bench(tmp_path, str(plan(tmp_path, ["keep-alive"], link="delay")), "--json")
    )
    assert found["link"] == "delay"
    assert found["link_why"] == "Link: a delay in the test server, as asked."


def test_without_a_round_trip_time_there_is_no_link(tmp_path):
    found = environment(bench(tmp_path, str(plan(tmp_path, ["keep-alive"], rtt_ms=0)), "--json"))
    assert (found["link"], found["link_why"]) == ("delay", "")


@pytest.mark.complete
def test_programs_keep_the_network_of_their_machine_unless_asked_otherwise(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        "import requests, sys, os\n"
        "token = {'Authorization': 'Bearer ' + os.environ['GH_TOKEN']}\n"
        "print(requests.get(sys.argv[1] + '/user', headers=token).status_code)\n"
    )
    options = ["--target", "lookalike", "--rounds", "1", "--json"]
    command = ["--program", f"{sys.executable} {program} {{url}}"]
    found = environment(bench(tmp_path, *command, *options))
    assert found["link"] == "delay"
    assert "because your programs may need this machine's network" in found["link_why"]
    if possible("tun") == "root":
        assert environment(bench(tmp_path, *command, *options, "--link", "tun"))["link"] == "tun"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--link", "wire"], '--link \'wire\' must be one of "auto", "tun", "veth", "delay".'),
        (["--link", "delay"], "scenario nat-timeout=1 works on a true link only (as asked)."),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(tmp_path, options, said):
    ended = bench(tmp_path, str(plan(tmp_path, ["nat-timeout=1"])), *options)
    assert ended.returncode == 2
    assert said in " ".join(ended.stderr.split())
    assert len(ended.stderr.strip().splitlines()) <= 2


needs_setpriv = pytest.mark.skipif(
    os.getuid() == 0 and not Path("/usr/bin/setpriv").exists(), reason="no setpriv here"
)


@needs_setpriv
@pytest.mark.parametrize("kind", ["veth", complete("tun")])
def test_without_root_a_user_namespace_does_it(tmp_path, kind):
    skip_unless(kind, "root", "user")
    ended = without_rights(
        *("bench", plan(tmp_path, ["keep-alive"]), "--link", kind, "--json"), cwd=tmp_path
    )
    if "not allowed here" in ended.stderr:
        pytest.skip(ended.stderr)
    found = environment(ended)
    assert found["link"] == kind
    assert "in a user namespace" in found["link_why"]
    assert len(list((tmp_path / "results").iterdir())) == 1


@pytest.mark.complete
@needs_setpriv
@pytest.mark.skipif(os.getuid() != 0, reason="only root can give up that right")
def test_where_even_that_is_not_allowed_auto_takes_the_delay_and_says_why(tmp_path):
    path = plan(tmp_path, ["keep-alive"])
    # without CAP_SETFCAP, root may map no root into a user namespace (user_namespaces(7))
    none = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", *COMMAND, "bench", str(path)]
    options = {"cwd": tmp_path, "capture_output": True, "text": True, "check": False}
    found = environment(subprocess.run([*none, "--json"], **options))
    assert found["link"] == "delay"
    assert (
        "because a true link is not possible here: it takes root, or a user namespace"
        in (found["link_why"])
    )
    asked = subprocess.run([*none, "--link", "veth"], **options)
    assert asked.returncode == 2
    assert "This machine does not allow a link of a veth pair: it takes root" in asked.stderr
    assert "Traceback" not in asked.stderr


# -- Signals -------------------------------------------------------------------------------------


def left(mark: str) -> list[str]:
    """Processes that have this variable in their environment."""
    found = []
    for process in Path("/proc").iterdir():
        with suppress(OSError):
            if mark.encode() in (process / "environ").read_bytes().split(b"\0"):
                found.append((process / "cmdline").read_bytes().decode().replace("\0", " "))
    return found


@contextmanager
def started(folder: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
    variables = {**os.environ, "MARK_OF_THIS_TEST": str(folder), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        [*COMMAND, *words],
        cwd=folder,
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def to_process(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGINT)


def to_group(process: subprocess.Popen[str]) -> None:
    os.killpg(process.pid, signal.SIGINT)


@pytest.mark.parametrize(
    ("line", "send"),
    [
        ("round 2", to_group),
        complete("round 1", to_process),
        complete("Link:", to_group),
        complete("keptalive bench", to_process),
    ],
)
def test_ctrl_c_keeps_what_was_measured_and_leaves_no_process(tun, tmp_path, line, send):
    path = plan(tmp_path, ["keep-alive"], rounds=100_000)
    with started(tmp_path, "bench", str(path), "--progress") as process:
        _until(process, line)
        send(process)
        shown, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130, shown
    assert "Traceback" not in shown
    assert left(f"MARK_OF_THIS_TEST={tmp_path}") == []
    if line.startswith("round 2"):
        assert len(list((tmp_path / "results").iterdir())) == 1


@pytest.mark.complete
def test_after_a_kill_no_process_of_the_link_is_left(tun, tmp_path):
    path = plan(tmp_path, ["keep-alive"], rounds=100_000)
    mark = f"MARK_OF_THIS_TEST={tmp_path}"
    with started(tmp_path, "bench", str(path), "--progress") as process:
        _until(process, "round 1")
        assert any("keptalive.link" in one for one in left(mark))
        process.kill()
        process.wait(PATIENCE_S)
    ended = threading.Event()
    for _ in range(100):  # they read the end of their input, and nobody can wait for them
        if not left(mark):
            ended.set()
            break
        ended.wait(0.05)
    assert ended.is_set(), left(mark)


def _until(process: subprocess.Popen[str], text: str) -> str:
    assert process.stdout is not None
    for line in process.stdout:
        if text in line:
            return line
    raise AssertionError(f"{text} did not come")


# -- serve ---------------------------------------------------------------------------------------


def _asked(command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, shell=True, capture_output=True, text=True, check=False, timeout=PATIENCE_S
    )


@pytest.mark.skipif(not Path("/usr/bin/nsenter").exists(), reason="no nsenter here")
@pytest.mark.parametrize("command", ["nsenter -t", complete("", id="outside")])
def test_serve_is_reached_from_its_namespace_alone_as_it_says(tun, tmp_path, command):
    with started(tmp_path, "serve", "--link", "tun", "--rtt", "5") as process:
        assert "https://192.0.2.2:" in _until(process, "https://")
        assert "TCP's handshake takes 5 ms too." in _until(process, "Link:")
        line = _until(process, "Only programs in its namespace reach it")
        inside = re.search(r"nsenter .*?(?= COMMAND)", line)[0]
        snippet = _until(process, "requests.get").partition("or:  ")[2].strip()
        code = f"import requests; print(({snippet}).status_code)".replace("'", '"')
        reached = _asked(f"{inside if command else 'timeout 2'} {sys.executable} -c '{code}'")
        assert (reached.stdout.strip() == "200") is bool(command), reached.stderr
        to_process(process)
        shown, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0
    assert "Served" in shown
    assert left(f"MARK_OF_THIS_TEST={tmp_path}") == []


def test_serve_says_where_it_can_be_reached_by_default(tmp_path):
    with started(tmp_path, "serve", "--rtt", "5") as process:
        assert "https://127.0.0.1:" in _until(process, "https://")
        assert "a delay in the test server, as asked." in _until(process, "Link:")
        to_process(process)
        process.communicate(timeout=PATIENCE_S)


@pytest.mark.parametrize("scenario", ["nat-timeout", complete("nat-timeout=60")])
def test_serve_refuses_a_nat_without_a_true_link(tmp_path, scenario):
    ended = in_text(keptalive("serve", "--scenario", scenario, folder=tmp_path))
    assert ended.returncode == 2
    assert "works on a true link only (as asked). Next: --link auto" in (
        " ".join(ended.stderr.split())
    )
