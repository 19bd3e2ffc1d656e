"""The program of `long_watch.py`, in a process of its own: ``watched_program.py KIND PORT``.

Under ``watch(window_s=3600)``, whose metrics are exported, it sends the requests that the commands
on standard input ask for; each line, of JSON, is answered with one. Among the requests are new
Sessions and a thousand hosts; most are urllib3's, which takes less time. KIND is "measured" (by
tracemalloc) or "old".
"""

from __future__ import annotations

import gc
import itertools
import json
import random
import resource
import socket
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from statistics import median
from types import FrameType
from typing import Any

import requests
import urllib3

from keptalive.watching.api import Watch, watch

WARM_UP, BLOCK, PAIRS = 20, 100, 20
YOUNG = 1000  # requests
NEW_SESSION, OTHER_HOST, HOSTS = 200, 1000, 1000  # each so many requests; so many names


def send(kind: str, port: int) -> None:
    """Carry out commands: ``run`` sends so many ``requests``; ``pairs`` and ``memory`` measure."""
    seen = _watched()
    if kind == "measured":
        tracemalloc.start()
    found = socket.getaddrinfo
    socket.getaddrinfo = lambda _host, *rest, **more: found("127.0.0.1", *rest, **more)
    session = requests.Session()
    session.trust_env = False
    get, number, url = _getter(port), itertools.count(1), f"http://api.test:{port}/"
    for line in sys.stdin:
        command = json.loads(line)
        if command["command"] == "run":
            for _ in range(command["requests"]):
                get(next(number))
            result: object = None
        elif command["command"] == "pairs":
            result = _pairs(lambda: session.get(url), seen)
        else:
            result = _memory(seen, is_traced=kind == "measured")
        print(json.dumps({"id": command["id"], "result": result}), flush=True)


def _watched() -> Watch:
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader

    from keptalive.otel import export

    seen, reader = watch(window_s=3600).start(), InMemoryMetricReader()
    export(seen, meter_provider=MeterProvider([reader], shutdown_on_exit=False))
    return seen


def _getter(port: int) -> Callable[[int], None]:
    pools, chance, url = urllib3.PoolManager(), random.Random(1), f"http://api.test:{port}/"

    def get(number: int) -> None:
        if number % OTHER_HOST == 0:
            with requests.Session() as own:
                own.trust_env = False
                own.get(f"http://h{chance.randrange(HOSTS)}.test:{port}/").close()
        elif number % NEW_SESSION == 0:
            with requests.Session() as own:
                own.trust_env = False
                own.get(url).close()
        else:
            pools.request("GET", url)

    return get


def _pairs(get: Callable[[], object], seen: Watch) -> dict[str, list[float]]:
    """What a warm request costs with this watch, and with a young one in its place."""
    young = watch(window_s=3600).start()
    observer = seen._has_begun()  # noqa: SLF001 - who listens is no business of programs
    recorders = seen._recorder, young._recorder  # noqa: SLF001
    both = observer.recorders
    found: dict[str, list[float]] = {"old": [], "young": [], "executed": []}
    observer.recorders = recorders[1:]
    for _ in range(YOUNG):
        get()
    for turn in range(PAIRS):
        for which in (0, 1) if turn % 2 else (1, 0):
            observer.recorders = (recorders[which],)
            found["young" if which else "old"].append(_block(get))
    for recorder in recorders:
        observer.recorders = (recorder,)
        get()
        found["executed"].append(_executed(get))
    observer.recorders = both
    young.stop()
    return found


def _block(get: Callable[[], object]) -> float:
    """CPU seconds of the median request."""
    took = []
    gc.collect()
    for _ in range(WARM_UP):
        get()
    for _ in range(BLOCK):
        began = time.thread_time()
        get()
        took.append(time.thread_time() - began)
    return median(took)


def _executed(get: Callable[[], object]) -> int:
    """The bytecodes that keptalive executes in one request."""
    count = 0

    def trace(frame: FrameType, event: str, _argument: object) -> Any:
        nonlocal count
        if event == "call":
            if not frame.f_globals.get("__name__", "").startswith("keptalive"):
                return None
            frame.f_trace_opcodes, frame.f_trace_lines = True, False
        count += event == "opcode"
        return trace

    sys.settrace(trace)
    try:
        get()
    finally:
        sys.settrace(None)
    return count


def _memory(seen: Watch, *, is_traced: bool) -> int:
    """Bytes that Python has allocated now, or that are resident, after a report."""
    seen.report()
    gc.collect()
    if is_traced:
        return tracemalloc.get_traced_memory()[0]
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


if __name__ == "__main__":
    send(sys.argv[1], int(sys.argv[2]))
