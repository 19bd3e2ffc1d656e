"""Programs that are benchmarked: counted by all witnesses, undisturbed, their causes named."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.commands import in_text
from tests.commands import keptalive as run_keptalive
from tests.versions import REQUESTS

from keptalive import results
from keptalive.bench.programs.execution import execute

SHOPCLIENT = Path(__file__).parents[2] / "data" / "shopclient" / "shopclient"
LOOKS = """
import logging, sys
import requests

log = logging.getLogger("urllib3.connectionpool")
handler = logging.StreamHandler(sys.stdout)
handler.setFormatter(logging.Formatter("%(levelname)s %(filename)s %(funcName)s %(message)s"))
def look():
    print(log.level, log.handlers, log.propagate, log.disabled, log.isEnabledFor(10), log.filters)
look()
with requests.Session() as session:
    session.get(sys.argv[1])
    logging.getLogger().addHandler(handler)
    logging.getLogger().setLevel(10)
    session.get(sys.argv[1])
    look()
"""
BASKET = ["tea", "milk", "sugar"]
WITH_SESSION = f"""
import sys
from shopclient import Shop
shop = Shop(sys.argv[1])
print(shop.prices({BASKET}))
shop.close()
"""
ONE_BY_ONE = f"""
import sys
from shopclient import prices_one_by_one
print(prices_one_by_one(sys.argv[1], {BASKET}))
"""


def in_log(opened: int) -> dict[str, int]:
    """What the pool log counts; before 2.29, requests sends some bodies past it."""
    return {"pool_log": opened} if REQUESTS >= (2, 29) else {}


@pytest.fixture
def server(serve):
    def script(peer):
        while request := peer.request():
            peer.respond(body=json.dumps(request.target).encode())

    return serve(script)


@pytest.fixture(autouse=True)
def _in_a_project(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(SHOPCLIENT, tmp_path / "shopclient")


def keptalive(*words: object) -> subprocess.CompletedProcess[str]:
    return in_text(run_keptalive(*words, environment={**os.environ, "COLUMNS": "80"}))


def test_a_program_sees_its_log_as_it_would_without_a_witness_which_counts_all_the_same(server):
    Path("looks.py").write_text(LOOKS)
    words = ["looks.py", server.url]
    plain = subprocess.run([sys.executable, *words], capture_output=True, timeout=60, check=True)
    done = execute(words, tuned=False, variables={})
    assert b"DEBUG connectionpool.py _make_request http://127.0.0.1" in plain.stdout
    assert plain.stdout == done.output
    (record,) = done.ran.records
    assert record.witnessed == {**in_log(1), "sockets": 1}


def measured(program: str, server, name: str) -> dict[str, object]:
    Path("sync.py").write_text(program)
    Path("plan.toml").write_text(
        f'rounds = 1\n[program]\ncommand = "sync.py {server.url}"\ntuned = false\n'
        "[gate]\nmax_opened = 1\n"
    )
    ended = keptalive("bench", "plan.toml", "--results", name)
    return {"code": ended.returncode, "said": ended.stdout + ended.stderr}


def test_requests_get_in_the_place_of_a_session_fails_the_build_and_names_the_line(server):
    assert measured(WITH_SESSION, server, "good")["code"] == 0
    broken = measured(ONE_BY_ONE, server, "bad")
    assert broken["code"] == 1
    assert "2 × new-session at shopclient/client.py:5" in broken["said"].replace("\xa0", " ")
    worse = keptalive("compare", "good", "bad", "--fail-on", "counts")
    assert worse.returncode == 1
    assert "new-session at shopclient/client.py:5" in " ".join(worse.stdout.split())
    back = keptalive("compare", "bad", "good", "--fail-on", "counts")
    assert back.returncode == 0
    (trial, _) = results.read(results.find(Path("bad"))).run.trials
    assert (trial.counts.opened, trial.witnesses.sockets) == (3, 3)
    assert trial.witnesses.pool_log == in_log(3).get("pool_log")


def test_a_program_that_fails_ends_the_benchmark_with_its_last_line():
    ended = keptalive("bench", "--program", f"{sys.executable} -c 1/0")
    assert ended.returncode == 3
    assert "ended with exit code 1: ZeroDivisionError: division by zero" in ended.stderr


def test_a_program_without_a_request_is_no_benchmark():
    ended = keptalive("bench", "--program", f"{sys.executable} -c 1")
    assert ended.returncode == 2
    assert "sent no request through requests or urllib3" in ended.stderr


MANY = """
import os, socket, sys, threading
from concurrent.futures import ThreadPoolExecutor
import requests

host, port = sys.argv[1].rstrip("/").rpartition("//")[2].split(":")
socket.create_connection((host, int(port))).close()  # a database's, perhaps
together = threading.Barrier(3)
with requests.Session() as session, ThreadPoolExecutor(3) as threads:
    def send(_):
        response = session.get(sys.argv[1], stream=True)
        together.wait()
        return response.content
    assert len(list(threads.map(send, range(3)))) == 3
if not (child := os.fork()):
    requests.get(sys.argv[1])
    os._exit(0)
os.waitpid(child, 0)
"""


@pytest.mark.parametrize("is_tuned", [False, True])
def test_all_witnesses_agree_on_threads_forks_and_sockets_that_are_not_urllib3s(server, is_tuned):
    Path("many.py").write_text(MANY)
    done = execute(["many.py", server.url], tuned=is_tuned, variables={})
    assert (done.ran.exit_code, done.ran.warnings) == (0, ())
    counts = [
        (host.opened, record.witnessed) for record in done.ran.records for host in record.hosts
    ]
    assert counts == [(number, {**in_log(number), "sockets": number}) for number in (3, 1)]
    assert server.accepted == 5
