"""The first witness, read afterwards: urllib3's lines in any debug log, told as events.

What is promised: a line that cannot be read is counted and passed over, never an error; memory does
not grow with the log; and of a line nothing is kept but what its event holds, and where it came
from. Whole blocks are searched for what urllib3's messages contain, so that the other lines of a
log cost next to nothing.

A log seldom says which thread a line is from, so `Seen.event.thread` is a lane: a small number for
all lines whose threads and processes, as far as they are evident ("MainThread", "[pid 12]"), are
the same. Other words before the message (a worker's own name, a container) make lanes only where
they explain what was interleaved: where, told apart by them, markedly more openings are directly
followed by an answer of the same host. `Reading.tells_threads` says whether to rely on it.
"""

from __future__ import annotations

import codecs
import ipaddress
import itertools
import json
import math
import os
import re
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import lru_cache
from operator import itemgetter
from pathlib import Path
from typing import BinaryIO, NamedTuple

from keptalive.errors import UsageError
from keptalive.model import Answered, PoolEvent, Resetting, Retrying, RetryingStatus, Starting
from keptalive.watching.pool_log import LOGGER

PAUSE_S = 0.2  # between two looks at a log that has not grown
_BLOCK = 256 * 1024
_LONGEST_LINE = 256 * 1024
_LONGEST_PREFIX = 1024
_TRIES = 8  # at one line: a hostile one must not cost the square of its length
_SAMPLE = 4096  # lines from which a format is learned
_MOST_WORDS = 32
_REMEMBERED = 4096  # origins, lanes: as many as a log needs, not as many as it has


@dataclass(frozen=True, slots=True, kw_only=True)
class Discarding:
    """urllib3 logged "Connection pool is full, discarding connection"."""

    thread: int
    host: str


class Seen(NamedTuple):
    """One of urllib3's lines: what it tells of, and where it stood.

    ``at_s`` is in seconds since 1970; a time without a zone is taken for UTC, so that differences
    within one log are right. ``line`` counts from 1, on through the files of a rotated log.
    A tuple, since it costs a fifth of a dataclass, and there are as many as lines of urllib3's.
    """

    event: PoolEvent | Discarding
    source: str
    at_s: float | None
    process: int | None
    line: int


# -- What urllib3 says ----------------------------------------------------------------------------


class _What(NamedTuple):
    """What a message says; ``host`` is that of an opening or of its answer, else None."""

    kind: str
    host: str | None = None
    scheme: str = ""
    port: int | None = None
    number: int = 0  # of a "Starting" line the ordinal, of an answer the status


_Message = tuple[int, int, _What]  # where it begins in its line, where it ends, what it says
_SAYS_NO_MORE = {kind: _What(kind) for kind in ("retrying", "status")}


_END = rb"""(?=[\s"'\\,;|<>()\[\]{}\x1b]|$)"""
_PLACE = rb"""[^\s"'\\,;|<>()\[\]{}\x1b]{1,255}"""
_BRACKETED = rb"""\[[^\s"'\\\]]{1,255}\]"""
_HOST = rb"(" + _BRACKETED + rb"|" + _PLACE + rb"?)"
_STARTING = re.compile(
    rb"Starting new (HTTPS?) connection \((\d{1,9})\): ("
    + _BRACKETED
    + rb":\d+|"
    + _PLACE
    + rb")"
    + _END
)
_RESETTING = re.compile(rb"Resetting dropped connection: " + _HOST + _END)
_DISCARDING = re.compile(
    rb"Connection pool is full, discarding connection: "
    + _HOST
    + rb"(?:\. Connection pool size: \d+)?"
    + _END
    + rb"(?! Conn)"  # a size that was cut off
)
_BROKEN = re.compile(rb" after connection broken by '.*': [^\s\"\\]+")
_RETRY = re.compile(rb"(?:(?<![\w.-])|(?<=\dm))Retry: (?:/|https?://)[^\s\"\\]*")
_PLACED = (
    rb"://(" + _BRACKETED + rb'|[^\s"/:]{1,255}|[^\s"/]{1,255}?):(\d{1,5}|None) (?=\\?"[A-Za-z])'
)
# before 1.18 this was all of the line
_OLD_REQUEST = re.compile(
    rb'\\?"[A-Za-z]+ [^\s]*(?: [^\s"]*)*? HTTP/[\d.]{1,3}\\?" (\d{3}) (?:\d+|None)(?![\w.])'
)
_QUOTE = re.compile(rb'\\?"(?=[A-Za-z]+ )')
_REQUEST = re.compile(rb"(https?)" + _PLACED + _OLD_REQUEST.pattern)
_DEFAULT_PORTS = {"http": 80, "https": 443}


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")


def _host(raw: bytes) -> str:
    return _text(raw.strip(b"[]"))


def _is_ipv6(host: str) -> bool:
    try:
        ipaddress.IPv6Address(host)
    except ValueError:
        return False
    return True


def _starting(line: bytes, at: int) -> _Message | None:
    found = _STARTING.match(line, at)
    place = found and _place(_text(found[3]))
    if not found or not place:
        return None
    host, port = place
    what = _What("starting", host, found[1].decode().lower(), port, int(found[2]))
    return found.start(), found.end(), what


def _place(text: str) -> tuple[str, int | None] | None:
    """A host and its port; up to 1.22 it is the host alone. IPv6 has no brackets: "::1:80"."""
    host, _, port = text.rpartition(":")
    bare = host.strip("[]")
    if host and _is_port(port) and (":" not in bare or _is_ipv6(bare)):
        return bare, int(port)
    bare = text.strip("[]")
    return (bare, None) if ":" not in bare or _is_ipv6(bare) else None


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 5


def _resetting(line: bytes, at: int) -> _Message | None:
    found = _RESETTING.match(line, at)
    return found and (found.start(), found.end(), _What("resetting", _host(found[1])))


def _discarding(line: bytes, at: int) -> _Message | None:
    found = _DISCARDING.match(line, at)
    return found and (found.start(), found.end(), _What("discarding", _host(found[1])))


def _retrying(line: bytes, at: int) -> _Message | None:
    start = line.rfind(b"Retrying (", 0, at)
    found = _BROKEN.match(line, at) if start >= 0 else None
    return found and (start, found.end(), _SAYS_NO_MORE["retrying"])


def _retry(line: bytes, at: int) -> _Message | None:
    found = _RETRY.match(line, at)
    return found and (found.start(), found.end(), _SAYS_NO_MORE["status"])


def _answered(line: bytes, at: int) -> _Message | None:
    scheme_at = at - 5 if line.startswith(b"https", max(at - 5, 0)) else at - 4
    found = _REQUEST.match(line, scheme_at) if scheme_at >= 0 else None
    return found and (found.start(), found.end(), _answer_of(*found.groups()))


def _old_answered(line: bytes) -> _Message | None:
    for quote in itertools.islice(_QUOTE.finditer(line), _TRIES):
        if found := _OLD_REQUEST.match(line, quote.start()):
            return found.start(), found.end(), _What("old answer", number=int(found[1]))
    return None


@lru_cache(_REMEMBERED)
def _answer_of(scheme: bytes, host: bytes, port: bytes, status: bytes) -> _What:
    name = scheme.decode()
    number = _DEFAULT_PORTS[name] if port == b"None" else int(port)
    return _What("answered", _host(host), name, number, int(status))


class _Needle(NamedTuple):
    """What one of urllib3's lines contains, and how it is read from there."""

    text: bytes
    read: Callable[[bytes, int], _Message | None]
    around: re.Pattern[bytes] | None = None  # where others have the same text, what follows


_NEEDLES = (
    _Needle(b"Starting new HTTP", _starting),
    _Needle(b"Resetting dropped connection: ", _resetting),
    _Needle(b"Connection pool is full, discarding connection: ", _discarding),
    _Needle(b" after connection broken by ", _retrying),
    _Needle(b"://", _answered, re.compile(_PLACED)),
    _Needle(b"Retry: ", _retry),
)
_UNMISTAKABLE = 5  # so many of them are urllib3's even if the rest cannot be read
_SLOTS = 8  # a position and the needle found there are one number, for numbers sort fast
_NAME_NEEDLE = b".connectionpool"
_NAMED = re.compile(rb"urllib3(?:_future)?(?:\._async)?\.connectionpool(?![\w.])")
_NAME = re.compile(rb"(?:\w[\w.]{0,80}\.)?" + _NAMED.pattern)
_BEGINS = (
    b"Starting new HTTP",
    b"Resetting dropped connection: ",
    b"Connection pool is full, discarding connection: ",
    b"Retrying (Retry(",
    b"Retry: ",
)
_CUT_OFF = tuple(begin[:length] for begin in _BEGINS for length in range(3, len(begin) + 1))


def _looks_cut(line: bytes) -> bool:
    """Whether a message of urllib3's begins here that does not end."""
    return line.rstrip().endswith(_CUT_OFF) or any(begin in line for begin in _BEGINS[:4])


# -- When a line was written ----------------------------------------------------------------------

_TIME = re.compile(
    rb"(?<![\d.])(\d{4}-\d\d-\d\d[T ]\d\d:\d\d):(\d\d(?:[.,]\d{1,9})?)"
    rb"(?: ?(Z|[+-]\d\d(?::?\d\d)?)(?!\w))?"
    # seconds since 1970: where a line begins, elsewhere only with a fraction
    rb"|(?:^[\[(\"]?|(?<![\w.:/-])(?=\d{10}\.))([12]\d{9}(?:\.\d{1,9})?)(?![\w.])"
)
_ZONE = re.compile(rb"([+-])(\d\d):?(\d\d)?")


class _Clock:
    """Reads times. Lines come in order, so that the last minute is mostly this one too."""

    def __init__(self) -> None:
        self._minute = b""
        self._minute_s: float | None = None

    def seconds(self, found: re.Match[bytes]) -> float | None:
        minute, second, zone, epoch = found.groups()
        if epoch is not None:
            return float(epoch)
        if minute != self._minute:
            self._minute, self._minute_s = minute, _since_1970(minute)
        if self._minute_s is None:
            return None
        at_s = self._minute_s + float(second.replace(b",", b"."))
        if zone and (parts := _ZONE.match(zone)):
            offset_s = int(parts[2]) * 3600 + int(parts[3] or 0) * 60
            at_s += offset_s if parts[1] == b"-" else -offset_s
        return at_s

    def of_json(self, value: object) -> float | None:
        if isinstance(value, str):
            found = _TIME.search(value[:64].encode("utf-8", "replace"))
            return found and self.seconds(found)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        # seconds, or thousandths of them, millionths, milliardths: of this century
        units = (unit for unit in (1, 1e3, 1e6, 1e9) if 1e9 <= abs(value) / unit < 1e10)
        unit = next(units, None) if abs(value) < 1e20 and math.isfinite(value) else None
        return None if unit is None else value / unit


def _since_1970(minute: bytes) -> float | None:
    try:
        parsed = datetime.strptime(minute.decode().replace("T", " "), "%Y-%m-%d %H:%M")
    except ValueError:
        return None
    return parsed.replace(tzinfo=timezone.utc).timestamp()


# -- Where a line came from -----------------------------------------------------------------------

_EVIDENT = re.compile(
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
    _NAME.pattern
    + rb"(?::"
    + _FUNCTION
    + rb")?(?::\d+)?|[\w./\\-]*\bconnectionpool(?:\.py)?(?:[:(]\d+\)?)?|\b"
    + _FUNCTION
    + rb"\b(?:\(\))?(?::\d+)?|(?i:\b(?:debug|info|warn(?:ing)?|error)\b)"
)
_COLOUR = re.compile(rb"\x1b\[[\d;]*[A-Za-z]")
_BETWEEN = re.compile(rb"""[\s|\[\](){}<>,;"'=]+""")


@dataclass(slots=True)
class _Origin:
    """Where the lines with one and the same prefix, its time left out, come from.

    Words are kept as their hashes: there may be secrets among them.
    """

    source: str
    named: bool
    process: int | None
    threaded: bool
    who: tuple[int, ...]  # the threads and processes that are evident
    words: list[int]  # the others, by their place
    shape: _Format
    lane: int | None = None


def _origin(prefix: bytes, shape: Callable[[int], _Format]) -> _Origin:
    text = _COLOUR.sub(b"", prefix[-_LONGEST_PREFIX:].rpartition(b"\r")[2])
    names = _NAME.findall(text)
    process, threaded = None, False
    who: list[int] = []
    for found in _EVIDENT.finditer(text):
        groups = {name: value for name, value in found.groupdict().items() if value}
        who += map(hash, groups.values())
        process = next((int(groups[n]) for n in _PROCESS_GROUPS if n in groups), process)
        threaded = threaded or any(name in groups for name in _THREAD_GROUPS)
    words = _BETWEEN.split(_KNOWN.sub(b" ~ ", _EVIDENT.sub(b" ~ ", text)))[:_MOST_WORDS]
    return _Origin(
        source=names[-1].decode() if names else LOGGER,
        named=bool(names),
        process=process,
        threaded=threaded,
        who=tuple(who),
        words=[hash(word) for word in words],
        shape=shape(len(words)),
    )


@dataclass(slots=True)
class _Column:
    """How many openings are directly followed by their answer, if this word makes the lanes."""

    explained: int = 0
    pending: dict[tuple[tuple[int, ...], int], str | None] = field(default_factory=dict)

    def observe(self, key: tuple[tuple[int, ...], int], what: _What) -> None:
        if what.kind in _OPENINGS:
            self.pending[key] = what.host
        elif what.kind in _ENDS and self.pending:
            opened = self.pending.pop(key, None)
            self.explained += opened is not None and opened == what.host


_OPENINGS = frozenset({"starting", "resetting"})
_ENDS = frozenset({"answered", "old answer", "retrying"})


class _Format:
    """Learns, from the first lines of a shape, which of their words are worth a lane.

    A line number, a duration, a counter part an opening from its answer, and so explain less than
    no word at all; nor has a log of one thread anything that is left to explain.
    """

    def __init__(self, words: int) -> None:
        self.learning = True
        self.telling: tuple[int, ...] = ()
        self.sure = False
        self._lines = 0
        self._openings = 0
        self._without = _Column()
        self._columns = [_Column() for _ in range(words)]

    def observe(self, origin: _Origin, what: _What) -> None:
        self._lines += 1
        self._openings += what.kind in _OPENINGS
        self._without.observe((origin.who, 0), what)
        for column, word in zip(self._columns, origin.words, strict=True):
            column.observe((origin.who, word), what)

    def decide(self) -> bool:
        """Judge the words by what has been seen; whether that has changed anything."""
        before = self.telling
        left = self._openings - self._without.explained
        least = self._without.explained + max(2, math.ceil(left / 2))
        self.telling = tuple(
            place for place, column in enumerate(self._columns) if column.explained >= least
        )
        best = max((self._columns[place].explained for place in self.telling), default=0)
        self.sure = best >= 0.95 * self._openings and best > 0
        if self._lines >= _SAMPLE:
            self.learning = False
            self._columns.clear()
            self._without = _Column()
        return self.telling != before


class _Lanes:
    """Gives each line its lane."""

    def __init__(self) -> None:
        self.all_told = True
        self._origins: dict[int, _Origin] = {}
        self._numbers: dict[tuple[int, ...], int] = {}
        self._formats: dict[int, _Format] = {}
        self._next = itertools.count(1)

    def origin(self, prefix: bytes) -> _Origin:
        origin = self._origins.get(hash(prefix))
        if origin is None:  # then perhaps for a second time, that of whoever carried the line
            prefix = _TIME.sub(b"", prefix)
            origin = self._origins.get(hash(prefix))
        if origin is None:
            if len(self._origins) >= _REMEMBERED:
                self._origins.clear()
            origin = self._origins[hash(prefix)] = _origin(prefix, self._shape)
        return origin

    def _shape(self, words: int) -> _Format:
        if words not in self._formats:
            self._formats[words] = _Format(words)
        return self._formats[words]

    def learn(self, found: list[_Found]) -> None:
        changing = set()
        for _, _, origin, what in found:
            if origin.shape.learning:
                origin.shape.observe(origin, what)
                changing.add(origin.shape)
        if sum(shape.decide() for shape in changing):
            self._origins.clear()
            for _, _, origin, _ in found:
                origin.lane = None

    def lane(self, origin: _Origin) -> int:
        if origin.lane is None:
            shape = origin.shape
            key = (*origin.who, 0, *(origin.words[place] for place in shape.telling))
            if key not in self._numbers:
                if len(self._numbers) >= _REMEMBERED:
                    self._numbers.clear()
                self._numbers[key] = next(self._next)
            origin.lane = self._numbers[key]
            told = origin.threaded or (shape.sure and shape.telling != ())
            self.all_told = self.all_told and told
        return origin.lane


# -- Lines of JSON --------------------------------------------------------------------------------

_JSON = re.compile(rb'\{\s*"')
_DECODER = json.JSONDecoder()
_A_TIME = "time"
_TIME_KEYS = frozenset(
    {"ts", "time", "timestamp", "@timestamp", "asctime", "created", "date", "datetime", "t"}
)
_THREAD_KEYS = frozenset(
    {"thread", "threadname", "thread_name", "threadid", "thread_id", "tid", "taskname"}
)
_PROCESS_KEYS = frozenset({"process", "pid", "processid", "process_id", "process_pid"})
_HOST_KEYS = frozenset(
    {"host", "hostname", "host_name", "pod", "pod_name", "processname", "process_name"}
    | {"container", "container_id", "container_name"}
)


_ROLES = {_A_TIME: _TIME_KEYS, "thread": _THREAD_KEYS, "pid": _PROCESS_KEYS, "host": _HOST_KEYS}
_UNWORDLY = re.compile(r"[^\w.()-]+")
_SHORTEST = 8  # "Retry: /"


def _leaves(value: object, key: str = "", depth: int = 0) -> Iterator[tuple[str, object]]:
    """The ends of a JSON value. {"thread": {"id": 1}} and "process.thread.id" are "thread_id"."""
    if not isinstance(value, dict) or depth > 4:
        yield key, value
        return
    for name, inner in value.items():
        inherits = key and name in ("id", "name", "pid")
        yield from _leaves(inner, f"{key}_{name}" if inherits else name, depth + 1)


@lru_cache(_REMEMBERED)
def _role(key: str) -> str:
    """What the value of a key tells: the time, or where the line is from; else nothing."""
    flat = key.lower().replace(".", "_")
    flat = flat.removeprefix("process_") if "_thread" in flat else flat
    return next((role for role, keys in _ROLES.items() if flat in keys), "")


@dataclass(slots=True)
class _Record:
    """What a line of JSON says, as lines of text that it may stand for."""

    texts: list[bytes]
    prefix: bytes
    at_s: float | None


def _record(line: bytes, clock: _Clock) -> tuple[_Record | None, int]:
    """The object that begins the line, and where it ends."""
    try:
        # one character for each byte, so that places are the same in both
        value, end = _DECODER.raw_decode(line.decode("latin-1"))
    except (ValueError, RecursionError):
        return None, 0
    texts: list[bytes] = []
    prefix: list[bytes] = []
    at_s = None
    for key, leaf in _leaves(value):
        role = _role(key[:40])
        if role == _A_TIME:
            at_s = clock.of_json(leaf) if at_s is None else at_s
        elif role:
            prefix.append(
                f"{role}={_UNWORDLY.sub('_', str(leaf)[:100])}".encode("utf-8", "replace")
            )
        elif isinstance(leaf, str) and len(leaf) >= _SHORTEST:
            raw = leaf.encode("latin-1", "replace")  # "\\u" escapes may be beyond it
            if _NAME.fullmatch(raw):
                prefix.append(raw)
            elif _hits(raw):
                texts.append(raw.rstrip())
    return _Record(texts, b" ".join(prefix), at_s), end


# -- The bytes of a log ---------------------------------------------------------------------------


def _decoded(pieces: Iterator[bytes], damaged: Callable[[], None]) -> Iterator[bytes]:
    """The log as it was written: unpacked if it is gzip's, and as UTF-8 if it was UTF-16."""
    head, pieces = _with_head(pieces)
    if head.startswith(b"\x1f\x8b"):
        head, pieces = _with_head(_unpacked(pieces, damaged))
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):  # PowerShell's ">"
        decoder = codecs.getincrementaldecoder("utf-16")("replace")
        return (decoder.decode(piece).encode("utf-8", "replace") for piece in pieces)
    return pieces


def _with_head(pieces: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    head = b""
    while len(head) < 2 and (piece := next(pieces, b"")):
        head += piece
    return head[:2], itertools.chain([head], pieces) if head else iter(())


def _unpacked(pieces: Iterator[bytes], damaged: Callable[[], None]) -> Iterator[bytes]:
    unpacker, fresh = zlib.decompressobj(31), True
    for packed in pieces:
        rest = packed
        while rest:
            if fresh and not (rest := rest.lstrip(b"\0")):  # padding between members, or after
                break
            fresh = False
            try:
                piece = unpacker.decompress(rest, _BLOCK)
            except zlib.error:
                damaged()
                return
            if piece:
                yield piece
            rest = unpacker.unconsumed_tail
            if unpacker.eof:
                rest, unpacker, fresh = unpacker.unused_data, zlib.decompressobj(31), True
    if not fresh:
        damaged()


# A line of urllib3's whose lane is not yet known: its number, its time, its origin, what it says
_Found = tuple[int, float | None, _Origin, _What]


class Reading:
    """Iterates over what urllib3's lines in one log tell; the counts are those so far.

    ``lines`` and ``bytes`` are the log's, unpacked; ``urllib3_lines`` those of its pools, whether
    or not they tell of an event; ``skipped`` those of them that are cut off or cannot be read.
    ``ended_early`` says that a compressed log is damaged, or has no end.
    """

    def __init__(
        self,
        source: str | os.PathLike[str] | BinaryIO,
        *,
        until: Callable[[], bool] | None = None,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self.lines = 0
        self.urllib3_lines = 0
        self.skipped = 0
        self.bytes = 0
        self.ended_early = False
        self._source = source
        self._until = until
        self._wait = wait
        self._over = False
        self._clock = _Clock()
        self._lanes = _Lanes()
        self._names_itself = False
        self._tells_ports: set[str] = set()
        self._hosts: dict[str, _What] = {}  # for old lines, whose answers do not name theirs
        self._opening: dict[int, str] = {}
        self._seen = self._read()

    def __iter__(self) -> Iterator[Seen]:
        return self._seen

    def __next__(self) -> Seen:
        return next(self._seen)

    @property
    def tells_threads(self) -> bool:
        """Whether every event so far is known to be from another thread than another lane's.

        If not, then what two threads did at once may be in one lane.
        """
        return self.urllib3_lines > 0 and self._lanes.all_told

    # Files

    def _read(self) -> Iterator[Seen]:
        try:
            for pieces in self._files():
                for block in self._blocks(_decoded(pieces, self._damaged)):
                    yield from self._told(self._found(block))
        except OSError as error:
            name = "standard input" if self._source == "-" else self._source
            raise UsageError(
                f"The log cannot be read: {name}: {error.strerror or error}."
            ) from error

    def _damaged(self) -> None:
        self.ended_early = True

    def _files(self) -> Iterator[Iterator[bytes]]:
        if not isinstance(self._source, str | os.PathLike):
            yield _pieces(self._source)
        elif self._source == "-":
            yield _pieces(sys.stdin.buffer)
        else:
            with Path(self._source).open("rb", buffering=0) as file:
                yield self._growing(file, self._until) if self._until else _pieces(file)
            while self._until and not self._over:
                yield from self._next_file(Path(self._source), self._until)

    def _next_file(self, path: Path, until: Callable[[], bool]) -> Iterator[Iterator[bytes]]:
        try:
            with path.open("rb", buffering=0) as file:
                yield self._growing(file, until)
        except FileNotFoundError:  # between a rotation's two steps
            self._over = until()
            if not self._over:
                self._wait(PAUSE_S)

    def _growing(self, file: BinaryIO, until: Callable[[], bool]) -> Iterator[bytes]:
        """What is in the file, and comes into it, until another takes its place or it shrinks."""
        while True:
            # first asked, then read: what was written before the end is part of it
            self._over = until()
            yield from _pieces(file)
            if self._over:
                return
            if self._replaced(file):
                yield from _pieces(file)  # what came between the last look and the rotation
                return
            self._wait(PAUSE_S)

    def _replaced(self, file: BinaryIO) -> bool:
        mine = os.fstat(file.fileno())
        if mine.st_size < file.tell():
            return True
        try:
            now = Path(str(self._source)).stat()
        except FileNotFoundError:
            return False
        return (now.st_ino, now.st_dev) != (mine.st_ino, mine.st_dev)

    # Lines

    def _blocks(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """Whole lines, many at a time. One that is too long is an empty one, and skipped."""
        rest, too_long = b"", False
        for piece in pieces:
            self.bytes += len(piece)
            if too_long:
                end = piece.find(b"\n")
                if end < 0:
                    continue
                data, too_long = piece[end:], False
            else:
                data = rest + piece
            end = data.rfind(b"\n") + 1
            # a log that is truncated under its writer begins with a hole
            rest = data[end:].lstrip(b"\0")
            if len(rest) > _LONGEST_LINE:
                self._count_too_long(rest)
                rest, too_long = b"", True
            if end:
                yield data[:end]
        if rest or too_long:
            yield rest + b"\n"

    def _count_too_long(self, line: bytes) -> None:
        hits = _hits(line[:_LONGEST_LINE])
        if any(hit % _SLOTS < _UNMISTAKABLE for hit in hits) or _NAMED.search(line):
            self.urllib3_lines += 1
            self.skipped += 1

    def _found(self, block: bytes) -> list[_Found]:
        """What is urllib3's in whole lines, before it is known who is who."""
        hits = _hits(block)
        found: list[_Found] = []
        begins = set()
        at, index, line = 0, 0, self.lines + 1
        while index < len(hits):
            position = hits[index] // _SLOTS
            start = block.rfind(b"\n", 0, position) + 1
            end = block.find(b"\n", position)
            first, behind = index, end * _SLOTS
            index += 1
            while index < len(hits) and hits[index] < behind:
                index += 1
            line += block.count(b"\n", at, start)
            at = start
            begins.add(start)
            one = self._line(block[start:end], line, start, hits[first:index])
            if one is not None:
                found.append(one)
        if block.count(_NAME_NEEDLE) > sum(origin.named for _, _, origin, _ in found):
            found += self._others(block, begins)
            found.sort(key=itemgetter(0))
        self.lines = line - 1 + block.count(b"\n", at)
        return found

    def _line(self, text: bytes, line: int, start: int, hits: list[int]) -> _Found | None:
        broken = False
        for hit in hits[:_TRIES]:
            slot, position = hit % _SLOTS, hit // _SLOTS - start
            opening = text.find(b"{", 0, position)
            if opening >= 0 and (brace := _JSON.search(text, opening, position)):
                is_json, one = self._json(text, brace.start(), line, position)
                if is_json:
                    if one is None:
                        self._count_unreadable(text, broken=slot < _UNMISTAKABLE)
                    return one
            message = _NEEDLES[slot].read(text, position)
            if message is not None and (one := self._of(text, line, message)):
                return one
            broken = broken or slot < _UNMISTAKABLE
        self._count_unreadable(text, broken=broken)
        return None

    def _others(self, block: bytes, read: set[int]) -> Iterator[_Found]:
        """The lines that nothing but the logger's name shows to be urllib3's: old request lines.

        All others, which do not tell of an event, are counted.
        """
        at, line, position = 0, self.lines + 1, block.find(_NAME_NEEDLE)
        while position >= 0:
            start = block.rfind(b"\n", 0, position) + 1
            end = block.find(b"\n", position)
            if start not in read:
                text = block[start:end]
                line += block.count(b"\n", at, start)
                at = start
                message = _old_answered(text)
                one = self._of(text, line, message) if message else None
                if one is not None:
                    yield one
                else:
                    self._count_unreadable(text, broken=False)
            position = block.find(_NAME_NEEDLE, end)

    def _count_unreadable(self, text: bytes, *, broken: bool) -> None:
        named = _NAME_NEEDLE in text and _NAMED.search(text) is not None
        cut = broken or (named and _looks_cut(text))
        self.urllib3_lines += named or cut
        self.skipped += cut

    def _of(
        self, text: bytes, line: int, message: _Message, record: _Record | None = None
    ) -> _Found | None:
        """The message with its origin; None if it is somebody else's, or cannot be placed."""
        start, end, what = message
        prefix = text[max(0, start - _LONGEST_PREFIX) : start].lstrip(b"\0\xef\xbb\xbf")
        at_s = None
        if timed := _TIME.search(prefix):
            at_s = self._clock.seconds(timed)
            prefix = prefix[: timed.start()] + prefix[timed.end() :]
        if len(text) > end + 1:
            # Behind the message only what is evident: a URL with a space in it goes on there
            behind = text[end : end + _LONGEST_PREFIX]
            marks = [found[0] for found in _EVIDENT.finditer(behind)]
            marks += _NAME.findall(behind)
            prefix = b" ".join((prefix, *marks)) if marks else prefix
        if record is not None:
            prefix = record.prefix + b" " + prefix
            at_s = record.at_s if at_s is None else at_s
        origin = self._lanes.origin(prefix)
        if not self._is_urllib3s(what, origin):
            return None
        self.urllib3_lines += 1
        return line, at_s, origin, what

    def _is_urllib3s(self, what: _What, origin: _Origin) -> bool:
        self._names_itself = self._names_itself or origin.named
        if what.kind == "starting":
            if what.port is not None:
                self._tells_ports.add(origin.source)
            # what tells ports once does so always: here it was cut off
            return what.port is not None or origin.source not in self._tells_ports
        if what.kind == "old answer":  # which a server's access log has as well
            return origin.named
        if what.kind == "status":  # words that anybody may use
            return origin.named or not self._names_itself
        return True

    def _json(self, text: bytes, at: int, line: int, message_at: int) -> tuple[bool, _Found | None]:
        """Whether the message is within the object that begins here, and what it tells."""
        record, end = _record(text[at:], self._clock)
        if record is not None and at + end <= message_at:
            return False, None  # an object before the message
        if record is not None:
            record.prefix += b" " + _TIME.sub(b"", text[max(0, at - _LONGEST_PREFIX) : at])
            for inner in record.texts:
                if one := self._inner(inner, line, record):
                    return True, one
        return True, None

    def _inner(self, text: bytes, line: int, record: _Record) -> _Found | None:
        for hit in _hits(text)[:_TRIES]:
            slot, position = hit % _SLOTS, hit // _SLOTS
            message = _NEEDLES[slot].read(text, position)
            if message is not None and (one := self._of(text, line, message, record)):
                return one
        return None

    # Events

    def _told(self, found: list[_Found]) -> Iterator[Seen]:
        self._lanes.learn(found)
        for line, at_s, origin, what in found:
            lane = origin.lane or self._lanes.lane(origin)
            event = self._event(lane, what) if what.port is None else _event(lane, what)
            if event is None:
                self.skipped += 1
                continue
            yield Seen(event, origin.source, at_s, origin.process, line)

    def _event(self, lane: int, what: _What) -> PoolEvent | Discarding | None:
        if what.kind == "starting":
            return self._start(lane, what)
        if what.kind == "old answer":
            return self._old_answer(lane, what.number)
        if what.kind == "resetting" and self._hosts:
            self._opening[lane] = str(what.host)
        return _event(lane, what)

    def _start(self, lane: int, what: _What) -> PoolEvent | Discarding:
        host = str(what.host)
        for memory in (self._hosts, self._opening):
            if len(memory) >= _REMEMBERED:
                memory.clear()
        self._hosts[host] = what._replace(port=_DEFAULT_PORTS[what.scheme])
        self._opening[lane] = host
        return _event(lane, self._hosts[host])

    def _old_answer(self, lane: int, status: int) -> PoolEvent | Discarding | None:
        """Whose answer it is: what this lane is opening, or the only host that there is."""
        host = self._opening.pop(lane, None)
        if host is None and len(self._hosts) == 1:
            host = next(iter(self._hosts))
        place = self._hosts.get(host or "")
        return place and _event(lane, place._replace(kind="answered", number=status))


@lru_cache(_REMEMBERED)
def _event(lane: int, what: _What) -> PoolEvent | Discarding:
    kind, name, scheme, port_or_none, number = what
    host, port = str(name), int(port_or_none or 0)
    match kind:
        case "answered":
            return Answered(thread=lane, scheme=scheme, host=host, port=port, status=number)
        case "starting":
            return Starting(thread=lane, scheme=scheme, host=host, port=port, ordinal=number)
        case "resetting":
            return Resetting(thread=lane, host=host)
        case "discarding":
            return Discarding(thread=lane, host=host)
        case "retrying":
            return Retrying(thread=lane)
        case _:
            return RetryingStatus(thread=lane)


def _hits(block: bytes) -> list[int]:
    """Where in a block what urllib3 says may be, in order."""
    hits: list[int] = []
    for slot, (text, _, around) in enumerate(_NEEDLES):
        position = block.find(text)
        while position >= 0:
            if around is None or around.match(block, position):
                hits.append(position * _SLOTS + slot)
            position = block.find(text, position + 1)
    hits.sort()
    return hits


def _pieces(stream: BinaryIO) -> Iterator[bytes]:
    # read1: what is there, without waiting for a whole block
    read = getattr(stream, "read1", stream.read)
    while piece := read(_BLOCK):
        yield piece


def read(
    source: str | os.PathLike[str] | BinaryIO,
    *,
    until: Callable[[], bool] | None = None,
    wait: Callable[[float], None] = time.sleep,
) -> Reading:
    """Read a debug log: a path, "-" for standard input, or a binary stream; gzip is unpacked.

    With ``until`` a path is followed, through rotations, until that says that it is over: it is
    asked whenever the end is reached, and after it said so what is left is read. ``wait`` is given
    the seconds to wait in between.

    Raises:
        UsageError: while iterating, if the log cannot be read.
    """
    return Reading(source, until=until, wait=wait)
