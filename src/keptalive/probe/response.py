"""Bytes to a response, without I/O: to its exact end, so that a byte too many is noticed.

RFC 9112, sections 4 to 7 and 9.3. A body is counted and thrown away.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

LONGEST_HEAD = 65_536  # bytes, trailers and interim responses included
_STATUS_LINE = re.compile(rb"HTTP/(1\.[01]) ([1-9][0-9]{2})(?: [^\r\n]*)?\r?\Z")
_NO_BODY = (204, 304)
_SAID = 80  # bytes of what is not HTTP that are kept


class NotHttpError(Exception):
    """What came is not a response of HTTP/1; the argument is its beginning."""


class TooLongError(Exception):
    """The head or the body is longer than the limit."""


@dataclass(slots=True)
class Response:
    """One response to a GET, as far as it has come.

    Attributes:
        limit: the most bytes of the body, framing included.
        head_complete: the fields of the head are valid.
        complete: it has come to its end.
        rest: bytes after its end, which belong to no response.
    """

    limit: int
    version: str = ""
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    head_complete: bool = False
    complete: bool = False
    rest: bytes = b""
    _pending: bytes = b""
    _body_bytes: int = 0
    _head_bytes: int = 0
    _left: int | None = None  # of the body, or of a chunk; None: until the connection ends
    _chunked: bool = False
    _in_trailer: bool = False

    @property
    def framed(self) -> bool:
        """Whether its end can be told without the end of the connection."""
        return self._chunked or self._left is not None

    @property
    def has_begun(self) -> bool:
        """Whether anything of it has come."""
        return bool(self.head_complete or self._pending or self._head_bytes)

    @property
    def keeps(self) -> bool:
        """Whether another request may follow on this connection (RFC 9112, section 9.3)."""
        options = {one.strip().lower() for one in self.headers.get("connection", "").split(",")}
        if not self.framed or "close" in options:
            return False
        return self.version == "HTTP/1.1" or "keep-alive" in options

    def feed(self, data: bytes) -> None:
        """Take these bytes.

        Raises:
            NotHttpError, TooLongError: it is over.
        """
        self._pending += data
        if not self.head_complete:
            self._read_head()
        if self.head_complete and not self.complete:
            self._read_body()
        if self.complete:
            self.rest += self._pending
            self._pending = b""

    def end(self) -> bool:
        """The connection has ended: whether the response is whole by that."""
        if self.head_complete and not self.framed:
            self.complete = True
        return self.complete

    def _read_head(self) -> None:
        while not self.head_complete:
            self._refuse_what_is_not_http()
            head, end, rest = _split_head(self._pending)
            if self._head_bytes + len(head if end else self._pending) > LONGEST_HEAD:
                raise TooLongError
            if not end:
                return
            self._head_bytes += len(head)
            self._pending = rest
            self._take_head(head)

    def _refuse_what_is_not_http(self) -> None:
        begins = self._pending[:5]
        if begins and not b"HTTP/".startswith(begins) and begins != b"HTTP/":
            raise NotHttpError(self._pending[:_SAID])

    def _take_head(self, head: bytes) -> None:
        first, *lines = head.split(b"\n")
        found = _STATUS_LINE.match(first)
        if found is None:
            raise NotHttpError(first[:_SAID])
        version, status = found[1].decode(), int(found[2])
        if 100 <= status < 200 and status != 101:
            return  # an interim response: the next head is the one
        self.version, self.status = f"HTTP/{version}", status
        for line in lines:
            name, _, value = line.decode("latin-1").partition(":")
            key, value = name.strip().lower(), value.strip()
            self.headers[key] = f"{self.headers[key]}, {value}" if key in self.headers else value
        self.head_complete = True
        self._frame(first)

    def _frame(self, first: bytes) -> None:
        coding = self.headers.get("transfer-encoding", "").lower()
        length = self.headers.get("content-length", "").split(",")[0].strip()
        if self.status in _NO_BODY:
            self._left = 0
        elif coding:
            self._chunked = coding.split(",")[-1].strip() == "chunked"
        elif length:
            if not length.isdecimal() or len(length) > 18:
                raise NotHttpError(first[:_SAID])
            self._left = int(length)
            if self._left > self.limit:
                raise TooLongError

    def _read_body(self) -> None:
        if self._chunked:
            self._read_chunks()
        elif self._left is None:
            self._count(len(self._pending))
            self._pending = b""
        else:
            self._skip()
            self.complete = self._left == 0

    def _skip(self) -> None:
        taken = min(self._left or 0, len(self._pending))
        self._count(taken)
        self._pending = self._pending[taken:]
        self._left = (self._left or 0) - taken

    def _count(self, taken: int) -> None:
        self._body_bytes += taken
        if self._body_bytes > self.limit:
            raise TooLongError

    def _read_chunks(self) -> None:
        data, at = self._pending, 0  # cut once at the end: a chunk may be a single byte
        try:
            while not self.complete and at < len(data):
                if self._left:  # of a chunk, with the line break after it
                    taken = min(self._left, len(data) - at)
                    self._left -= taken
                else:
                    end = data.find(b"\n", at)
                    if end < 0:
                        if len(data) - at > LONGEST_HEAD:
                            raise TooLongError
                        return
                    self._take_chunk_line(data[at:end].rstrip(b"\r"))
                    taken = end + 1 - at
                at += taken
                self._count(taken)
        finally:
            self._pending = data[at:]

    def _take_chunk_line(self, line: bytes) -> None:
        if self._in_trailer:
            self.complete = not line
            return
        digits = line.partition(b";")[0].strip()
        if not re.fullmatch(rb"[0-9A-Fa-f]{1,15}", digits):
            raise NotHttpError(line[:_SAID])
        size = int(digits, 16)
        self._in_trailer = size == 0
        self._left = size + 2 if size else 0


def _split_head(data: bytes) -> tuple[bytes, bytes, bytes]:
    """A head, its end and what follows; lone line feeds end lines too (RFC 9112, section 2.2)."""
    ends = [(at, mark) for mark in (b"\r\n\r\n", b"\n\n") if (at := data.find(mark)) >= 0]
    if not ends:
        return data, b"", b""
    at, mark = min(ends)
    return data[:at], mark, data[at + len(mark) :]
