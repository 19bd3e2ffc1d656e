"""An exception of the program's own that strikes while our code runs arrives in the program.

A trace function raises it at each line of ours in turn, as a signal handler or an injected
exception might: so no moment is left to chance.
"""

from __future__ import annotations

import gc
import inspect
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
import requests
import urllib3
from requests.adapters import HTTPAdapter
from tests.marks import complete
from tests.servers.peer import Peer, Script, answers
from tests.servers.scripted import PATIENCE_S, Server

import keptalive
from keptalive.watching import connection_hooks
from keptalive.watching.api import watch

OURS = str(Path(keptalive.__file__).parent / "watching")


class OwnTimeoutError(Exception):
    """As celery's SoftTimeLimitExceeded."""


class Striker:
    """Raises at the nth line of ours that this thread comes to; remembers all lines."""

    def __init__(self, error: type[BaseException], at: int) -> None:
        self.error, self.at = error, at
        self.lines: list[tuple[str, str, int]] = []

    @property
    def struck(self) -> tuple[str, str, int] | None:
        return self.lines[self.at] if self.at < len(self.lines) else None

    def trace(self, frame: FrameType, event: str, _what: Any) -> Callable[..., Any] | None:
        if not frame.f_code.co_filename.startswith(OURS):
            return None
        if event == "line":
            code = frame.f_code
            self.lines.append((code.co_filename, code.co_name, frame.f_lineno))
            if len(self.lines) == self.at + 1:
                raise self.error("the program's own")
        return self.trace


def dies(peer: Peer) -> None:
    if peer.request():
        peer.respond()
        peer.request()


def patient(script: Script) -> Script:
    """What a struck program leaves unclosed stays so until the test's end."""

    def plays(peer: Peer) -> None:
        with suppress(TimeoutError):
            script(peer)

    return plays


def session(url: str) -> None:
    with requests.Session() as made:
        made.trust_env = False
        retries = urllib3.Retry(2, backoff_factor=0)
        made.mount("http://", HTTPAdapter(max_retries=retries, pool_maxsize=1))
        for _ in range(2):
            made.get(url, timeout=PATIENCE_S)
        made.get(url, stream=True, timeout=PATIENCE_S).close()


def pool(url: str) -> None:
    with urllib3.PoolManager() as made:
        made.request("GET", url)
        made.request("GET", url, preload_content=False).read(1)


@pytest.fixture
def reopening() -> Iterator[Server]:
    with Server(patient(dies)) as server:
        yield server


@pytest.fixture
def redirecting() -> Iterator[Server]:
    with Server(patient(answers((302, "Location: /x"), (200, "Connection: close")))) as server:
        yield server


def strike(
    program: Callable[[str], None], url: str, error: type[BaseException], at: int
) -> tuple[Striker, BaseException | None]:
    """What has arrived, on a thread of its own.

    What a trace function raises within an ``except`` block stays the exception in hand of its
    thread for good (CPython); what a signal handler raises does not.
    """
    striker, arrived = Striker(error, at), []

    def run() -> None:
        gc.disable()  # else it finalizes what earlier strikes have cut short, and loses this one
        sys.settrace(striker.trace)
        try:
            program(url)
        except error as struck:
            arrived.append(struck)
        finally:
            sys.settrace(None)
            gc.enable()

    with watch():
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
    return striker, arrived[0] if arrived else None


# requests itself swallows a RuntimeError while it reads the body of a redirect
KINDS = [OwnTimeoutError, ZeroDivisionError, SystemExit, KeyboardInterrupt]


@pytest.mark.filterwarnings("ignore")  # what it leaves behind unclosed is the program's affair
@pytest.mark.parametrize(
    ("program", "server"),
    [
        complete(session, "redirecting"),
        (pool, "reopening"),
        complete(session, "reopening"),
        complete(pool, "redirecting"),
    ],
)
def test_whatever_line_of_ours_it_strikes_it_arrives(program, server, request, monkeypatch):
    url = request.getfixturevalue(server).url
    monkeypatch.setattr(sys, "unraisablehook", lambda _: None)
    lines = strike(program, url, OwnTimeoutError, at=sys.maxsize)[0].lines
    each_line_once = sorted({line: at for at, line in enumerate(lines)}.values())
    assert len(each_line_once) > 100
    swallowed = []
    for at in each_line_once:
        striker, arrived = strike(program, url, KINDS[at % len(KINDS)], at)
        if striker.struck and arrived is None:
            swallowed.append(striker.struck[1:])
    del arrived
    gc.collect()  # what was cut short is closed here, and in no later test
    # What strikes in a finalizer is lost, with us or without: we are not there but to pass it on
    source, first = inspect.getsourcelines(connection_hooks.close)
    assert [
        line for name, line in swallowed if name != "wrapper" or not 0 <= line - first < len(source)
    ] == []
