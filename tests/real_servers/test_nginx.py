"""The counts against nginx, which counts what it accepts by itself (its stub_status module)."""

from __future__ import annotations

import functools
import http.client
import re
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import trustme
from tests.real_servers.counted import counts_of, of_a_trial, opened

from keptalive.bench.strategies import Fresh

PATIENCE_S = 10.0
REQUESTS = 8  # of one trial
TARGETS = {"requests": ("/user", "/user/repos?per_page=2"), "repeats": REQUESTS // 2}
PREFLIGHT = 1  # connection, before anything is measured
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")

pytestmark = [
    pytest.mark.complete,
    pytest.mark.skipif(NGINX is None, reason="nginx is not installed"),
]

CONFIGURATION = """
daemon off;
master_process off;
pid {directory}/nginx.pid;
error_log stderr notice;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    default_type application/json;
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {directory}/server.pem;
        ssl_certificate_key {directory}/server.pem;
        {settings}
        location / {{ root {directory}/files; try_files $uri.json =404; }}
    }}
    server {{
        listen 127.0.0.1:{status_port};
        location = /status {{ stub_status; }}
    }}
}}
"""


class Nginx:
    """A running nginx, and how many connections its TLS port has accepted."""

    def __init__(self, port: int, status_port: int, ca_bundle: Path) -> None:
        self.url = f"https://127.0.0.1:{port}"
        self.ca_bundle = ca_bundle
        self._status_port = status_port
        self._queries = 0

    def accepted(self) -> int:
        """All that it has accepted, less the connections that asked this: this one is the last."""
        self._queries += 1
        connection = http.client.HTTPConnection("127.0.0.1", self._status_port, timeout=PATIENCE_S)
        try:
            connection.request("GET", "/status", headers={"Connection": "close"})
            page = connection.getresponse().read().decode()
        finally:
            connection.close()
        numbers = re.search(r"accepts handled requests\s+(\d+) (\d+) \d+", page)
        assert numbers is not None, page
        assert numbers[1] == numbers[2], "nginx dropped connections that it had accepted"
        return int(numbers[1]) - self._queries


@contextmanager
def running(directory: Path, settings: str) -> Iterator[Nginx]:
    ca_bundle = directory / "ca.pem"
    authority = trustme.CA()
    authority.cert_pem.write_to_path(ca_bundle)
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_and_cert_chain_pem.write_to_path(directory / "server.pem")
    (directory / "files" / "user").mkdir(parents=True)
    (directory / "files" / "user.json").write_text('{"login": "somebody"}')
    (directory / "files" / "user" / "repos.json").write_text('[{"id": 1}, {"id": 2}]')
    port, status_port = two_free_ports()
    configuration = directory / "nginx.conf"
    configuration.write_text(
        CONFIGURATION.format(
            directory=directory, port=port, status_port=status_port, settings=settings
        )
    )
    child = subprocess.Popen(
        [NGINX, "-p", directory, "-e", "stderr", "-c", configuration],
        stderr=subprocess.PIPE,
        text=True,
    )
    with child:
        said = until_it_listens(child)
        try:
            yield Nginx(port, status_port, ca_bundle)
        finally:
            child.terminate()
            code = child.wait(PATIENCE_S)
            said += child.stderr.readlines()
    assert (code, [line for line in said if "[notice]" not in line]) == (0, [])


def two_free_ports() -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(2)]
        return [one.getsockname()[1] for one in sockets]


def until_it_listens(child: subprocess.Popen[str]) -> list[str]:
    """What nginx says up to the line that it writes once its ports are open."""
    said = []
    for line in child.stderr:
        said.append(line)
        if 'using the "' in line:
            return said
    pytest.fail(f"nginx did not start: {said}")


@pytest.fixture
def serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Nginx]]:
    with ExitStack() as stack:

        def start(settings: str) -> Nginx:
            nginx = stack.enter_context(running(tmp_path, settings))
            monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(nginx.ca_bundle))
            return nginx

        yield start


counts = functools.partial(counts_of, REQUESTS)


@pytest.mark.parametrize("auth", ["none", "bearer"])
def test_nginx_accepts_one_connection_of_a_session_and_one_for_each_requests_get(
    serve, run_against, auth
):
    nginx = serve("")
    run = run_against(nginx.url, auth=auth, **TARGETS)
    assert run.ended == "rounds"
    assert of_a_trial(run) == {
        "fresh": counts(opened=REQUESTS),
        "session": counts(opened=1),
        "tuned": counts(opened=1),
    }
    assert nginx.accepted() == opened(run) + PREFLIGHT


@pytest.mark.parametrize(
    ("settings", "opened_by_a_session"),
    [("keepalive_requests 3;", 3), ("keepalive_timeout 0;", REQUESTS)],
)
def test_where_nginx_announces_the_end_a_session_reopens_and_the_counts_are_equal(
    serve, run_against, settings, opened_by_a_session
):
    nginx = serve(settings)
    run = run_against(nginx.url, **TARGETS)
    of_a_session = counts(opened=opened_by_a_session, reopened=opened_by_a_session - 1)
    assert run.ended == "rounds"
    assert of_a_trial(run) == {
        "fresh": counts(opened=REQUESTS),
        "session": of_a_session,
        "tuned": of_a_session,
    }
    assert nginx.accepted() == opened(run) + PREFLIGHT


def test_where_nginx_closes_idle_connections_a_session_reopens_each_time(
    serve, run_against, patient
):
    nginx = serve("keepalive_timeout 20ms;")
    run = run_against(nginx.url, strategies={"fresh": Fresh, **patient(every=1)}, **TARGETS)
    of_a_session = counts(opened=REQUESTS, reopened=REQUESTS - 1)
    assert run.ended == "rounds"
    assert of_a_trial(run) == {
        "fresh": counts(opened=REQUESTS),
        "session": of_a_session,
        "tuned": of_a_session,
    }
    assert nginx.accepted() == opened(run) + PREFLIGHT
