"""What urllib3 says: its messages, where in a block of a log they may be, and how each is read."""

from __future__ import annotations

import ipaddress
import itertools
import re
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

TRIES = 8  # at one line: a hostile one must not cost the square of its length
REMEMBERED = 4096  # answers, origins, lanes: as many as a log needs, not as many as it has


class What(NamedTuple):
    """What a message says; ``host`` is that of an opening or of its answer, else None."""

    kind: str
    host: str | None = None
    scheme: str = ""
    port: int | None = None
    number: int = 0  # of a "Starting" line the ordinal, of an answer the status


Message = tuple[int, int, What]  # where it begins in its line, where it ends, what it says
_SAYS_NO_MORE = {kind: What(kind) for kind in ("retrying", "status")}


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
DEFAULT_PORTS = {"http": 80, "https": 443}


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


def _starting(line: bytes, at: int) -> Message | None:
    found = _STARTING.match(line, at)
    place = found and _place(_text(found[3]))
    if not found or not place:
        return None
    host, port = place
    what = What("starting", host, found[1].decode().lower(), port, int(found[2]))
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


def _resetting(line: bytes, at: int) -> Message | None:
    found = _RESETTING.match(line, at)
    return found and (found.start(), found.end(), What("resetting", _host(found[1])))


def _discarding(line: bytes, at: int) -> Message | None:
    found = _DISCARDING.match(line, at)
    return found and (found.start(), found.end(), What("discarding", _host(found[1])))


def _retrying(line: bytes, at: int) -> Message | None:
    start = line.rfind(b"Retrying (", 0, at)
    found = _BROKEN.match(line, at) if start >= 0 else None
    return found and (start, found.end(), _SAYS_NO_MORE["retrying"])


def _retry(line: bytes, at: int) -> Message | None:
    found = _RETRY.match(line, at)
    return found and (found.start(), found.end(), _SAYS_NO_MORE["status"])


def _answered(line: bytes, at: int) -> Message | None:
    scheme_at = at - 5 if line.startswith(b"https", max(at - 5, 0)) else at - 4
    found = _REQUEST.match(line, scheme_at) if scheme_at >= 0 else None
    return found and (found.start(), found.end(), _answer_of(*found.groups()))


def old_answered(line: bytes) -> Message | None:
    """The request line of urllib3 before 1.18, which does not name its host."""
    for quote in itertools.islice(_QUOTE.finditer(line), TRIES):
        if found := _OLD_REQUEST.match(line, quote.start()):
            return found.start(), found.end(), What("old answer", number=int(found[1]))
    return None


@lru_cache(REMEMBERED)
def _answer_of(scheme: bytes, host: bytes, port: bytes, status: bytes) -> What:
    name = scheme.decode()
    number = DEFAULT_PORTS[name] if port == b"None" else int(port)
    return What("answered", _host(host), name, number, int(status))


class _Needle(NamedTuple):
    """What one of urllib3's lines contains, and how it is read from there."""

    text: bytes
    read: Callable[[bytes, int], Message | None]


NEEDLES = (
    _Needle(b"Starting new HTTP", _starting),
    _Needle(b"Resetting dropped connection: ", _resetting),
    _Needle(b"Connection pool is full, discarding connection: ", _discarding),
    _Needle(b" after connection broken by ", _retrying),
    _Needle(b"://", _answered),
    _Needle(b"Retry: ", _retry),
)
UNMISTAKABLE = 5  # so many of them are urllib3's even if the rest cannot be read
SLOTS = 8  # a position and the needle found there are one number, for numbers sort fast
_STARTS, _RESETS, _DISCARDS, _BREAKS, _ANSWERS, _RETRIES = range(6)  # their places
# For a long text `bytes.find` is fastest, for a short one a pattern that begins with its letters;
# and others than urllib3 have "://" as well, so what follows is looked at too
_LONG = (_STARTS, _DISCARDS, _BREAKS)
_AT_PLACES = re.compile(rb"://(?=" + _PLACED.removeprefix(rb"://") + rb")")
_AT_RE = re.compile(rb"Re(?:(setting dropped connection: )|try: )")
NAME_NEEDLE = b".connectionpool"
NAMED = re.compile(rb"urllib3(?:_future)?(?:\._async)?\.connectionpool(?![\w.])")
NAME = re.compile(rb"(?:\w[\w.]{0,80}\.)?" + NAMED.pattern)
_BEGINS = (
    b"Starting new HTTP",
    b"Resetting dropped connection: ",
    b"Connection pool is full, discarding connection: ",
    b"Retrying (Retry(",
    b"Retry: ",
)
_CUT_OFF = tuple(begin[:length] for begin in _BEGINS for length in range(3, len(begin) + 1))


def looks_cut(line: bytes) -> bool:
    """Whether a message of urllib3's begins here that does not end."""
    return line.rstrip().endswith(_CUT_OFF) or any(begin in line for begin in _BEGINS[:4])


def hits_in(block: bytes) -> list[int]:
    """Where in a block what urllib3 says may be, in order."""
    hits: list[int] = []
    for slot in _LONG:
        text = NEEDLES[slot].text
        position = block.find(text)
        while position >= 0:
            hits.append(position * SLOTS + slot)
            position = block.find(text, position + 1)
    hits += [found.start() * SLOTS + _ANSWERS for found in _AT_PLACES.finditer(block)]
    for found in _AT_RE.finditer(block):
        hits.append(found.start() * SLOTS + (_RETRIES if found[1] is None else _RESETS))
    hits.sort()
    return hits
