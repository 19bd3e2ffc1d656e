"""Where a line came from: what its prefix tells of logger, process and thread."""

from __future__ import annotations

import re
from dataclasses import dataclass

from keptalive.watching.debug_log.messages import NAME
from keptalive.watching.pool_log import LOGGER

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
    lane: int | None = None


def origin_of(prefix: bytes) -> Origin:
    """What this prefix, its time left out, tells."""
    text = _COLOUR.sub(b"", prefix[-LONGEST_PREFIX:].rpartition(b"\r")[2])
    names = NAME.findall(text)
    process, threaded = None, False
    who: list[int] = []
    for found in EVIDENT.finditer(text):
        groups = {name: value for name, value in found.groupdict().items() if value}
        who += map(hash, groups.values())
        process = next((int(groups[n]) for n in _PROCESS_GROUPS if n in groups), process)
        threaded = threaded or any(name in groups for name in _THREAD_GROUPS)
    words = _BETWEEN.split(_KNOWN.sub(b" ~ ", EVIDENT.sub(b" ~ ", text)))[:_MOST_WORDS]
    return Origin(
        source=names[-1].decode() if names else LOGGER,
        named=bool(names),
        process=process,
        threaded=threaded,
        who=tuple(who),
        words=[hash(word) for word in words],
    )
