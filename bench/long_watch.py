"""Whether a watched request costs more after a million of them, and how much memory that takes.

    python -m bench.long_watch [REQUESTS]      `make long-watch`

Two processes of `watched_program.py` send requests to a small server on loopback. At 1,000, 2,000,
5,000 ... requests the watch of the first takes turns with a young one in the same process, which
has counted 1,000: the cost is the median CPU time of a warm request in a block, and of all pairs of
blocks the median ratio. What keptalive executes in a warm request is counted too, in bytecodes. The
second sends as many, up to 200,000, measured by tracemalloc; the resident memory is the first
one's, since 1,000 requests. Writes docs/images/long-watch.svg and the table in docs/services.md.
"""

from __future__ import annotations

import itertools
import operator
import subprocess
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import NamedTuple

from keptalive.helper_process import HelperProcess, started

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "images" / "long-watch.svg"
PAGE = ROOT / "docs" / "services.md"
MEASURED = 200_000  # requests at most, under tracemalloc

PROGRAM = [sys.executable, str(ROOT / "bench" / "watched_program.py")]

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


class Row(NamedTuple):
    """What was found after so many requests; times in microseconds, memory in bytes."""

    requests: int
    old_us: float
    young_us: float
    times: float
    executed: tuple[int, int]
    allocated: int | None
    resident: int


def checkpoints(most: int) -> Iterator[int]:
    """1,000, 2,000, 5,000, 10,000 ... up to this number."""
    for power in itertools.count(3):
        for digit in (1, 2, 5):
            if digit * 10**power > most:
                return
            yield digit * 10**power


def rows(most: int, port: int) -> Iterator[Row]:
    """What is found after 1,000, 2,000, 5,000 ... requests; the memory comes with the last."""
    with ExitStack() as stack:
        thread = stack.enter_context(ThreadPoolExecutor(1))  # ends last: when its process has ended
        old, measured = (
            stack.enter_context(started([*PROGRAM, kind, str(port)], errors=None))
            for kind in ("old", "measured")
        )
        allocated = thread.submit(allocations, measured, min(most, MEASURED))
        first = None
        for number in passed(old, most):
            found, resident = old.command("pairs"), old.command("memory")
            first = resident if first is None else first
            yield Row(
                number,
                median(found["old"]) * 1e6,
                median(found["young"]) * 1e6,
                median(map(operator.truediv, found["old"], found["young"])),
                tuple(found["executed"]),
                None,
                resident - first,
            )
        for number, held in allocated.result():
            yield Row(number, 0, 0, 0, (0, 0), held, 0)


def allocations(measured: HelperProcess, most: int) -> list[tuple[int, int]]:
    """After how many requests Python has allocated how many bytes."""
    return [(number, measured.command("memory")) for number in passed(measured, most)]


def passed(program: HelperProcess, most: int) -> Iterator[int]:
    """Let it send 1,000 requests, then up to 2,000, 5,000 ...; how many it has sent."""
    done = 0
    for number in checkpoints(most):
        program.command("run", requests=number - done)
        done = number
        yield done


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
    main(int(sys.argv[1]) if sys.argv[1:] else 1_000_000)
