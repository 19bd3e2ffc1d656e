"""The messages of urllib3 1.26 and 2.x: where in a block they may be, and how each is read."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

TRIES = 8  # at one line: a hostile one must not cost the square of its length
REMEMBERED = 4096  # prefixes, threads: as many as a log needs, not as many as it has
DEFAULT_PORTS = {"http": 80, "https": 443}


class What(NamedTuple):
    """What a message says; ``host`` is that of an attempt to connect or of a response, else None.

    ``port`` is None of a "Starting" line without one, as a log that was made shorter has it, and
    of a response's line that says "None". Of a try that failed, ``host`` is whom the error names.
    """

    kind: str
    host: str | None = None
    scheme: str = ""
    port: int | None = None
    # the ordinal, the status, how many connections the pool keeps, how many retries are left
    number: int | None = None
    error: str = ""
    path: str = ""


Message = tuple[int, int, What]  # where it begins, where it ends, what it says
_STATUS_IS_RETRIED = What("status")


_END = rb"""(?=[\s"'\\,;|<>()\[\]{}\x1b]|$)"""
# What people put for a name that nobody shall read; it may have spaces
_IN_BRACKETS = rb"(?:<(?!/?(?:br|b|p|td|span)\b)[\w*. -]{1,80}>|\[[\w*. -]{1,80}\])"
_REDACTED = (
    rb"(?<![\w>)\]}])(?:" + _IN_BRACKETS + rb"|\([\w*. -]{1,80}\)|\{{1,2}[\w*. -]{1,80}\}{1,2})"
)
_REDACTED_PORT = rb"(?:<[\w*-]{1,40}>|\[[\w*-]{1,40}\]|\*{1,40}|[xX]{2,5})"
_REDACTED_PLACE = _IN_BRACKETS + rb"|\*{3,40}|[xX]{3,40}"
_PLAIN = rb"""[^\s"'\\,;|<>()\[\]{}\x1b]"""
_OTHERWISE = rb"(?:" + _REDACTED + _PLAIN + rb"{0,255})"
_PLACE = rb"(?:" + _PLAIN + rb"{1,255}" + _OTHERWISE + rb"{0,4}|" + _OTHERWISE + rb"{1,4})"
_BRACKETED = rb"""\[[^\s"'\\\]]{1,255}\]"""
_HOST = rb"(" + _BRACKETED + rb"|" + _PLACE + rb")"
_STARTING = re.compile(
    rb"Starting new (HTTPS?) connection \((\d{1,9})\): ("
    + _BRACKETED
    + rb":\d+|"
    + _PLACE
    + rb")"
    + _END
)
_RESETTING = re.compile(rb"Resetting dropped connection: " + _HOST + _END)
_FULL_POOLS = (b"Connection pool", b"HttpConnectionPool")  # the second: urllib3 before 1.10
_DISCARDING = re.compile(
    rb" is full, discarding connection: "
    + _HOST
    + rb"(?:\. Connection pool size: (\d{1,9}))?"
    + _END
    + rb"(?! Conn)"  # a size that was cut off
)
# The last of nested exceptions: "ProtocolError('Connection aborted.', RemoteDisconnected('"
_ERROR = rb"(?:(\w{1,80})\((?:'[^']{0,80}', )?){1,4}"
_BROKEN = re.compile(rb" after connection broken by '(?:" + _ERROR + rb")?(.*)': ([^\s\"\\\x1b]+)")
_LEFT = re.compile(rb"\((?:Retry\(total=)?(\d{1,9})\b")  # "(2 attempts remain)": urllib3 before 1.9
_PROXY_ERROR = b" after connection broken by 'ProxyError("  # which names the proxy, not the host
_BROKEN_HOST = re.compile(
    rb"(HTTPS?)Connection(?:Pool)?\(host=\\?'([^'\\]{1,255})\\?', port=(\d{1,5})\)"
    rb"|Connection to ([^\s']{1,255}) timed out"
)
_LONGEST_PATH = 120  # characters
_RETRY = re.compile(rb"(?:(?<![\w.-])|(?<=\dm))Retry: (?:/|https?://)[^\s\"\\]*")
_PLACED = (
    rb'([^\s"/:]{1,255}|'  # as most are; then what has a colon or a blank in it
    + _BRACKETED
    + rb"|"
    + _IN_BRACKETS
    + rb'|[^\s"/]{1,255}?):(\d{1,5}|None|'
    + _REDACTED_PORT
    + rb") "
)
_REQUEST = re.compile(
    rb"(https?)://(?:"
    + _PLACED
    + rb"|("
    + _REDACTED_PLACE
    + rb') )\\{0,7}"[A-Za-z]+ [^\s]*(?: [^\s"]*)*? HTTP/[\d.]{1,3}\\{0,7}" (\d{3}) (?:\d+|None)'
    + rb"(?![\w.])"
)


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
    place = found and _place(found[3])
    if not found or not place:
        return None
    scheme = "http" if found[1] == b"HTTP" else "https"
    return at, found.end(), What("starting", place[0], scheme, place[1], int(found[2]))


@lru_cache(REMEMBERED)
def _place(raw: bytes) -> tuple[str, int | None] | None:
    """A host and its port, which may be missing. IPv6 has no brackets: "::1:80"."""
    text = _text(raw)
    host, _, port = text.rpartition(":")
    bare = host.strip("[]")
    if host and _is_port(port) and (":" not in bare or _is_ipv6(bare)):
        return bare, int(port)
    bare = (host if host and _IS_REDACTED_PORT.fullmatch(port) else text).strip("[]")
    return (bare, None) if ":" not in bare or _is_ipv6(bare) else None


_IS_REDACTED_PORT = re.compile(_REDACTED_PORT.decode())


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 5


def _resetting(line: bytes, at: int) -> Message | None:
    found = _RESETTING.match(line, at)
    return found and (at, found.end(), What("resetting", _host(found[1])))


def _discarding(line: bytes, at: int) -> Message | None:
    start = next((at - len(pool) for pool in _FULL_POOLS if line.endswith(pool, 0, at)), None)
    found = _DISCARDING.match(line, at) if start is not None else None
    if start is None or not found:
        return None
    size = None if found[2] is None else int(found[2])
    return start, found.end(), What("discarding", _host(found[1]), number=size)


def _retrying(line: bytes, at: int) -> Message | None:
    start = line.rfind(b"Retrying (", line.rfind(b"\n", 0, at) + 1, at)
    found = _BROKEN.match(line, at) if start >= 0 else None
    if not found:
        return None
    left = _LEFT.search(line, start, at)
    number = int(left[1]) if left else None
    path = _path(found[3])
    if line.startswith(_PROXY_ERROR, at):
        return start, found.end(), What("retrying", number=number, error="ProxyError", path=path)
    scheme, host, port = _named(found[2])
    error = _text(found[1] or b"")
    return start, found.end(), What("retrying", host, scheme, port, number, error, path)


def _named(error: bytes) -> tuple[str, str | None, int | None]:
    """The scheme, the host and the port that an error names, as far as it does."""
    found = _BROKEN_HOST.search(error)
    if not found:
        return "", None, None
    if found[4]:
        return "", _host(found[4]), None
    return ("https" if found[1] == b"HTTPS" else "http"), _host(found[2]), int(found[3])


def _path(raw: bytes) -> str:
    """What is requested, without its query, in which there may be secrets."""
    text = re.split(r"[?#]", _text(raw), maxsplit=1)[0]
    scheme, separator, rest = text.partition("://")
    if separator:  # through a proxy; a login may stand before the host
        place, slash, path = rest.partition("/")
        text = f"{scheme}://{place.rpartition('@')[2]}{slash}{path}"
    return text if len(text) <= _LONGEST_PATH else f"{text[: _LONGEST_PATH - 1]}…"


def _retry(line: bytes, at: int) -> Message | None:
    found = _RETRY.match(line, at)
    return found and (at, found.end(), _STATUS_IS_RETRIED)


def _answered(line: bytes, at: int) -> Message | None:
    scheme_at = at - 5 if line.startswith(b"https", max(at - 5, 0)) else at - 4
    found = _REQUEST.match(line, scheme_at) if scheme_at >= 0 else None
    return found and (scheme_at, found.end(), _answer_of(*found.groups()))


@lru_cache(REMEMBERED)
def _answer_of(scheme: bytes, host: bytes | None, port: bytes, place: bytes, status: bytes) -> What:
    name = scheme.decode()
    number = int(port) if host is not None and port.isdigit() else None
    if number is None and port != b"None":  # it is redacted
        number = DEFAULT_PORTS[name]
    return What("answered", _host(place if host is None else host), name, number, int(status))


class _Needle(NamedTuple):
    """What one of urllib3's lines contains, and how it is read from there."""

    text: bytes
    read: Callable[[bytes, int], Message | None]


NEEDLES = (
    _Needle(b"Starting new HTTP", _starting),
    _Needle(b"Resetting dropped connection: ", _resetting),
    _Needle(b" is full, discarding connection: ", _discarding),
    _Needle(b" after connection broken by ", _retrying),
    _Needle(b"://", _answered),
    _Needle(b"Retry: ", _retry),
)
UNMISTAKABLE = 5  # so many of them are urllib3's even if the rest cannot be read
SLOTS = 8  # a position and the needle found there are one number, for numbers sort fast
_STARTS, _RESETS, _DISCARDS, _BREAKS, ANSWERS, _RETRIES = range(6)  # their places
# For a long text `bytes.find` is fastest, for a short one a pattern that begins with its letters
_LONG = (_STARTS, _DISCARDS, _BREAKS)
# Where responses may be: others have "://" as well, so what follows is looked at too. Group 2 is
# the port; group 3, the status, is there where the line is a usual response's to its end.
_QUOTE = rb"""(?:\\{0,7}"{1,2}|&(?:amp;)?(?:quot|#0?34|#[xX]22);)"""
RESPONSES = re.compile(
    rb"://(?:"
    + _PLACED
    + rb'(?:"[A-Z]+ [^\s"\\]* HTTP/[\d.]{1,3}" (\d{3}) (?:\d+|None)(?=\r?\n)|(?='
    + _QUOTE
    + rb"[A-Za-z]))|(?:"
    + _REDACTED_PLACE
    + rb") (?="
    + _QUOTE
    + rb"[A-Z]{3,20} ))"
)
_AT_RE = re.compile(rb"Re(?:(setting dropped connection: )|try: )")
NAME_NEEDLE = b".connectionpool"
NAMED = re.compile(rb"urllib3(?:_future)?(?:\._async)?\.connectionpool(?![\w.])")
NAME = re.compile(rb"(?:\w[\w.]{0,80}\.)?" + NAMED.pattern)
_A_REDACTED_NAME = re.compile(r"[<>{}()*]|(?i:^x{2,}\b|\bredacted\b)")
_BEGINS = (
    b"Starting new HTTP",
    b"Resetting dropped connection: ",
    b"Connection pool is full, discarding connection: ",
    b"Retrying (Retry(",
    b"Retry: ",
)
_RESPONSE_ENDS = re.compile(rb" HTTP/[\d.]{1,3}\S{1,8} \d{3} (?:\d+|None)(?![\w.])")
_CUT_OFF = tuple(begin[:length] for begin in _BEGINS for length in range(3, len(begin) + 1))


def is_redacted(host: str) -> bool:
    """Whether this stands for a name that nobody shall read."""
    return _A_REDACTED_NAME.search(host) is not None


def looks_cut(line: bytes) -> bool:
    """Whether a message of urllib3's begins here that does not end, or is quoted somehow."""
    return (
        line.rstrip().endswith(_CUT_OFF)
        or any(begin in line for begin in _BEGINS[:4])
        or _RESPONSE_ENDS.search(line) is not None
    )


def hits_in(text: bytes) -> list[int]:
    """Where in a text, mostly a line, what urllib3 says may be, in order."""
    hits = [found.start() * SLOTS + ANSWERS for found in RESPONSES.finditer(text)]
    hits += other_hits_in(text)
    hits.sort()
    return hits


def other_hits_in(block: bytes) -> list[int]:
    """Where in a block anything but a response may be, in order."""
    hits: list[int] = []
    for slot in _LONG:
        text = NEEDLES[slot].text
        position = block.find(text)
        while position >= 0:
            hits.append(position * SLOTS + slot)
            position = block.find(text, position + 1)
    hits += [
        found.start() * SLOTS + (_RETRIES if found[1] is None else _RESETS)
        for found in _AT_RE.finditer(block)
    ]
    hits.sort()
    return hits
