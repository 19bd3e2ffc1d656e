"""Files without end, bombs and nonsense cost little memory and time, and are told in a line."""

from __future__ import annotations

import gzip
import json
import os
import resource
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from tests.marks import complete

from keptalive import bounded, results
from keptalive.bench import plan as plans
from keptalive.bench.github.token import find_token
from keptalive.bounded import MIB
from keptalive.errors import UsageError

LINE = b'DEBUG:urllib3.connectionpool:https://h:443 "GET / HTTP/1.1" 200 1\n'
MEMORY = 200 * MIB  # of addresses: what is read is more than that


def limited(*words: object, given: bytes = b"", repeat: int = 0) -> subprocess.CompletedProcess:
    """A command in a process that may have little memory; ``given`` goes to it again and again."""
    command = [sys.executable, "-m", "keptalive", *map(str, words)]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY)),
    ) as process:
        try:
            for _ in range(repeat):
                process.stdin.write(given)
        except BrokenPipeError:
            pass
        out, errors = process.communicate(timeout=60)
    return subprocess.CompletedProcess(command, process.returncode, out, errors)


@pytest.fixture
def keptalive(keptalive):
    """The command line; what it says is one line, and the code is that of unreadable input."""

    def refused(*arguments: object) -> str:
        ended = keptalive(*arguments)
        assert (ended.code, ended.stdout) == (2, b"")
        assert ended.said.count("\n") == 1
        return ended.said.removeprefix("keptalive: ").rstrip("\n")

    return refused


# -- Plans and results ---------------------------------------------------------------------------

DEVICES = ["/dev/zero", "/dev/urandom", "/dev/null", "/dev/tty"]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("bench", "The plan {} is a device, not a file. Next: name a TOML file of a plan."),
        ("compare", "The result {} is a device, not a file. Next: name a result of"),
        ("explain", "The log {} is a device, not a file. Next: name a debug log."),
    ],
)
def test_a_device_is_refused_before_it_is_read(keptalive, command, said, device):
    told = keptalive(command, device)
    assert said.format(device) in told or (device == "/dev/tty" and "/dev/tty" in told)


def test_a_folder_is_no_plan_and_no_result(keptalive, tmp_path):
    assert f"The plan {tmp_path} cannot be read: Is a directory." == keptalive("bench", tmp_path)
    assert "There is no result in" in keptalive("compare", tmp_path)


def test_a_plan_that_is_too_large_is_told_how_large_and_what_is_the_most(keptalive, tmp_path):
    plan = tmp_path / "plan.toml"
    with plan.open("wb") as file:
        file.truncate(5 * 1024 * MIB)  # a hole: it takes no room
    assert (
        f"The plan {plan} has 5120 MiB; at most 1 MiB are read. Next: name a TOML file of a plan."
    ) == keptalive("bench", plan)
    os.truncate(plan, MIB + 1)
    assert "has 1.1 MiB; at most 1 MiB" in keptalive("bench", plan)


def test_a_plan_of_the_most_bytes_is_read(tmp_path):
    plan = tmp_path / "plan.toml"
    plan.write_text("repeats = 2\n".ljust(MIB, "#"))
    assert plans.read_plan(plan).repeats == 2


def test_a_result_that_is_too_large_is_told_how_large_and_what_is_the_most(keptalive, tmp_path):
    result = tmp_path / "result.json"
    with result.open("wb") as file:
        file.truncate(33 * MIB)
    assert f"The result {result} has 33 MiB; at most 32 MiB are read." in keptalive(
        "compare", result
    )


@pytest.fixture
def pipe(tmp_path):
    """A named pipe, and a function that writes to it from another thread until nobody reads."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    threads = []

    def write(data: bytes, times: int) -> Path:
        def run() -> None:
            with path.open("wb", buffering=0) as file:
                try:
                    for _ in range(times):
                        file.write(data)
                except BrokenPipeError:
                    pass

        threads.append(threading.Thread(target=run))
        threads[-1].start()
        return path

    yield write
    for thread in threads:
        thread.join()


def test_a_plan_may_come_from_a_pipe(pipe):
    assert plans.read_plan(pipe(b"repeats = 7\n", 1)).repeats == 7


def test_a_pipe_without_an_end_is_read_up_to_the_limit(keptalive, pipe):
    path = pipe(b"# and so on\n" * 1000, 10**9)
    assert (
        f"The plan {path} has more; at most 1 MiB are read. Next: name a TOML file of a plan."
    ) == keptalive("bench", path)


@pytest.mark.parametrize("command", ["bench", "compare"])
def test_a_pipe_from_which_nothing_comes_is_given_up(keptalive, monkeypatch, tmp_path, command):
    monkeypatch.setattr(bounded, "LONGEST_WAIT_S", 0.05)
    os.mkfifo(tmp_path / "pipe")
    assert "is a pipe from which nothing came in 0.05 s." in keptalive(command, "pipe")


DEEP = 100_000
PLANS = {
    "nested lists": "x = " + "[" * DEEP,
    "nested tables": "x = " + "{a=" * DEEP,
    "a long key": "a" * 500_000 + " = 1",
    "a dotted key": ".".join("a" * 100_000) + " = 1",
    "a dotted key in quotes": ".".join(['"a \\" b"'] * 60_000) + " = 1",
    "a dotted table": f"[{'.'.join('a' * 100_000)}]",
    "many dotted keys": "".join(f"a{n}{'.a' * 30} = 1\n" for n in range(12_000)),
    "many tables": "[[gate]]\n" * 100_000,
    "many quotes": "x = '" + "\"'" * 500_000,
    "a long number": f"rounds = {'9' * 5000}",
    "a large number": f"rounds = {'9' * 400}",
    "a large float": f"rtt_ms = {'9' * 400}",
    "infinite": "budget_s = inf",
    "no number": "rtt_ms = nan",
    "more than anybody has time for": "repeats = 1_000_000_000_000",
    "more requests than fit": "repeats = 1_000_000\nrequests = ['/', '/']",
    "a key twice": "rounds = 1\nrounds = 2",
    "a long list": f"requests = [{'1, ' * 200_000}]",
    "a long text": f'auth = "{"x" * 500_000}"',
    "a scenario's long number": f'scenarios = ["idle-timeout={"9" * 400}"]',
    "not text": "\udcff",
}


@pytest.mark.parametrize("kind", PLANS)
def test_a_plan_of_nonsense_is_told_in_a_short_line(keptalive, tmp_path, kind):
    plan = tmp_path / "plan.toml"
    plan.write_text(PLANS[kind], errors="surrogateescape")
    told = keptalive("bench", plan)
    assert told.startswith(f"The plan {plan}")
    assert len(told) < 500


RESULTS = {
    "nested lists": "[" * DEEP,
    "nested objects": '{"a":' * DEEP,
    "nested in ours": f'{{"keptalive": {{"schema": 2, "plan": {"[" * 900}{"]" * 900}}}}}',
    "a long number": f'{{"keptalive": {{"schema": {"9" * 5000}}}}}',
    "a long schema": f'{{"keptalive": {{"schema": "{"9" * 5000}"}}}}',
    "a large number": f'{{"keptalive": {{"schema": {"9" * 30}}}}}',
    "infinite": '{"keptalive": {"schema": Infinity}}',
    "too large": '{"keptalive": {"schema": 1e400}}',
    "no number": '{"keptalive": {"schema": NaN}}',
    "a name twice": '{"keptalive": {"schema": 1}, "keptalive": {"schema": 2}}',
    "not text": "\udcff",
}


@pytest.mark.parametrize("kind", RESULTS)
def test_a_result_of_nonsense_is_told_in_a_short_line(keptalive, tmp_path, kind):
    result = tmp_path / "result.json"
    result.write_text(RESULTS[kind], errors="surrogateescape")
    told = keptalive("compare", result)
    assert str(result) in told
    assert len(told) < 500


def test_a_result_with_a_number_too_large_anywhere_is_refused(tmp_path):
    from tests.runs import run

    text = json.dumps(results.document(run()))
    (tmp_path / "r.json").write_text(text.replace('"cpu_seconds": 0.', '"cpu_seconds": 1e999', 1))
    with pytest.raises(UsageError, match="damaged"):
        results.read(tmp_path / "r.json")


# -- Logs ----------------------------------------------------------------------------------------


def test_a_line_without_an_end_is_read_in_little_memory():
    ended = limited("explain", "-", given=b"x" * MIB, repeat=300)
    assert (ended.returncode, ended.stdout) == (2, b"")
    assert b"standard input has no line of urllib3's or httpcore's" in ended.stderr


def test_a_log_that_goes_on_for_long_is_read_in_little_memory():
    ended = limited("explain", "-", given=LINE * 2000, repeat=50)
    assert ended.returncode == 0
    assert b"100\xe2\x80\xaf000 requests" in ended.stdout


def test_zeros_without_end_are_read_in_little_memory(tmp_path):
    log = tmp_path / "log"
    with log.open("wb") as file:
        file.truncate(300 * MIB)
    ended = limited("explain", log)
    assert (ended.returncode, ended.stdout) == (2, b"")


@pytest.mark.parametrize("unit", [b"\0", LINE, complete(b"x"), complete(b"x\n")])
def test_a_gzip_file_that_unpacks_to_very_much_is_read_in_little_memory(tmp_path, unit):
    log = tmp_path / "log.gz"
    members = 300 if unit != LINE else 5
    log.write_bytes(gzip.compress(unit * (MIB // len(unit))) * members)
    ended = limited("explain", log)
    assert ended.returncode == (0 if unit == LINE else 2), ended.stderr


# -- gh ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("script", ["exec yes", "exec cat /dev/zero", "printf %9000d 1"])
def test_a_gh_that_says_more_than_any_token_has_is_passed_over(monkeypatch, tmp_path, script):
    gh = tmp_path / "gh"
    gh.write_text(f"#!/bin/sh\n{script}\n")
    gh.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.defpath}")
    assert None is find_token("github.com", {}, ask=False)


def test_a_gh_that_says_nothing_is_not_waited_for_for_ever(monkeypatch, tmp_path):
    gh = tmp_path / "gh"
    gh.write_text("#!/bin/sh\nsleep 60 & sleep 60\n")
    gh.chmod(0o755)
    monkeypatch.setattr("keptalive.bench.github.token._GH_SECONDS", 0.1)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.defpath}")
    assert None is find_token("github.com", {}, ask=False)
