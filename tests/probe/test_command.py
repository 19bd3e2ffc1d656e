"""`keptalive probe`: its screen, its JSON, its exit codes, Ctrl-C and a terminal."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
from tests.commands import in_text, keptalive
from tests.reports import cause, host
from tests.runs import run
from tests.servers.peer import answers
from tests.servers.scripts import closes_idle

from keptalive import results
from keptalive.records.probe import ProbeReport
from keptalive.records.report import Report
from keptalive.results.reports import to_json
from keptalive.text import as_json

# What the JSON promises, with its types
CONTRACT = {
    "schema": int,
    "url": str,
    "address": str,
    "seconds": float,
    "requests": int,
    "http_version": str,
    "keeps_connections": bool,
    "announced": dict,
    "idle_timeout_s": dict | None,
    "idle_watched_s": float,
    "request_limit": int | None,
    "requests_tried": int,
    "closes_with": str,
    "close_announced": bool | None,
    "resumes_tls": bool | None,
    "opening_s": dict,
    "findings": list,
    "advice": dict,
}


def probing(*words, **options):
    return in_text(keptalive("probe", *words, **options))


def test_the_json_is_what_is_promised_and_nothing_else_is_printed(serve):
    done = probing(serve(answers(closes=True)).url, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    for key, kind in CONTRACT.items():
        assert isinstance(found[key], kind), key
    assert found["announced"] == {"keep_alive": None, "connection": "close"}
    assert set(found["opening_s"]) == {"dns", "connect", "tls", "ca_bundle"}
    assert set(found["advice"]) == {"code", "max_idle_s", "why"}
    assert all({"finding", "evidence", "certainty"} == set(one) for one in found["findings"])
    assert (found["close_announced"], found["keeps_connections"]) == (True, False)


def test_each_key_of_the_json_is_documented_and_no_other():
    page = (Path(__file__).parents[2] / "docs" / "probe.md").read_text().partition("## JSON")[2]
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    documented = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    assert sorted(documented) == sorted(field.name for field in fields(ProbeReport))


def test_the_screen_says_the_policy_the_price_and_the_line_of_code(serve):
    done = probing(serve(closes_idle(0.6)).url, "--budget", 3, "--max-requests", 3)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert "Keeps connections alive:  yes (HTTP/1.1, no Keep-Alive header)" in lines
    (idle,) = (line for line in lines if line.startswith("Closes idle ones after:"))
    assert idle.endswith("ms   FIN, unannounced")
    assert "Requests a connection:    no limit up to 3" in lines
    assert any(line.startswith("A new connection costs:") for line in lines)
    assert "Use: tuned_session()" in lines
    assert "learns when this server closes idle connections" in done.stdout
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "Missing argument"),
        (["example.com"], "is no URL of http or https"),
        (["http://127.0.0.1/", "--budget", "0"], "--budget must be"),
        (["http://127.0.0.1/", "--budget", "nan"], "--budget must be"),
        (["http://127.0.0.1/", "--max-requests", "1"], "--max-requests must be"),
        (["http://127.0.0.1/", "--for", "missing.json"], "missing.json. Next: name a"),
    ],
)
def test_wrong_usage_is_a_line_and_2(words, said):
    done = probing(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


def test_a_target_that_fails_is_a_line_and_3(refusing):
    done = probing(refusing)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.count("\n") == 1
    assert "cannot be reached: Connection refused. Next: " in done.stderr


# -- A program's report ---------------------------------------------------------------------------


@pytest.fixture
def report(tmp_path):
    def write(name):
        whole = Report(
            source="run", command=("sync.py",), hosts=(host(name, cause("server-closed", 4)),)
        )
        path = tmp_path / "report.json"
        path.write_text(to_json(whole))
        return path

    return write


def test_with_a_report_it_says_what_that_program_would_gain(serve, report):
    server = serve(answers(closes=True))
    path = report(server.url.rstrip("/"))
    shown = probing(server.url, "--for", path)
    assert "sync.py opened 4 connections here" in shown.stdout
    found = json.loads(probing(server.url, "--for", path, "--json").stdout)
    assert found["gain"]["by_cause"] == {"server-closed": 4}


def test_a_report_of_other_hosts_is_refused_before_anything_is_sent(serve, report):
    server = serve()
    done = probing(server.url, "--for", report("https://other.test:443"))
    assert done.returncode == 2
    assert "it has https://other.test." in done.stderr
    assert server.accepted == 0


def test_a_result_of_the_benchmark_is_no_report_of_a_program(serve, tmp_path):
    path = tmp_path / "result.json"
    path.write_text(as_json(results.document(run())))
    done = probing(serve().url, "--for", path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "is a result of keptalive bench, not a report" in done.stderr


PROGRAM = """\
import sys, time
import requests
with requests.Session() as session:
    for _ in range(3):
        session.get(sys.argv[1])
        time.sleep(1.3)
"""


@pytest.mark.complete
def test_the_report_of_a_real_program_says_which_of_its_connections_the_server_explains(
    serve, tmp_path
):
    server = serve(closes_idle(0.5))
    (tmp_path / "poll.py").write_text(PROGRAM)
    command = [sys.executable, "-m", "keptalive", "run", "--json", "report.json", "poll.py"]
    subprocess.run([*command, server.url], cwd=tmp_path, check=True, capture_output=True)
    options = ("--budget", 3, "--max-requests", 3, "--for", tmp_path / "report.json")
    done = probing(server.url, *options)
    assert done.returncode == 0
    said = " ".join(done.stdout.split())
    assert "poll.py opened 3 connections here" in said
    assert "this server explains 2 × idle-timeout" in said
    assert "would keep one open: 2 connections fewer." in said
    assert max(map(len, done.stdout.splitlines())) <= 80


# -- A process of its own -------------------------------------------------------------------------


@pytest.mark.complete
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_on_a_terminal_progress_is_shown_and_a_signal_keeps_what_was_found(serve, number, code):
    ours, theirs = os.openpty()
    command = [sys.executable, "-m", "keptalive", "probe", serve().url, "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs) as process:
        os.close(theirs)
        with os.fdopen(ours, "rb", buffering=0) as terminal:
            seen = b""
            while not re.search(rb"3 connections idle for [1-9]", seen):
                seen += terminal.read(1000)
            process.send_signal(number)
            found = json.loads(process.stdout.read())
            assert process.wait(60) == code
    assert (found["ended"], found["keeps_connections"]) == ("interrupted", True)
    assert b"Ctrl-C shows what was found." in seen


@pytest.mark.complete
def test_ctrl_c_before_any_response_is_a_line_and_130(serve):
    server = serve(lambda peer: (peer.request(), peer.client_closes()))
    command = [sys.executable, "-m", "keptalive", "probe", server.url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        server.wait_for_connections(1, patience_s=60)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
    assert (process.returncode, output, errors) == (130, b"", b"keptalive: interrupted.\n")


# Sends a byte at a time, and itself a signal after the tenth
SENDS_SLOWLY = """\
import os, signal, sys
from keptalive.__main__ import main
from keptalive.probe.line import Line
whole, sent = Line.send, []
def slowly(line, data):
    sent.append(data[:1])
    if len(sent) == 10:
        os.kill(os.getpid(), signal.SIGINT)
    return whole(line, data[:1])
Line.send = slowly
sys.argv = ["keptalive", "probe", sys.argv[1]]
main()
"""


@pytest.mark.complete
def test_ctrl_c_within_a_request_waits_until_the_whole_request_was_sent(serve):
    arrived = bytearray()

    def script(peer):
        while data := peer.sock.recv(1000):
            arrived.extend(data)

    server = serve(script)
    command = [sys.executable, "-c", SENDS_SLOWLY, server.url]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    server.wait_for_scripts(1)
    assert (done.returncode, done.stderr) == (130, b"keptalive: interrupted.\n")
    assert arrived.startswith(b"GET / HTTP/1.1\r\n")
    assert arrived.endswith(b"Connection: keep-alive\r\n\r\n")


# Sends itself a signal just before it watches a connection after its second response
WATCHES_LATER = """\
import os, selectors, signal, sys
from keptalive.__main__ import main
register, watched = selectors.DefaultSelector.register, []
def later(selector, sock, wanted, line=None):
    watched.extend([line] if line is not None else [])
    if len(watched) == 2:
        os.kill(os.getpid(), signal.SIGINT)
    return register(selector, sock, wanted, line)
selectors.DefaultSelector.register = later
sys.argv = ["keptalive", "probe", sys.argv[1], "--json"]
main()
"""


@pytest.mark.complete
def test_ctrl_c_while_a_response_is_noted_keeps_what_was_found(serve):
    command = [sys.executable, "-c", WATCHES_LATER, serve().url]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (130, b"")
    assert json.loads(done.stdout)["ended"] == "interrupted"
