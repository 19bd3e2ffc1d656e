"""Starts the server of a set-up in a folder of its own, and reads what it has counted."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme

from .setup import Place, Setup

PATIENCE_S = 20.0
_STEP_S = 0.02
_PORTS = range(15_000, 32_000)  # below those that a system gives to clients


class Running:
    """A server that listens.

    Attributes:
        url: of a page that answers GET and POST.
        port: where it listens.
        bundle: a CA bundle for its certificate; None without TLS.
    """

    def __init__(self, setup: Setup, place: Place, bundle: Path | None) -> None:
        self.setup = setup
        self.port = place.port
        self.bundle = bundle
        self.url = f"{setup.scheme}://127.0.0.1:{place.port}/user"
        self._log = place.log
        self._lines: list[str] = []

    def responses(self) -> list[int]:
        """How many came on each connection with any; known once the server has ended."""
        counted = Counter(line.split()[0] for line in self._lines)
        return list(counted.values())

    def numbers(self) -> list[tuple[int, ...]]:
        """The numbers of each line of its log, once it has ended."""
        return [tuple(map(int, line.split())) for line in self._lines]

    def read_log(self) -> None:
        """The server has ended: no more lines will come."""
        lines = self._log.read_text().splitlines()
        self._lines = [line for line in lines if line[:1].isdigit()]  # HAProxy says there: stopping


@contextmanager
def running(setup: Setup) -> Iterator[Running]:
    """This server, from when it listens; skip the test if it is not installed."""
    why = setup.server.missing()
    if why is not None:
        pytest.skip(why)
    with tempfile.TemporaryDirectory(prefix="keptalive-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # some serve as another user
        (folder / "files").mkdir()
        (folder / "files" / "user").write_text("{}")
        certificate, bundle = _certificate(folder) if setup.tls else (None, None)
        log = folder / "requests.log"
        place = Place(folder=folder, port=_free_port(), certificate=certificate, log=log)
        with _started(setup, place):
            server = Running(setup, place, bundle)
            yield server
        server.read_log()


@contextmanager
def _started(setup: Setup, place: Place) -> Iterator[None]:
    command = setup.server.command(place, setup.settings)
    said = place.folder / "said.txt"
    with said.open("w") as errors, place.log.open("a") as log:
        child = subprocess.Popen(
            command,
            cwd=place.folder,
            env={**os.environ, **setup.server.variables(place)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=errors,
            start_new_session=True,
        )
        try:
            _until_it_listens(child, place.port, said)
            yield
        finally:
            child.send_signal(setup.server.stop)
            try:
                child.wait(PATIENCE_S)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(child.pid, signal.SIGKILL)  # whatever it has left behind
                child.wait()


def _until_it_listens(child: subprocess.Popen[bytes], port: int, said: Path) -> None:
    for _ in range(round(PATIENCE_S / _STEP_S)):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(_STEP_S)
            break
    pytest.fail(f"{child.args} did not start: {said.read_text()}")


def _free_port() -> int:
    for _ in range(100):
        port = random.choice(_ports_of_this_worker())
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    pytest.fail("no port is free")


def _ports_of_this_worker() -> range:
    """No other process of pytest-xdist takes the port between our look at it and the server's."""
    number = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    return _PORTS[int(number) :: int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))]


def _certificate(folder: Path) -> tuple[Path, Path]:
    authority, pem, bundle = trustme.CA(), folder / "server.pem", folder / "ca.pem"
    authority.cert_pem.write_to_path(bundle)
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_and_cert_chain_pem.write_to_path(pem)
    return pem, bundle
