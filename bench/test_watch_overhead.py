"""What watch() costs a warm request on loopback, and a process that asks for a long time.

Blocks of requests with and without a watch take turns, each pair in the other order than the last.
Entering and leaving replaces functions, which the interpreter has to adapt to anew: a block begins
with requests that do not count. What a block costs is its median request, by the CPU time of the
asking thread: what else a busy machine does in between counts in few of them. The wall time stands
beside it. Where no watch is active nothing is wrapped, by identity.
"""

from __future__ import annotations

import gc
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from statistics import median

import pytest
import requests
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from rich.progress import track

from keptalive import tuned_session
from keptalive.lookalike.process import Lookalike
from keptalive.otel import export
from keptalive.stats.intervals import median_interval
from keptalive.watching.api import Watch, watch
from keptalive.watching.hooks import PLACES

PAIRS = 40
BLOCK = 150
WARM_UP = 50
MOST_EXPORTED = 1.01  # times a request under a plain watch
# Times a request without watch: without a timeline, with one. What is added is the same for each,
# some 15 and 25 us; the tuned Session's own requests take about half as long.
MOST = {
    (requests.Session, "https"): (1.03, 1.06),
    (requests.Session, "http"): (1.05, 1.08),
    (tuned_session, "https"): (1.05, 1.09),
    (tuned_session, "http"): (1.07, 1.12),
}

LONG = int(os.environ.get("KEPTALIVE_SOAK", "200000"))
MOST_GROWTH_MIB = 32.0  # in a million requests

# As small as a keep-alive server can be: it answers each read, and reads requests whole
SERVER = """
import socket
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
while True:
    sock, _ = listener.accept()
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while sock.recv(65536):
        sock.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok")
"""

Get = Callable[[], object]


@pytest.fixture(scope="module")
def lookalike() -> Iterator[Lookalike]:
    with Lookalike.start(["keep-alive"]) as running:
        yield running


def block(
    get: Get, *, watched: bool, timeline: bool = False, exports: bool = False
) -> tuple[float, float]:
    """Seconds of the median request: of wall time, and of this thread's CPU time."""
    wall, cpu = [], []
    with _watch(timeline=timeline, exports=exports) if watched else nullcontext():
        for _ in range(WARM_UP):
            get()
        gc.collect()
        for _ in range(BLOCK):
            began, cpu_began = time.perf_counter(), time.thread_time()
            get()
            cpu.append(time.thread_time() - cpu_began)
            wall.append(time.perf_counter() - began)
    return median(wall), median(cpu)


def _watch(*, timeline: bool, exports: bool) -> Watch:
    if not exports:
        return watch(timeline=timeline)
    seen = watch(window_s=3600).start()
    export(seen, meter_provider=MeterProvider([InMemoryMetricReader()], shutdown_on_exit=False))
    return seen


@pytest.fixture(scope="module")
def plain() -> Iterator[str]:
    """As small a server as can be, over plain http."""
    server = subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        yield f"http://127.0.0.1:{int(server.stdout.readline())}/"
    finally:
        server.kill()
        server.communicate()


@pytest.mark.parametrize("timeline", [False, True], ids=["", "timeline"])
@pytest.mark.parametrize("scheme", ["https", "http"])
@pytest.mark.parametrize("make", [requests.Session, tuned_session])
def test_a_warm_request_under_watch_costs_a_few_percent_more_at_most(
    benchmark, lookalike, plain, make, scheme, timeline
):
    with make() as session:
        session.trust_env, session.verify = False, str(lookalike.ca_bundle)
        session.headers["Authorization"] = f"token {lookalike.token}"
        url = f"{lookalike.url('keep-alive')}/user" if scheme == "https" else plain

        def get() -> object:
            return session.get(url)

        block(get, watched=False)
        pairs = []
        for number in range(PAIRS):
            order = (False, True) if number % 2 else (True, False)
            found = {watched: block(get, watched=watched, timeline=timeline) for watched in order}
            pairs.append((found[True], found[False]))
        with watch(timeline=timeline):
            benchmark(get)
    wall = median(watched[0] / unwatched[0] for watched, unwatched in pairs)
    cpu = median(watched[1] / unwatched[1] for watched, unwatched in pairs)
    benchmark.extra_info |= {
        "wall_times_unwatched": wall,
        "cpu_times_unwatched": cpu,
        "cpu_us_more": median(watched[1] - unwatched[1] for watched, unwatched in pairs) * 1e6,
        "cpu_us_unwatched": median(unwatched[1] for _, unwatched in pairs) * 1e6,
    }
    assert cpu <= MOST[make, scheme][timeline]


def test_a_window_and_metrics_cost_a_warm_request_nothing_more(benchmark, plain):
    with requests.Session() as session:
        session.trust_env = False

        def get() -> object:
            return session.get(plain)

        block(get, watched=True)
        pairs = []
        for number in range(2 * PAIRS):
            order = (False, True) if number % 2 else (True, False)
            found = {exports: block(get, watched=True, exports=exports) for exports in order}
            pairs.append(found[True][1] / found[False][1])
        with watch(window_s=3600):
            benchmark(get)
    interval = median_interval(pairs)
    print("CPU time with a window and metrics, in times that of a plain watch:", interval)
    benchmark.extra_info |= {
        "cpu_times_watched": interval.median,
        "low": interval.low,
        "high": interval.high,
    }
    assert (interval.low or 0) <= MOST_EXPORTED


def test_without_a_watch_nothing_is_wrapped(benchmark):
    before = [getattr(owner, name) for owner, name, _ in PLACES]

    @benchmark
    def _enter_and_leave() -> None:
        with watch():
            pass

    after = [getattr(owner, name) for owner, name, _ in PLACES]
    assert all(a is b for a, b in zip(before, after, strict=True))


def resident_mib() -> float:
    """What the process has in memory now; the most it ever had, where the system tells no more."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * resource.getpagesize() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # bytes on macOS


def test_a_process_that_asks_for_long_does_not_grow(benchmark, plain):
    with requests.Session() as session, watch() as watched:
        session.trust_env = False
        for _ in range(2000):
            session.get(plain)
        gc.collect()
        before = resident_mib()
        for _ in track(range(100), "requests", auto_refresh=False):
            for _ in range(LONG // 100):
                session.get(plain)
        gc.collect()
        growth = resident_mib() - before
        benchmark(lambda: session.get(plain))
        assert watched.opened == 1
        assert watched.reused >= LONG // 100 * 100
    in_a_million = growth / LONG * 1e6
    print(f"{LONG} requests: {growth:.1f} MiB more, {in_a_million:.1f} in a million")
    benchmark.extra_info |= {
        "requests": LONG,
        "growth_mib": growth,
        "growth_mib_in_a_million": in_a_million,
    }
    assert in_a_million <= MOST_GROWTH_MIB
