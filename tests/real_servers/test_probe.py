"""A probe finds the policy that a real server was given: nginx, node, gunicorn, http.server."""

from __future__ import annotations

import functools
import http.server
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.real_servers.test_nginx import NGINX, running

from keptalive.probe.judge import judged
from keptalive.probe.prober import Prober
from keptalive.probe.route import route_to
from keptalive.probe.settings import Settings
from keptalive.probe.watcher import Watcher
from keptalive.records.probe import ProbeReport

pytestmark = pytest.mark.complete
NODE = shutil.which("node")
needs_nginx = pytest.mark.skipif(NGINX is None, reason="nginx is not installed")
needs_node = pytest.mark.skipif(NODE is None, reason="node is not installed")


def probe(url: str, **settings: object) -> ProbeReport:
    prober = Prober(route_to(url), Settings(**{"budget_s": 12.0, **settings}), Watcher())
    return judged(prober.run(), url=url)


def is_close(found: ProbeReport, seconds: float) -> bool:
    """Within 5 % or 100 ms, the larger."""
    span, margin = found.idle_timeout_s, max(0.05 * seconds, 0.1)
    return span is not None and seconds - margin <= span.least <= span.most <= seconds + margin


@needs_nginx
@pytest.mark.parametrize(
    ("settings", "idle_s", "limit", "announced"),
    [
        ("keepalive_timeout 2s;", 2, None, False),
        ("keepalive_timeout 2s; keepalive_requests 5;", 2, 5, True),
        ("keepalive_timeout 1s 1; keepalive_requests 100;", 1, 100, True),
    ],
)
def test_of_nginx_idle_timeout_and_limit_are_found(
    tmp_path, monkeypatch, settings, idle_s, limit, announced
):
    with running(tmp_path, settings) as nginx:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(nginx.ca_bundle))
        found = probe(f"{nginx.url}/user")
        assert nginx.accepted() == found.connections
    assert is_close(found, idle_s)
    assert (found.request_limit, found.close_announced) == (limit, announced)
    assert (found.closes_with, found.resumes_tls) == ("TLS close and FIN", True)
    assert found.seconds < 12


@needs_nginx
def test_an_nginx_that_keeps_nothing_is_seen_to(tmp_path, monkeypatch):
    with running(tmp_path, "keepalive_timeout 0;") as nginx:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(nginx.ca_bundle))
        found = probe(f"{nginx.url}/user")
    assert (found.keeps_connections, found.close_announced) == (False, True)


@needs_nginx
def test_an_age_after_which_nginx_closes_is_no_limit_of_requests(tmp_path, monkeypatch):
    with running(tmp_path, "keepalive_timeout 2s; keepalive_time 3s;") as nginx:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(nginx.ca_bundle))
        found = probe(f"{nginx.url}/user")
    assert found.request_limit is None
    assert "age-limit" in {one.finding for one in found.findings}


@contextmanager
def listening(command: list[str], folder: Path) -> Iterator[str]:
    """A server that takes the number of a listening socket, and its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        number = listener.fileno()
        child = subprocess.Popen(
            [*command, str(number)],
            cwd=folder,
            pass_fds=[number],
            env={**os.environ, "FD": str(number)},
            stderr=subprocess.DEVNULL,
        )
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        finally:
            child.terminate()
            child.wait(10)


NODE_SERVER = """
const server = require('http').createServer((_, response) => response.end('ok'));
Object.assign(server, SETTINGS);
server.listen({fd: Number(process.env.FD)});
"""


@needs_node
@pytest.mark.parametrize(
    ("settings", "idle_s", "limit", "announced"),
    [
        ("{keepAliveTimeout: 2000}", 3, None, False),
        ("{keepAliveTimeout: 1000, maxRequestsPerSocket: 5}", 2, 5, True),
    ],
)
def test_of_node_the_second_that_it_adds_is_found_and_what_it_announces_advised(
    tmp_path, settings, idle_s, limit, announced
):
    (tmp_path / "server.js").write_text(NODE_SERVER.replace("SETTINGS", settings))
    with listening([str(NODE), "server.js"], tmp_path) as url:
        found = probe(url)
    assert is_close(found, idle_s)
    assert (found.request_limit, found.close_announced) == (limit, announced)
    assert found.announced.keep_alive.startswith(f"timeout={idle_s - 1}")
    assert found.advice.max_idle_s < idle_s - 1
    assert found.closes_with == "FIN"


def test_of_gunicorns_threads_the_idle_timeout_is_found(tmp_path):
    (tmp_path / "app.py").write_text(
        "def app(environment, start):\n"
        "    start('200 OK', [('Content-Length', '2')])\n"
        "    return [b'ok']\n"
    )
    (tmp_path / "conf.py").write_text(
        "import os\nbind = f'fd://{os.environ[\"FD\"]}'\nkeepalive = 2\n"
        "worker_class = 'gthread'\nthreads = 4\n"
    )
    start = (
        "import sys, runpy; sys.argv = ['gunicorn', '-c', 'conf.py', 'app:app'];"
        "runpy.run_module('gunicorn', run_name='__main__')"
    )
    with listening([sys.executable, "-c", start], tmp_path) as url:
        found = probe(url, most_requests=20)
    assert found.idle_timeout_s.least <= 2.1 <= found.idle_timeout_s.most + 1
    assert found.closes_with == "FIN"


def test_http_server_keeps_nothing(tmp_path):
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    handler = functools.partial(Quiet, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            found = probe(f"http://127.0.0.1:{server.server_port}/")
        finally:
            server.shutdown()
            serving.join()
    assert (found.keeps_connections, found.closes_with) == (False, "FIN")
    assert "http-1.0" in {one.finding for one in found.findings}


@needs_node
def test_a_probe_of_a_server_with_a_timeout_of_5_s_takes_less_than_12_s(tmp_path):
    (tmp_path / "server.js").write_text(NODE_SERVER.replace("SETTINGS", "{}"))
    with listening([str(NODE), "server.js"], tmp_path) as url:
        found = probe(url, budget_s=130.0)
    assert is_close(found, 6)
    assert found.seconds < 12
