"""What pytest shows: why a test opened more connections than it may, and which opened the most.

Plain text, since it goes into assertion messages and through pytest's own terminal writer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from textwrap import fill, wrap
from typing import NamedTuple

from keptalive import redaction
from keptalive.causes.meaning import meaning_of
from keptalive.compare.limits import Limit, beyond, opened_by_all
from keptalive.quantities import SHORTEST_S, duration, host_name, many, number
from keptalive.records.plain import with_texts
from keptalive.records.report import UNAVOIDABLE, Cause, HostReport, Report
from keptalive.text import harmless

WIDTH = 72  # with the "E       " that pytest puts before it, 80 columns
NAMED = 3  # hosts in a headline
SHOWN = 5  # tests that left the same Session open


# -- A broken limit ------------------------------------------------------------------------------


def refusal(limit: Limit, report: Report) -> str | None:
    """What is wrong, in a line, then the causes and cures; None if the limit was kept."""
    hosts = beyond(limit, report.hosts)
    if hosts is None:
        return None
    hosts = with_texts(hosts, redaction.shown)
    lines = [_headline(limit, hosts)]
    for host in hosts:
        lines += [f"{_route(host)}: {_opened(host)}"] if len(hosts) > 1 else []
        lines += [line for cause in host.causes for line in _cause(cause)]
    mocks = [one.evidence for one in report.findings if one.finding == "mocked-answers"]
    said = [*mocks, *report.warnings]
    lines += [_indented(redaction.shown(one), "! ") for one in said]
    return harmless("\n".join(lines))


def _route(host: HostReport) -> str:
    return host_name(host.host) + (f" via {host_name(host.via)}" if host.via else "")


def _opened(host: HostReport) -> str:
    return many(host.opened or 0, "connection")


def _cause(cause: Cause) -> Iterator[str]:
    if not cause.count:  # only of connections that were never answered: no limit counts them
        return
    name = f"{cause.count} × {cause.cause}"
    if cause.cause in UNAVOIDABLE:
        yield f"{name} (necessary)"
        return
    meaning = meaning_of(cause.cause, cause.facts)
    together = f"{name}: {meaning}"
    yield together if len(together) <= WIDTH else f"{name}:\n{_indented(meaning)}"
    yield from map(_indented, filter(None, (cause.evidence, cause.cure and f"→ {cause.cure}")))


def _indented(text: str, first: str = "  ") -> str:
    return fill(
        text,
        WIDTH,
        initial_indent=first,
        subsequent_indent="    " if text.startswith("→") else "  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _headline(limit: Limit, hosts: Sequence[HostReport]) -> str:
    return f"opened {_what(limit, hosts)}, {_allowed(limit)}"


def _what(limit: Limit, hosts: Sequence[HostReport]) -> str:
    if not hosts:
        return "no connection"
    if len(hosts) > 1 and not limit.per_host:
        return f"{many(opened_by_all(hosts), 'connection')} to {len(hosts)} hosts"
    each = [f"{_opened(host)} to {_route(host)}" for host in hosts[:NAMED]]
    if len(hosts) > NAMED:
        each.append(f"and to {many(len(hosts) - NAMED, 'more host')}")
    return ", ".join(each)


def _allowed(limit: Limit) -> str:
    each = " per host" if limit.per_host else ""
    if limit.exactly is None:
        return f"at most {limit.at_most}{each} allowed"
    return f"exactly {limit.exactly}{each} expected"


# -- The tests that opened the most --------------------------------------------------------------


class OfTest(NamedTuple):
    """What one test did: connections, those of perfect reuse, responses on kept ones, the cause.

    ``cause`` is the most expensive one; empty if nothing was opened. ``mocked`` are answers of a
    mock or a recording.
    """

    opened: int
    perfect: int
    reused: int
    cause: str
    mocked: int = 0


class Unclosed(NamedTuple):
    """A test whose connection nobody closed, and where its Session was made; "" if unknown."""

    test: str
    session: str


class Together(NamedTuple):
    """What all tests of one process did: perfect reuse over all of them, and what it would save."""

    perfect: int
    saved_s: float
    unclosed: tuple[Unclosed, ...] = ()


HEADINGS = ("opened", "enough", "cause", "test")


def busiest(tests: Mapping[str, OfTest], *, shown: int, width: int) -> list[str]:
    """A table of the tests that opened the most connections, within a number of columns.

    Args:
        tests: all that used any.
        shown: how many of them; 0 for all.
        width: longer names of tests lose their beginning.
    """
    some = {test: did for test, did in tests.items() if did.opened}
    order = sorted(some, key=lambda test: (-some[test].opened, test))[: shown or None]
    rows: list[tuple[object, ...]] = [
        (some[test].opened, some[test].perfect, some[test].cause, test) for test in order
    ]
    causes = max((len(some[test].cause) for test in order), default=0)
    causes = max(causes, len(HEADINGS[2]))
    lines = [
        f"{opened:>6}  {perfect:>6}  {cause:<{causes}}  {_end_of(str(test), width - 18 - causes)}"
        for opened, perfect, cause, test in ([HEADINGS, *rows] if rows else [])
    ]
    return [redaction.shown(line) for line in lines]


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


def shared(tests: Mapping[str, OfTest], processes: Sequence[Together]) -> list[str]:
    """What tests would save that share their Session, where they would."""
    alone = sum(did.perfect for did in tests.values())
    perfect = sum(one.perfect for one in processes)
    if not processes or perfect >= alone:
        return []
    saved_s = sum(one.saved_s for one in processes)
    saved = f" ({duration(saved_s)} saved)" if saved_s >= SHORTEST_S else ""
    return [f"If tests shared a Session, {number(perfect)} would be enough for all of them{saved}."]


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
