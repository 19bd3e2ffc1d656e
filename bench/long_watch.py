"""Whether a watched request costs more after a million of them, and how much memory that takes.

    python -m bench.long_watch [REQUESTS]      `make long-watch`

A process under ``watch(window_s=3600)``, whose metrics are exported, sends requests to a small
server on loopback; among them are new Sessions and a thousand hosts. At 1,000, 2,000, 5,000 ...
requests its watch takes turns with a young one in the same process, which has counted 1,000: the
cost is the median CPU time of a warm request in a block, and of all pairs of blocks the median
ratio. Between the blocks most requests are urllib3's, which takes less time. What keptalive
executes in a warm request is counted too, in bytecodes. Another process sends as many, up to
200,000, measured by tracemalloc; the resident memory is the first one's, since 1,000 requests.
Writes docs/images/long-watch.svg and the table in docs/services.md.
"""

from __future__ import annotations

import gc
import itertools
import json
import operator
import random
import resource
import socket
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from statistics import median
from types import FrameType
from typing import Any, NamedTuple

import requests
import urllib3

from keptalive.watching.api import Watch, watch

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "images" / "long-watch.svg"
PAGE = ROOT / "docs" / "services.md"
WARM_UP, BLOCK, PAIRS = 20, 100, 20
YOUNG = 1000  # requests
MEASURED = 200_000  # requests at most, under tracemalloc
NEW_SESSION, OTHER_HOST, HOSTS = 200, 1000, 1000  # each so many requests; so many names

SERVER = """
import socket, threading
listener = socket.create_server(("127.0.0.1", 0), backlog=128)
print(listener.getsockname()[1], flush=True)
def serve(sock):
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while sock.recv(65536):
        sock.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok")
    sock.close()
while True:
    sock, _ = listener.accept()
    threading.Thread(target=serve, args=(sock,), daemon=True).start()
"""


# -- In a process that sends requests --------------------------------------------------------------


def send(kind: str, port: int) -> None:
    """Obey lines of standard input: ``run N`` sends so many; ``pairs`` and ``memory`` answer."""
    seen = _watched()
    if kind == "measured":
        tracemalloc.start()
    found = socket.getaddrinfo
    socket.getaddrinfo = lambda _host, *rest, **more: found("127.0.0.1", *rest, **more)
    session = requests.Session()
    session.trust_env = False
    get, number, url = _getter(port), itertools.count(1), f"http://api.test:{port}/"
    for line in sys.stdin:
        what, *rest = line.split()
        if what == "run":
            for _ in range(int(rest[0])):
                get(next(number))
            answer: object = None
        elif what == "pairs":
            answer = _pairs(lambda: session.get(url), seen)
        else:
            answer = _memory(seen, is_traced=kind == "measured")
        print(json.dumps(answer), flush=True)


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


# -- The parent ------------------------------------------------------------------------------------


class Row(NamedTuple):
    """What was found after so many requests; times in microseconds, memory in bytes."""

    requests: int
    old_us: float
    young_us: float
    times: float
    executed: tuple[int, int]
    allocated: int | None
    resident: int


class Sender:
    """A process that sends requests."""

    def __init__(self, kind: str, port: int) -> None:
        command = [sys.executable, "-m", "bench.long_watch", "--send", kind, str(port)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self.process = subprocess.Popen(command, text=True, cwd=ROOT, **pipes)  # type: ignore[call-overload]

    def __enter__(self) -> Sender:
        return self

    def __exit__(self, *_error: object) -> None:
        self.process.stdin.close()
        self.process.wait()

    def ask(self, line: str) -> None:
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def answer(self) -> Any:
        return json.loads(self.process.stdout.readline())

    def do(self, line: str) -> Any:
        self.ask(line)
        return self.answer()


def checkpoints(most: int) -> Iterator[int]:
    """1,000, 2,000, 5,000, 10,000 ... up to this number."""
    for power in itertools.count(3):
        for digit in (1, 2, 5):
            if digit * 10**power > most:
                return
            yield digit * 10**power


def rows(most: int, port: int) -> Iterator[Row]:
    """What is found after 1,000, 2,000, 5,000 ... requests; the memory comes with the last."""
    with Sender("old", port) as old, Sender("measured", port) as measured:
        done, first = 0, 0
        for number in checkpoints(min(most, MEASURED)):
            measured.ask(f"run {number - done}")
            measured.ask("memory")
            done = number
        done = 0
        for number in checkpoints(most):
            old.do(f"run {number - done}")
            done = number
            found, resident = old.do("pairs"), old.do("memory")
            first = first or resident
            yield Row(
                number,
                median(found["old"]) * 1e6,
                median(found["young"]) * 1e6,
                median(map(operator.truediv, found["old"], found["young"])),
                tuple(found["executed"]),
                None,
                resident - first,
            )
        for number in checkpoints(min(most, MEASURED)):
            measured.answer()
            yield Row(number, 0, 0, 0, (0, 0), measured.answer(), 0)


def table(found: Iterable[Row]) -> str:
    """The table for docs/services.md."""
    names = (
        "| requests | a request | with a young watch | ratio | bytecodes | allocated | resident |"
    )
    lines = [names, "|---:|---:|---:|---:|---:|---:|---:|"]
    for one in found:
        allocated = "–" if one.allocated is None else f"{one.allocated / 2**20:.1f} MiB"
        lines.append(
            f"| {one.requests:,} | {one.old_us:.0f} µs | {one.young_us:.0f} µs | {one.times:.3f} "
            f"| {one.executed[0]} ({one.executed[1]}) | {allocated} "
            f"| {one.resident / 2**20:+.1f} MiB |"
        )
    return "\n".join(lines) + "\n"


def joined(found: Iterable[Row]) -> list[Row]:
    """One row for each number of requests."""
    rows: dict[int, Row] = {}
    for one in found:
        known = rows.setdefault(one.requests, one)
        rows[one.requests] = known._replace(allocated=known.allocated or one.allocated)
    return list(rows.values())


def picture(found: Iterable[Row]) -> str:
    """The plot for docs/services.md."""
    from bench.line_plot import plot

    times = [(one.requests, one.old_us, one.young_us) for one in found]
    return plot(
        "CPU time of one warm request, after so many requests under watch",
        {
            "a watch that has counted so many": [(number, old) for number, old, _ in times],
            "a young watch, by turns": [(number, young) for number, _, young in times],
        },
        unit="µs",
    )


def main(most: int) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            port = int(server.stdout.readline())
            found = []
            for row in rows(most, port):
                if row.allocated is None:
                    print(table([row]).splitlines()[-1], flush=True)
                found.append(row)
        finally:
            server.kill()
    found = joined(found)
    PICTURE.write_text(picture(found))
    before, _, rest = PAGE.read_text().partition("<!-- long-watch: made by make long-watch -->\n")
    after = rest.partition("<!-- end -->\n")[2]
    mark = "<!-- long-watch: made by make long-watch -->\n"
    PAGE.write_text(f"{before}{mark}{table(found)}<!-- end -->\n{after}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--send"]:
        send(sys.argv[2], int(sys.argv[3]))
    else:
        main(int(sys.argv[1]) if sys.argv[1:] else 1_000_000)
