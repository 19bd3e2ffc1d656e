"""What `pytest --connections` shows: what the whole suite opened, by cause and test.

Plain text, since it goes through pytest's own terminal writer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from textwrap import wrap
from typing import NamedTuple

from keptalive import redaction
from keptalive.causes.meaning import meaning_of
from keptalive.quantities import SHORTEST_S, duration, listed, many, number
from keptalive.records.report import UNAVOIDABLE

SHOWN = 5  # tests that left the same Session open
HEADING = "opened  cause and test"
_BESIDE_NUMBER = " " * 8


class OfTest(NamedTuple):
    """What one test did: connections, those of perfect reuse, responses on kept ones, causes.

    ``causes`` are numbers of connections. ``mocked`` are answers of a mock or a recording.
    """

    opened: int
    perfect: int
    reused: int
    causes: Mapping[str, int]
    mocked: int = 0


class Unclosed(NamedTuple):
    """A test whose connection nobody closed, and where its Session was made; "" if unknown."""

    test: str
    session: str


class Together(NamedTuple):
    """What all tests of one process did.

    Attributes:
        perfect: what perfect reuse over all of them would have opened.
        saved_s: seconds that this would have saved.
        outside: where connections were opened outside of tests, and how many; "" if unknown.
        places: where in the program connections came from, by their cause.
        unclosed: the tests that left a Session open.
    """

    perfect: int = 0
    saved_s: float = 0.0
    outside: Mapping[str, int] = {}
    places: Mapping[str, Sequence[str]] = {}
    unclosed: Sequence[Unclosed] = ()


def by_cause(
    tests: Mapping[str, OfTest], processes: Sequence[Together], *, shown: int, width: int
) -> list[str]:
    """The causes of all connections, each with its lines of code and the tests that had most of it.

    Causes that perfect reuse would have too come last, in a line each.

    Args:
        tests: all that used any.
        processes: what is known of the processes in which they ran.
        shown: how many tests for each cause; 0 for all.
        width: columns; longer names of tests lose their beginning.
    """
    counts: dict[str, dict[str, int]] = {}
    for test, did in tests.items():
        for cause, count in did.causes.items():
            counts.setdefault(cause, {})[test] = count
    order = sorted(
        counts, key=lambda cause: (cause in UNAVOIDABLE, -sum(counts[cause].values()), cause)
    )
    lines = [HEADING] if order else []
    for cause in order:
        lines += _row(sum(counts[cause].values()), _named(cause), width)
        if cause not in UNAVOIDABLE:
            lines += _places(cause, processes, width)
            lines += _tests(counts[cause], shown, width)
    return [redaction.shown(line) for line in lines]


def _named(cause: str) -> str:
    said = f"{cause}: {meaning_of(cause)}"
    return f"{said} (necessary)" if cause in UNAVOIDABLE else said


def _row(count: int, text: str, width: int) -> list[str]:
    return wrap(
        text,
        width,
        initial_indent=f"{count:>6}  ",
        subsequent_indent=_BESIDE_NUMBER,
        break_on_hyphens=False,
    )


def _places(cause: str, processes: Sequence[Together], width: int) -> list[str]:
    places = dict.fromkeys(place for one in processes for place in one.places.get(cause, ()))
    if not places:
        return []
    return wrap(
        f"at {listed([*places])}",
        width,
        initial_indent=_BESIDE_NUMBER,
        subsequent_indent=_BESIDE_NUMBER,
        break_on_hyphens=False,
    )


def _tests(counts: Mapping[str, int], shown: int, width: int) -> Iterator[str]:
    order = sorted(counts, key=lambda test: (-counts[test], test))
    some = order[: shown or None]
    for test in some:
        yield f"{counts[test]:>6}    {_end_of(test, width - len(_BESIDE_NUMBER) - 2)}"
    if len(order) > len(some):
        yield f"{_BESIDE_NUMBER}  and {many(len(order) - len(some), 'more test')}"


def _end_of(test: str, room: int) -> str:
    return test if len(test) <= room else f"…{test[1 - room :]}"


def totals(tests: Mapping[str, OfTest]) -> str:
    """What all tests did together, in a sentence."""
    some = [did for did in tests.values() if did.opened or did.reused]
    if not some:
        return "No test got a response through requests or urllib3."
    opened = sum(did.opened for did in some)
    perfect = sum(did.perfect for did in some)
    reused = sum(did.reused for did in some)
    enough = f", {number(perfect)} would be enough" if perfect < opened else ""
    return (
        f"{many(len(some), 'test')}: {many(opened, 'connection')} opened{enough}; "
        f"{many(reused, 'response')} on a kept one."
    )


def outside(processes: Sequence[Together]) -> list[str]:
    """What was opened while no test ran: by an import, say."""
    counts: dict[str, int] = {}
    for place, count in (item for one in processes for item in one.outside.items()):
        counts[place] = counts.get(place, 0) + count
    if not counts:
        return []
    places = listed([place for place in counts if place])
    count = sum(counts.values())
    verb = "was" if count == 1 else "were"
    line = f"{many(count, 'more connection')} {verb} opened outside of tests"
    return [redaction.shown(f"{line}, at {places}." if places else f"{line}.")]


def shared(tests: Mapping[str, OfTest], processes: Sequence[Together]) -> list[str]:
    """What one Session for all tests would have saved, where tests with one each open more."""
    alone = sum(did.perfect for did in tests.values())
    perfect = sum(one.perfect for one in processes)
    if not processes or perfect >= alone:
        return []
    opened = sum(did.opened for did in tests.values())
    opened += sum(count for one in processes for count in one.outside.values())
    saved_s = sum(one.saved_s for one in processes)
    time = f" ({duration(saved_s)})" if saved_s >= SHORTEST_S else ""
    several = sum(one.perfect > 0 for one in processes) > 1
    whom = "each worker" if several else "all tests"
    saved = f"{number(opened - perfect)} of {many(opened, 'connection')}{time}"
    return [f"One Session for {whom} would have saved {saved}."]


def mocked(tests: Mapping[str, OfTest]) -> list[str]:
    """How many tests had no answer but from a mock."""
    count = sum(bool(did.mocked) and not did.opened and not did.reused for did in tests.values())
    return [f"{many(count, 'test')} had all answers from a mock or a recording."] if count else []


def unclosed(processes: Sequence[Together], *, width: int) -> list[str]:
    """Which tests left a Session open, by where it was made."""
    places: dict[str, list[str]] = {}
    for one in (one for process in processes for one in process.unclosed):
        places.setdefault(one.session, []).append(one.test)
    if not places:
        return []
    lines = ["Sessions that no test closed (use session.close(), or a with statement):"]
    for place, names in sorted(places.items()):
        made = f"made at {place}" if place else "made before the tests"
        lines += wrap(
            f"{made}: {', '.join(names[:SHOWN])}"
            + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""),
            width,
            initial_indent="  ",
            subsequent_indent="    ",
            break_long_words=False,
            break_on_hyphens=False,
        )
    return [redaction.shown(line) for line in lines]
