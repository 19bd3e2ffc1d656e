"""Results, errors, logs and warnings of a watched program are what they were."""

from __future__ import annotations

import logging
import socket
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
import urllib3
from requests.adapters import HTTPAdapter
from tests.servers.peer import answers
from tests.servers.pki import Trusted
from tests.servers.scripted import PATIENCE_S, Server
from tests.servers.scripts import hangs_up, never_answers

from keptalive import tuned_session
from keptalive.watching.api import watch

from .state import unwatched


def no_such_host(*_args: Any, **_named: Any) -> Any:
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def failing(
    kind: str,
    serve: Callable[..., Server],
    trusted: Trusted,
    refusing: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[], Any]:
    """A request that fails in this way."""
    if kind == "refused":
        return lambda: requests.get(refusing, timeout=PATIENCE_S)
    if kind == "no such host":
        monkeypatch.setattr(socket, "getaddrinfo", no_such_host)  # the network may say it or not
        return lambda: requests.get("http://nowhere.invalid/", timeout=PATIENCE_S)
    if kind == "bad url":
        return lambda: requests.get("http://")
    if kind == "untrusted":
        server = serve(tls=trusted.server)
        return lambda: requests.get(server.url, timeout=PATIENCE_S)
    if kind == "timeout":
        server = serve(never_answers)
        return lambda: requests.get(server.url, timeout=0.05)
    if kind == "hung up":
        server = serve(hangs_up)
        return lambda: requests.get(server.url, timeout=PATIENCE_S)
    if kind == "urllib3":
        server = serve(hangs_up)
        pools = urllib3.PoolManager(retries=False)
        return lambda: pools.request("GET", server.url)
    server = serve(answers((302, "Location: /")))
    return lambda: requests.get(server.url)


def told(error: BaseException | None) -> list[Any]:
    """Types and arguments of an error and of all that it came from, without addresses."""
    chain: list[Any] = []
    while error is not None and len(chain) < 20:
        chain.append((type(error), len(error.args), str(error).split(" at 0x")[0]))
        chain.append((error.__suppress_context__, type(error.__cause__)))
        error = error.__cause__ or error.__context__
    return chain


@pytest.mark.parametrize(
    "kind",
    [
        "refused",
        "no such host",
        "bad url",
        "untrusted",
        "timeout",
        "hung up",
        "urllib3",
        "too many redirects",
    ],
)
def test_errors_are_the_same(kind, serve, trusted, refusing, monkeypatch):
    fails = failing(kind, serve, trusted, refusing, monkeypatch)
    errors = []
    for watching in (unwatched, watch, unwatched):
        with watching(), pytest.raises(Exception) as caught:  # noqa: PT011 - any, and compared
            fails()
        errors.append(told(caught.value))
    assert errors[0] == errors[1] == errors[2]


@pytest.mark.filterwarnings("ignore")
def test_results_are_the_same(serve):
    script = answers((200, "Set-Cookie: a=b", "X: 1"), (404,), (302, "Location: /y"), (200,))
    seen = []
    for watching in (unwatched, watch):
        server = serve(script)
        with watching(), requests.Session() as session:
            for _ in range(3):
                response = session.get(f"{server.url}x")
                seen.append(
                    (
                        response.status_code,
                        response.content,
                        dict(response.headers),
                        len(response.history),
                        dict(response.cookies),
                        type(response.raw),
                    )
                )
    assert seen[:3] == seen[3:]


def test_logs_are_the_same_and_so_are_their_levels(serve, caplog):
    logger = logging.getLogger("urllib3")
    levels = [logger.level, logging.getLogger("urllib3.connectionpool").level]
    lines = []
    for watching in (unwatched, watch):
        server = serve(answers((200, "Connection: close")))
        caplog.clear()
        with caplog.at_level(logging.DEBUG), watching():
            with tuned_session() as session:
                for _ in range(2):
                    session.get(server.url)
        lines.append(
            [(r.name, r.levelno, r.funcName, r.lineno, r.pathname, r.msg) for r in caplog.records]
        )
    assert lines[0] == lines[1] != []
    assert [logger.level, logging.getLogger("urllib3.connectionpool").level] == levels


def test_warnings_are_the_same_and_come_from_the_same_lines(serve, trusted):
    def warned() -> list[tuple[Any, ...]]:
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            with requests.Session() as session:
                session.get(server.url, verify=False)
                response = session.get(server.url, verify=False, stream=True)
                response.raw.getheaders()
        return [(w.category, str(w.message), w.filename, w.lineno) for w in heard]

    server = serve(tls=trusted.server)
    before = warned()
    with watch():
        within = warned()
    assert before == within != []


def test_a_warning_of_an_adapter_that_names_its_caller_names_the_same(serve):
    class Warns(HTTPAdapter):
        def send(self, *args: Any, **named: Any) -> requests.Response:
            warnings.warn("from the adapter", UserWarning, stacklevel=2)
            return super().send(*args, **named)

    server = serve()
    files = []
    for watching in (unwatched, watch):
        with watching(), requests.Session() as session:
            session.mount("http://", Warns())
            with pytest.warns(UserWarning, match="from the adapter") as heard:
                session.get(server.url)
        files.append([(w.filename, w.lineno) for w in heard])
    assert files[0] == files[1]
    assert Path(files[0][0][0]).name == "sessions.py"


def test_keyboard_interrupt_passes(serve):
    class Interrupts(HTTPAdapter):
        def send(self, *_args: Any, **_named: Any) -> requests.Response:
            raise KeyboardInterrupt

    server = serve()
    with watch() as watched, requests.Session() as session:
        session.mount("http://127.0.0.2", Interrupts())
        with pytest.raises(KeyboardInterrupt):
            session.get("http://127.0.0.2/")
        session.get(server.url)
    assert watched.opened == 1
    assert watched.report()["warnings"] == []
