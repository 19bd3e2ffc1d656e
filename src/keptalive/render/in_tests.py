"""What pytest shows: why a test opened more connections than it may, and which opened the most.

Plain text, since it goes into assertion messages and through pytest's own terminal writer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from textwrap import fill
from typing import Any

from keptalive import redaction
from keptalive.causes.log_sets import means
from keptalive.causes.reporting import OWED
from keptalive.compare.limits import Host, Limit, beyond
from keptalive.render.terminal.report import many
from keptalive.text import each_text, harmless

WIDTH = 72  # with the "E       " that pytest puts before it, 80 columns
NAMED = 3  # hosts in a headline


def refusal(limit: Limit, report: Mapping[str, Any]) -> str | None:
    """What is wrong, in a line, then the causes and cures; None if the limit was kept."""
    report = each_text(report, redaction.shown)
    hosts = beyond(limit, report["hosts"])
    if hosts is None:
        return None
    lines = [_headline(limit, hosts)]
    for host in hosts:
        lines += [_host(host)] if len(hosts) > 1 else []
        spared_first = sorted(host["causes"], key=lambda cause: cause["cause"] in OWED)
        lines += [line for cause in spared_first for line in _cause(cause)]
    lines += [_indented(warning, "! ") for warning in report["warnings"]]
    return harmless("\n".join(lines))


def _host(host: Host) -> str:
    return f"{host['host']}: {many(host['opened'], 'connection')}"


def _cause(cause: Mapping[str, Any]) -> Iterator[str]:
    name, meaning = f"{cause['count']} × {cause['cause']}", means(cause["cause"])
    together = f"{name}: {meaning}"
    yield together if len(together) <= WIDTH else f"{name}:\n{_indented(meaning)}"
    if cause["cause"] not in OWED:
        yield from (_indented(cause[what]) for what in ("evidence", "cure") if cause[what])


def _indented(text: str, first: str = "  ") -> str:
    return fill(
        text,
        WIDTH,
        initial_indent=first,
        subsequent_indent="  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _headline(limit: Limit, hosts: Sequence[Host]) -> str:
    return f"opened {_what(limit, hosts)}, {_allowed(limit)}"


def _what(limit: Limit, hosts: Sequence[Host]) -> str:
    if not hosts:
        return "no connection"
    if len(hosts) > 1 and not limit.per_host:
        total = many(sum(host["opened"] for host in hosts), "connection")
        return f"{total} to {len(hosts)} hosts"
    told = [f"{many(host['opened'], 'connection')} to {host['host']}" for host in hosts[:NAMED]]
    if len(hosts) > NAMED:
        told.append(f"and to {many(len(hosts) - NAMED, 'more host')}")
    return ", ".join(told)


def _allowed(limit: Limit) -> str:
    each = " a host" if limit.per_host else ""
    if limit.exactly is None:
        return f"at most {limit.at_most}{each} allowed"
    return f"exactly {limit.exactly}{each} expected"


Did = tuple[int, int, str]  # opened, reused, the dearest cause or ""
HEADINGS = ("opened", "reused", "dearest cause", "test")


def busiest(tests: Mapping[str, Did], *, shown: int, width: int) -> list[str]:
    """A table of the tests that opened the most connections, within so many columns.

    Args:
        tests: all that used any.
        shown: how many of them; 0 for all.
        width: longer names of tests lose their beginning.
    """
    some = {test: did for test, did in tests.items() if did[0]}
    order = sorted(some, key=lambda test: (-some[test][0], test))[: shown or None]
    rows = [HEADINGS, *((*some[test], test) for test in order)] if some else []
    causes = max((len(cause) for _, _, cause, _ in rows), default=0)
    lines = [
        f"{opened:>6}  {reused:>6}  {cause:<{causes}}  {_end_of(test, width - 18 - causes)}"
        for opened, reused, cause, test in rows
    ]
    return [redaction.shown(line) for line in lines]


def _end_of(test: str, room: int) -> str:
    return test if len(test) <= room else f"…{test[1 - room :]}"


def totals(tests: Mapping[str, Did]) -> str:
    """What all tests did together, in a sentence."""
    if not tests:
        return "No test got an answer through requests or urllib3."
    opened = many(sum(did[0] for did in tests.values()), "connection")
    reused = many(sum(did[1] for did in tests.values()), "response")
    return f"{opened} opened, {reused} on a kept one, by {many(len(tests), 'test')}."
