"""Where a line came from: the logger, process and thread that its prefix names."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from keptalive.logs.messages import NAME, REMEMBERED
from keptalive.records.pool_events import LOGGER

LONGEST_PREFIX = 1024
_MOST_WORDS = 32


EVIDENT = re.compile(
    rb"""
    \b(?:pid|process(?:_?[iI]d)?)\s?[=:\#\s]\s?"?(?P<pid>\d{1,10})\b
    | \b(?:tid|[tT]hread(?:_?(?:[iI][dD]|[nN]ame))?)(?:\s?[=:\#]\s?"?(?P<named>[\w.()-]+)
                                                       |\s(?P<tid>\d+)\b)
    | (?P<thread>\bMainThread\b
        | \bThread-\d+(?:\ \([^()]{1,80}\))?
        | \b(?:Dummy|Task|waitress)-\d+\b
        | \basyncio_\d+\b
        | [\w.-]{0,60}ThreadPool(?:Executor)?-\d+(?:_\d+)?
        # an executor's; at the beginning of a line it is a container of docker-compose
        | (?<=[\s(\[])[\w.-]{0,60}[wW]orker_\d+\b
        | \b[\w.-]{0,60}[tT]hread[-_]?\d+\b)
    | (?P<worker>\bMainProcess\b
        | \b(?:Spawn|Fork|ForkServer)?(?:Process|PoolWorker)-\d+(?::\d+)*)
    | (?<=[\w)])(?<!connectionpool)(?<!\.py)\[(?P<syslog>\d{1,10})\]:
    | (?<=\]\ )\[(?P<gunicorn>\d{1,10})\](?=\ \[[A-Z]+\])
    # what threading.get_ident() is on Linux and macOS, and the process beside it
    | (?<![\w.:-])(?:(?P<beside>\d{1,7})[\s,|/:-]{1,3})?(?P<ident>1[234]\d{13})(?![\w.])
    """,
    re.VERBOSE,
)
_PROCESS_GROUPS = ("pid", "syslog", "gunicorn", "beside")
_THREAD_GROUPS = ("named", "tid", "thread", "ident")
_FUNCTION = rb"(?:_new_conn|_get_conn|_put_conn|_make_request|urlopen|_prepare_conn)"
_KNOWN = re.compile(
    NAME.pattern
    + rb"(?::"
    + _FUNCTION
    + rb")?(?::\d+)?|[\w./\\-]*\bconnectionpool(?:\.py)?(?:[:(]\d+\)?)?|\b"
    + _FUNCTION
    + rb"\b(?:\(\))?(?::\d+)?|(?i:\b(?:debug|info|warn(?:ing)?|error)\b)"
)
_COLOUR = re.compile(rb"\x1b\[[\d;]*[A-Za-z]")
_DIGITS_ALIKE = bytes.maketrans(b"0123456789", b"0" * 10)
_AS_LONG_AS_AN_IDENT = b"0" * 15
_BETWEEN = re.compile(rb"""[\s|\[\](){}<>,;"'=]+""")


@dataclass(slots=True)
class Origin:
    """Where the lines with one and the same prefix, its time left out, come from.

    Words are kept as their hashes: there may be secrets among them.
    """

    source: str
    named: bool
    process: int | None
    threaded: bool
    who: tuple[int, ...]  # the threads and processes that are evident
    words: list[int]  # the others, by their place
    thread: int | None = None  # its number, once it is known what makes threads in this log


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where, in all prefixes that differ in their digits only, is what makes an origin."""

    source: str
    named: bool
    threaded: bool
    process: tuple[int, int] | None
    who: tuple[tuple[int, int], ...]
    words: tuple[tuple[int, int] | None, ...]  # None for what stands in every line of urllib3's

    def origin(self, text: bytes, places: Iterable[int]) -> Origin:
        process = self.process
        words = [0] * len(self.words)
        for place in places:
            if at := self.words[place]:
                words[place] = hash(text[at[0] : at[1]])
        return Origin(
            source=self.source,
            named=self.named,
            process=int(text[process[0] : process[1]]) if process else None,
            threaded=self.threaded,
            who=tuple([hash(text[start:end]) for start, end in self.who]),
            words=words,
        )


class Prefixes:
    """Reads the origin from each prefix; most differ from an earlier one in their digits only.

    Args:
        wanted: which words matter, by their place, of so many.
    """

    def __init__(self, wanted: Callable[[int], Iterable[int]]) -> None:
        self._wanted = wanted
        self._layouts: dict[int, _Layout] = {}  # by hashes: there may be secrets in a prefix

    def of(self, prefix: bytes) -> Origin:
        """The origin that this prefix, its time left out, shows."""
        text = prefix[-LONGEST_PREFIX:].rpartition(b"\r")[2]
        if b"\x1b" in text:
            text = _COLOUR.sub(b"", text)
        plain = text.translate(_DIGITS_ALIKE)
        if _AS_LONG_AS_AN_IDENT in plain:  # which is known by its digits
            return self._origin(_layout(text), text)
        key = hash(plain)
        layout = self._layouts.get(key)
        if layout is None:
            if len(self._layouts) >= REMEMBERED:
                self._layouts.clear()
            layout = self._layouts[key] = _layout(text)
        return self._origin(layout, text)

    def _origin(self, layout: _Layout, text: bytes) -> Origin:
        return layout.origin(text, self._wanted(len(layout.words)))


def _layout(text: bytes) -> _Layout:
    names = NAME.findall(text)
    process, threaded = None, False
    who: list[tuple[int, int]] = []
    for found in EVIDENT.finditer(text):
        groups = {name: found.span(name) for name, value in found.groupdict().items() if value}
        who += groups.values()
        process = next((groups[n] for n in _PROCESS_GROUPS if n in groups), process)
        threaded = threaded or any(name in groups for name in _THREAD_GROUPS)
    masked = _KNOWN.sub(_mask, EVIDENT.sub(_mask, text))
    return _Layout(
        source=names[-1].decode() if names else LOGGER,
        named=bool(names),
        threaded=threaded,
        process=process,
        who=tuple(who),
        words=tuple(_words(masked)),
    )


def _mask(found: re.Match[bytes]) -> bytes:
    """A word of its own, as long as what was found."""
    return b" " + b"~" * (len(found[0]) - 2) + b" "


def _words(masked: bytes) -> Iterator[tuple[int, int] | None]:
    begin = 0
    between = [gap.span() for gap in _BETWEEN.finditer(masked)][: _MOST_WORDS - 1]
    for start, end in [*between, (len(masked), len(masked))]:
        yield None if masked[begin:start].strip(b"~") == b"" else (begin, start)
        begin = end
