"""What a warm request costs under the tools of `watchers.py`: ``make watch-costs`` (ten minutes).

It prints a table in Markdown: the program's CPU time for one request on a kept connection, and how
much of it is the tool's, with 95 % intervals.

Two processes of the same code differ by some percent for as long as they run (addresses, hashes,
how the interpreter adapts). So each tool has a new process in each generation, and an interval is
over generations. In a generation, rounds of blocks of requests take turns in random order, each
compared with the block of ``nothing`` in its round. ``nothing-again`` shows what is noise.

A block's cost is that of its median request, since others have the machine too. What comes once in
many requests is therefore not in it: collecting garbage, exporting a batch of spans.
"""

from __future__ import annotations

import random
import statistics
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from bench.side_by_side import WARM, Worker
from rich.progress import track

from keptalive.bench.influences import neutral
from keptalive.lookalike.process import Lookalike
from keptalive.records.run import Interval
from keptalive.stats.intervals import median_interval

GENERATIONS = 20
ROUNDS = 20
BLOCK = 30  # requests
WARM_UP = 60  # requests: the interpreter adapts to the code that it runs
PATH = "/user"
NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Generation:
    """The CPU seconds of the median request of each round, by tool: one process of each."""

    cpu_seconds: Mapping[str, list[float]]

    def cost(self, name: str) -> float:
        """CPU seconds of one request under this tool."""
        return statistics.median(self.cpu_seconds[name])

    def more(self, name: str) -> float:
        """CPU seconds that one request takes more than with nothing, paired within a round."""
        pairs = zip(self.cpu_seconds[name], self.cpu_seconds[NOTHING], strict=True)
        return statistics.median(mine - its for mine, its in pairs)

    def times(self, name: str) -> float:
        """How many times as much CPU time as with nothing, paired within a round."""
        pairs = zip(self.cpu_seconds[name], self.cpu_seconds[NOTHING], strict=True)
        return statistics.median(mine / its for mine, its in pairs)


@dataclass(frozen=True, slots=True)
class Measured:
    """All generations, and the version of each tool that is installed."""

    versions: dict[str, str] = field(default_factory=dict)
    generations: list[Generation] = field(default_factory=list)

    def cost(self, name: str) -> Interval:
        return median_interval([one.cost(name) for one in self.generations])

    def more(self, name: str) -> Interval:
        return median_interval([one.more(name) for one in self.generations])

    def times(self, name: str) -> Interval:
        return median_interval([one.times(name) for one in self.generations])


def measure(
    lookalike: Lookalike,
    names: Sequence[str],
    *,
    generations: Iterable[int] = range(GENERATIONS),
    rounds: int = ROUNDS,
    block: int = BLOCK,
) -> Measured:
    """Measure these tools, of which `NOTHING` is one; those not installed are left out.

    Raises:
        RuntimeError: a tool did not record each request, or a connection was not kept.
    """
    measured = Measured()
    for _ in generations:
        with ExitStack() as stack:
            workers = {}
            for name in random.sample(names, len(names)):
                worker = stack.enter_context(
                    Worker.start(name, lookalike.url(WARM) + PATH, lookalike, "watchers.py")
                )
                if worker.runs_on is not None:
                    measured.versions[name] = worker.runs_on["version"]
                    workers[name] = worker
            measured.generations.append(_generation(lookalike, workers, rounds, block))
    return measured


def _generation(
    lookalike: Lookalike, workers: Mapping[str, Worker], rounds: int, block: int
) -> Generation:
    for name, worker in workers.items():
        _asked(name, worker, WARM_UP)
    opened = lookalike.accepted(WARM)
    cpu_seconds: dict[str, list[float]] = {name: [] for name in workers}
    for _ in range(rounds):
        for name in random.sample(list(workers), len(workers)):
            # one that does not count: others have had the processor and its caches since
            _asked(name, workers[name], 1)
            cpu_seconds[name].append(_asked(name, workers[name], block))
    if lookalike.accepted(WARM) != opened:
        raise RuntimeError("a connection was not kept: these are not warm requests")
    return Generation(cpu_seconds)


def _asked(name: str, worker: Worker, requests: int) -> float:
    answer = worker.ask(requests)
    if answer["seen"] != requests:
        raise RuntimeError(f"{name} recorded {answer['seen']} of {requests} requests")
    return answer["cpu_seconds"]


def table(measured: Measured, rows: Mapping[str, tuple[str, str]]) -> str:
    """In Markdown, the least cost first.

    Args:
        measured: what to show.
        rows: of each tool its label and what it records.
    """
    lines: list[Sequence[str]] = [
        ("watched by", "version", "it records", "CPU a request", "more", "times nothing"),
        ("---", "---", "---", *["---:"] * 3),
    ]
    names = sorted(
        measured.versions, key=lambda name: (name != NOTHING, measured.more(name).median)
    )
    for name in names:
        label, records = rows[name]
        cost = f"{measured.cost(name).median * 1e6:.0f} µs"
        compared = ("", "1") if name == NOTHING else (_more(measured, name), _times(measured, name))
        lines.append((label, measured.versions[name], records, cost, *compared))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _more(measured: Measured, name: str) -> str:
    return _shown(measured.more(name), 1e6, 0, ".0f", " µs")


def _times(measured: Measured, name: str) -> str:
    return _shown(measured.times(name), 1, 1, ".3f", "")


def _shown(found: Interval, factor: float, same: float, form: str, unit: str) -> str:
    """With its interval; `~` where that does not exclude what "no difference" is."""
    if found.low is None or found.high is None:
        return f"~ {found.median * factor:{form}}{unit}"
    doubt = "~ " if found.low <= same <= found.high else ""
    bounds = f"[{found.low * factor:{form}}, {found.high * factor:{form}}]"
    return f"{doubt}{found.median * factor:{form}}{unit} {bounds}"


def main() -> None:
    sys.path.insert(0, "bench")  # where a worker, started as a script, finds it
    from bench.watchers import WATCHERS

    generations = track(range(GENERATIONS), "generations", disable=not sys.stderr.isatty())
    with neutral(), Lookalike.start([WARM]) as lookalike:
        measured = measure(lookalike, list(WATCHERS), generations=generations)
    print(table(measured, {name: (one.label, one.records) for name, one in WATCHERS.items()}))
    print(f"\n{GENERATIONS} processes of each, with {ROUNDS} blocks of {BLOCK} requests.")
    for name, watcher in WATCHERS.items():
        if name not in measured.versions:
            packages = " ".join(watcher.packages)
            print(
                f"Without {watcher.label}; to have it: {sys.executable} -m pip install {packages}"
            )


if __name__ == "__main__":
    main()
