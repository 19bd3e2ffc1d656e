"""The clients of `peers.py` side by side: ``make side-by-side`` (two minutes).

It prints what each pays for a warm request and for one that must reopen its connection: wall time,
the client's own CPU time, and this as a multiple of that of a Session, or of the tuned Session.

The look-alike closes after each response, unannounced, or never. Each client has a process for
either, with nobody else in it. A round is a block of requests from each process, in random order;
what is compared is paired within a round, so that a machine that is slow for a while is slow for
all. The server's share of the work is in everybody's wall time, and in nobody's CPU time.
"""

from __future__ import annotations

import random
import statistics
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from bench.peers import PEERS

from keptalive.bench.influences import neutral
from keptalive.helper_process import HelperProcess, started
from keptalive.lookalike.process import Lookalike
from keptalive.records.run import Interval
from keptalive.stats.intervals import median_interval

REOPENING, WARM = "request-limit=1", "keep-alive"
BLOCKS = {REOPENING: 10, WARM: 40}  # requests
ROUNDS = 60
PATH = "/user"

ROOT = Path(__file__).parent.parent
OTHER_ENVIRONMENTS = {"niquests": ".venv-niquests"}


class Cost(NamedTuple):
    """What one request has cost, the mean of a block."""

    seconds: float
    cpu_seconds: float
    opened: float
    """Connections, as the server counts them."""

    def __sub__(self, other: Cost) -> Cost:
        return Cost(*(mine - its for mine, its in zip(self, other, strict=True)))


@dataclass(frozen=True, slots=True)
class Measured:
    """A client's costs, round by round."""

    version: str
    tls: str
    blocks: Mapping[str, list[Cost]] = field(default_factory=lambda: {REOPENING: [], WARM: []})

    def costs(self, part: str) -> list[Cost]:
        """One for each round: of a "reopened" request, of a "warm" one, or of "reopening" alone."""
        if part == "reopening":
            pairs = zip(self.blocks[REOPENING], self.blocks[WARM], strict=True)
            return [reopened - warm for reopened, warm in pairs]
        return self.blocks[{"reopened": REOPENING, "warm": WARM}[part]]

    def median(self, part: str, kind: str) -> float:
        """The median of a part's "seconds", "cpu_seconds" or "opened"."""
        return float(statistics.median(getattr(cost, kind) for cost in self.costs(part)))

    def times(self, other: Measured, part: str, kind: str) -> Interval:
        """How many times as much as the other's, paired within a round."""
        pairs = zip(self.costs(part), other.costs(part), strict=True)
        return median_interval(
            [getattr(mine, kind) / getattr(its, kind) for mine, its in pairs],
        )


class Worker:
    """A client in a process of its own; made by `start`."""

    def __init__(self, helper: HelperProcess, runs_on: dict[str, str] | None) -> None:
        self._helper = helper
        self.runs_on = runs_on
        """Versions; None where the client is not installed."""

    @classmethod
    @contextmanager
    def start(
        cls, name: str, url: str, lookalike: Lookalike, script: str = "peers.py"
    ) -> Iterator[Worker]:
        """Run a client for the length of a `with` block; its environment is ours.

        Raises:
            HelperEndedError: it has ended; it says why on stderr.
        """
        command = [python_of(name), ROOT / "bench" / script, name, url, lookalike.ca_bundle]
        with started(command, errors=None) as helper:
            yield cls(helper, helper.exchange({"token": lookalike.token})["runs_on"])

    def ask(self, requests: int) -> dict[str, float]:
        """Let it make so many requests, and say what one has cost."""
        return self._helper.exchange({"requests": requests})


def python_of(name: str) -> Path:
    """The interpreter that a client runs in; it need not be there."""
    if name in OTHER_ENVIRONMENTS:
        return ROOT / OTHER_ENVIRONMENTS[name] / "bin" / "python"
    return Path(sys.executable)


def how_to_install(name: str) -> str:
    """What to type where a client is missing."""
    package = PEERS[name].package
    if name not in OTHER_ENVIRONMENTS:
        return f"{sys.executable} -m pip install {package}"
    environment = OTHER_ENVIRONMENTS[name]
    return f"python3 -m venv {environment} && {environment}/bin/pip install {package}"


def compare(
    lookalike: Lookalike,
    names: Iterable[str] = PEERS,
    *,
    rounds: int = ROUNDS,
    blocks: Mapping[str, int] = BLOCKS,
) -> dict[str, Measured]:
    """Measure these clients in one run; those that are not installed are not in the answer."""
    with ExitStack() as stack:
        measured: dict[str, Measured] = {}
        workers: list[tuple[str, str, Worker]] = []
        for name in names:
            if not python_of(name).exists():
                continue
            for scenario in blocks:
                url = lookalike.url(scenario) + PATH
                worker = stack.enter_context(Worker.start(name, url, lookalike))
                if worker.runs_on is not None:
                    measured[name] = Measured(worker.runs_on["version"], worker.runs_on["tls"])
                    workers.append((name, scenario, worker))
        for _, scenario, worker in workers:
            worker.ask(blocks[scenario])  # warm-up
        for _ in range(rounds):
            random.shuffle(workers)
            for name, scenario, worker in workers:
                cost = _block(lookalike, worker, scenario, blocks[scenario])
                measured[name].blocks[scenario].append(cost)
    return measured


def _block(lookalike: Lookalike, worker: Worker, scenario: str, requests: int) -> Cost:
    worker.ask(1)  # others have had the processor and its caches since its last block
    opened = lookalike.accepted(scenario)
    cost = worker.ask(requests)
    return Cost(**cost, opened=(lookalike.accepted(scenario) - opened) / requests)


class Replay:
    """A clock for pytest-benchmark: it goes on by what has been measured already.

    pytest-benchmark runs one benchmark after the other, and what is compared here is interleaved.
    """

    def __init__(self) -> None:
        self._now = 0.0

    def __call__(self) -> float:
        return self._now

    def goes_on(self, seconds: float) -> None:
        """Let so much time pass."""
        self._now += seconds


CLOCK = Replay()
"""For ``@pytest.mark.benchmark(timer=CLOCK)``."""


def replay(benchmark: Any, seconds: Sequence[float]) -> None:
    """Give a benchmark that has `CLOCK` for its timer these rounds."""
    rounds = iter(seconds)
    benchmark.pedantic(CLOCK.goes_on, setup=lambda: ((next(rounds),), {}), rounds=len(seconds))


def table(measured: Mapping[str, Measured]) -> str:
    """Everything in Markdown, the cheapest warm request first."""
    rows: list[Sequence[str]] = [
        ("client", "version", "warm", "CPU", "× a Session", "reopened", "CPU", "× the tuned"),
        ("---", "---", *["---:"] * 6),
    ]
    session, tuned = measured["session"], measured["tuned"]
    for name, of in sorted(
        measured.items(), key=lambda item: item[1].median("warm", "cpu_seconds")
    ):
        rows.append(
            (
                PEERS[name].label,
                of.version,
                *_costs(of, "warm"),
                "1" if of is session else _shown(of.times(session, "warm", "cpu_seconds")),
                *_costs(of, "reopened"),
                "1" if of is tuned else _shown(of.times(tuned, "reopened", "cpu_seconds")),
            )
        )
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _costs(of: Measured, part: str) -> list[str]:
    kinds = ("seconds", "cpu_seconds")
    return [f"{of.median(part, kind) * 1e3:.2f} ms" for kind in kinds]


def _shown(times: Interval) -> str:
    assert times.low is not None
    assert times.high is not None
    doubt = "~ " if times.low <= 1 <= times.high else ""
    return f"{doubt}{times.median:.2f} [{times.low:.2f}, {times.high:.2f}]"


def main() -> None:
    with neutral(), Lookalike.start([REOPENING, WARM]) as lookalike:
        measured = compare(lookalike)
        print(table(measured))
        print(f"\n{ROUNDS} rounds, {lookalike.certificates} certificates in the CA bundle.")
    for name in PEERS:
        if name not in measured:
            print(f"Without {PEERS[name].label}; to have it: {how_to_install(name)}")


if __name__ == "__main__":
    main()
