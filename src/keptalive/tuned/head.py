"""`QuickResponse`: http.client's response, which parses the usual head of a response faster.

http.client gives each head to the email package's parser, which expects any kind of mail. This
takes 60 to 100 us of CPU time for a head like GitHub's, a tenth of a request on a kept connection.
A head that has come whole and has nothing unusual is parsed here, with the same result. Any other
head is left to http.client, before a byte of it is read; so is every head if somebody has replaced
http.client's functions.
"""

from __future__ import annotations

import http.client
import re
from functools import lru_cache
from http import HTTPStatus
from typing import Any, NamedTuple

from keptalive.tuned.originals import Originals

_STATUS_LINE = re.compile(r"HTTP/1\.1 ([2-9][0-9][0-9]) (.*)")
_NAME = re.compile(r"[!-9;-~]+")  # as email.feedparser.headerRE
_FIELDS_MOST = 99  # http.client._MAXHEADERS: 100 with the empty line
_HEAD_MOST = 65_536  # http.client._MAXLINE
_FRAMING = frozenset({"connection", "content-length", "content-type", "transfer-encoding"})
_NO_BODY = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)
_ORIGINALS = Originals((http.client.HTTPResponse, "begin"), (http.client, "parse_headers"))


class Head(NamedTuple):
    """A parsed head.

    Attributes:
        status: the status code.
        reason: the text after it.
        fields: names and values, in their order.
        framing: by lower-case name, the first value of each field that says where the body ends.
        length: of the head, in bytes.
    """

    status: int
    reason: str
    fields: list[tuple[str, str]]
    framing: dict[str, str]
    length: int


def parse(data: bytes) -> Head | None:
    """The head at the start of these bytes; None if it is not whole, or unusual in any way."""
    end = data.find(b"\r\n\r\n")
    if not 0 < end <= _HEAD_MOST:
        return None
    text = str(data[:end], "iso-8859-1")
    first, *lines = text.split("\r\n")
    if not len(lines) == text.count("\n") == text.count("\r") <= _FIELDS_MOST:
        return None  # a line break alone
    status_line = _STATUS_LINE.match(first)
    if status_line is None:
        return None
    fields = []
    framing: dict[str, str] = {}
    try:
        for line in lines:
            name, value = line.split(":", 1)
            key = _key(name)
            value = value.lstrip(" \t")
            fields.append((name, value))
            if key:
                framing.setdefault(key, value)
    except ValueError:  # not a name and a value
        return None
    kind = framing.get("content-type", "").lstrip().lower()
    if kind.startswith(("multipart", "message")):  # the email package looks for parts
        return None
    return Head(int(status_line[1]), status_line[2].strip(), fields, framing, end + 4)


@lru_cache(1000)
def _key(name: str) -> str | None:
    """The name in lower case if it says where the body ends, else None.

    Raises:
        ValueError: it is no name.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(name)
    key = name.lower()
    return key if key in _FRAMING else None


class QuickResponse(http.client.HTTPResponse):
    """A response of http.client; `begin` reads the usual head faster."""

    headers: Any  # None before `begin`
    _method: str

    def begin(self) -> None:
        """As http.client's, with the same result and the same errors."""
        peek = getattr(self.fp, "peek", None)  # a buffered socket has it
        if self.headers is not None or self.debuglevel > 0 or peek is None:
            return super().begin()
        if not _ORIGINALS.are_unchanged():
            return super().begin()
        data = peek()
        if not data:  # not to be read again: TLS may then raise another error
            raise http.client.RemoteDisconnected("Remote end closed connection without response")
        head = parse(data)
        if head is None:
            return super().begin()
        self.fp.read(head.length)
        message = http.client.HTTPMessage()
        for name, value in head.fields:
            message.set_raw(name, value)
        message.set_payload("")
        self.headers = self.msg = message
        self.code = self.status = head.status
        self.version, self.reason = 11, head.reason
        self._frame_body(head.framing)
        return None

    def _frame_body(self, framing: dict[str, str]) -> None:
        """Where the body ends (RFC 9112, section 6), as http.client decides it for HTTP/1.1."""
        self.chunked = framing.get("transfer-encoding", "").lower() == "chunked"
        self.will_close = "close" in framing.get("connection", "").lower()
        self.length = None
        if self.chunked:
            self.chunk_left = None
        else:
            self.length = _length(framing.get("content-length"))
        if self.status in _NO_BODY or self._method == "HEAD":
            self.length = 0
        if not self.chunked and self.length is None:
            self.will_close = True


def _length(value: str | None) -> int | None:
    if not value:
        return None
    try:
        length = int(value)
    except ValueError:
        return None
    return None if length < 0 else length
