"""`keptalive run --tuned`: a program's output is the same, and TLS contexts are made once."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from keptalive.causes import judge
from keptalive.records.report import Finding
from keptalive.run.collect import Ran
from keptalive.run.launch import run

from .running import PROGRAMS

WATCHER = "keptalive.run.process_watcher.begin"


@pytest.fixture(autouse=True)
def _nothing_trusted_by_openssl(monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", os.devnull)
    monkeypatch.setenv("SSL_CERT_DIR", os.devnull)
    monkeypatch.setenv("PYTHONWARNINGS", "ignore")


@pytest.fixture
def server(serve, pki):
    """It says by which version of TLS a request came, and 503 to every other one for /503."""
    odd = [False]

    def script(peer):
        while request := peer.request():
            odd[0] ^= request.target == "/503"
            if request.target == "/503" and odd[0]:
                peer.respond(503)
            else:
                peer.respond(body=f"{request.target} by {peer.sock.version()}".encode())

    return serve(script, tls=pki.context(pki.ca.issue_cert("localhost")), host="localhost")


def tuned(*words: object) -> Ran:
    return run([str(word) for word in words], watcher=WATCHER, tuned=True)


def finding_of(ran: Ran) -> Finding:
    findings = judge.report(ran.records, source="run").findings
    return next(finding for finding in findings if finding.finding == "tuned-run")


def test_a_program_gets_the_same_answers_and_errors_and_the_report_says_what_was_tuned(
    server, pki, capfd
):
    words = [PROGRAMS / "adapters.py", server.url.rstrip("/"), pki.ours]
    plain = subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, timeout=60, check=True
    )
    ran = tuned(*words)
    seen = capfd.readouterr()
    assert (ran.exit_code, ran.warnings) == (0, ())
    assert (plain.stdout.splitlines(), plain.stderr) == (seen.out.splitlines(), seen.err)
    facts = finding_of(ran).facts
    assert facts["left_alone"] == {
        "__main__.OwnTLS": ["a class of its own"],
        "requests.adapters.HTTPAdapter": [
            "HTTPAdapter.cert_verify was replaced",
            "TLS settings of its own",
            "attributes of its own",
        ],
    }
    # of requests.get and the client three, mounted eight, in the child one
    assert facts["adapters"] == 12


COUNTED = """
import ssl, sys, requests
loads = []
load = ssl.SSLContext.load_verify_locations
def counted(self, *given, **named):
    loads.append(self)
    return load(self, *given, **named)
ssl.SSLContext.load_verify_locations = counted
for _ in range(5):
    requests.get(sys.argv[1], verify=sys.argv[2])
print(len(loads))
"""


@pytest.mark.parametrize(("is_tuned", "loads"), [(False, 5), (True, 1)])
def test_requests_get_loads_the_bundle_once_in_a_whole_process(
    is_tuned, loads, server, pki, tmp_path, capfd
):
    (tmp_path / "sync.py").write_text(COUNTED)
    ran = run(["sync.py", server.url, pki.ours], watcher=WATCHER, tuned=is_tuned)
    assert int(capfd.readouterr().out) == loads
    (host,) = ran.records[0].hosts
    assert (host.opened, host.reused) == (5, 0)
