"""Whether a watched request costs more after a million of them, and how much memory that takes.

    python -m bench.long_watch [REQUESTS]      `make long-watch`

Processes under ``watch(window_s=3600)``, whose metrics are exported, send requests to a small
server on loopback; among them are new Sessions and a thousand hosts. At 1,000, 2,000, 5,000 ...
requests one of them takes turns with a young one, which has sent 1,000, in blocks of warm requests:
the cost is the median CPU time of a request, and of all pairs of blocks the median ratio. Between
the blocks most requests are urllib3's, which takes less time. Another process sends as many, up to
200,000, measured by tracemalloc; the resident memory is the first one's, since 1,000 requests.
Writes docs/images/long-watch.svg and the table in docs/services.md.
"""

from __future__ import annotations

import gc
import itertools
import json
import random
import resource
import socket
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import NamedTuple

import requests
import urllib3

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
    """Obey lines of standard input: ``run N`` sends so many, ``block`` times some."""
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
        elif what == "block":
            answer = _block(lambda: session.get(url))
            number = itertools.count(next(number) + WARM_UP + BLOCK)
        else:
            answer = _memory(seen, is_traced=kind == "measured")
        print(json.dumps(answer), flush=True)


def _watched() -> object:
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader

    from keptalive import watch
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


def _block(get: Callable[[], None]) -> float:
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


def _memory(seen: object, *, is_traced: bool) -> int:
    """Bytes that Python has allocated now, or that are resident, after a report."""
    seen.report()  # type: ignore[attr-defined]
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

    def answer(self) -> float:
        return json.loads(self.process.stdout.readline())  # type: ignore[no-any-return]

    def do(self, line: str) -> float:
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
    """What is found after 1,000, 2,000, 5,000 ... requests."""
    with Sender("old", port) as old, Sender("measured", port) as measured:
        done, first = {old: 0, measured: 0}, 0
        for number in checkpoints(most):
            senders = [old, measured] if number <= MEASURED else [old]
            for sender in senders:  # at once: what they cost meanwhile is not timed
                sender.ask(f"run {max(0, number - done[sender])}")
            for sender in senders:
                sender.answer()
            with Sender("young", port) as young:
                young.do(f"run {YOUNG}")
                pairs = [_pair(old, young, turn) for turn in range(PAIRS)]
            done[old], done[measured] = number + PAIRS * (WARM_UP + BLOCK), number
            resident = int(old.do("memory"))
            first = first or resident
            yield Row(
                number,
                median(one for one, _ in pairs) * 1e6,
                median(other for _, other in pairs) * 1e6,
                median(one / other for one, other in pairs),
                int(measured.do("memory")) if measured in senders else None,
                resident - first,
            )


def _pair(old: Sender, young: Sender, turn: int) -> tuple[float, float]:
    took = {sender: sender.do("block") for sender in ((old, young) if turn % 2 else (young, old))}
    return took[old], took[young]


def table(found: list[Row]) -> str:
    """The table for docs/services.md."""
    names = "| requests | a request | in a young process | ratio | allocated | resident |"
    lines = [names, "|---:|---:|---:|---:|---:|---:|"]
    for one in found:
        allocated = "–" if one.allocated is None else f"{one.allocated / 2**20:.1f} MiB"
        lines.append(
            f"| {one.requests:,} | {one.old_us:.0f} µs | {one.young_us:.0f} µs | {one.times:.3f} "
            f"| {allocated} | {one.resident / 2**20:+.1f} MiB |"
        )
    return "\n".join(lines) + "\n"


def main(most: int) -> None:
    from bench.line_plot import plot

    with subprocess.Popen(
        [sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            port = int(server.stdout.readline())
            found = []
            for row in rows(most, port):
                print(table([row]).splitlines()[-1], flush=True)
                found.append(row)
        finally:
            server.kill()
    PICTURE.write_text(
        plot(
            "CPU time of one warm request under watch",
            {
                "after so many requests": [(one.requests, one.old_us) for one in found],
                "after 1,000, at the same time": [(one.requests, one.young_us) for one in found],
            },
            unit="µs",
        )
    )
    before, _, rest = PAGE.read_text().partition("<!-- long-watch: made by make long-watch -->\n")
    after = rest.partition("<!-- end -->\n")[2]
    mark = "<!-- long-watch: made by make long-watch -->\n"
    PAGE.write_text(f"{before}{mark}{table(found)}<!-- end -->\n{after}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--send"]:
        send(sys.argv[2], int(sys.argv[3]))
    else:
        main(int(sys.argv[1]) if sys.argv[1:] else 1_000_000)
