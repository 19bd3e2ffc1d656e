"""A response head is read as by http.client, whoever has parsed it."""

from __future__ import annotations

import http.client
import io
from typing import Any
from unittest import mock

import pytest
import requests
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.servers.peer import Peer
from tests.servers.scripted import Server
from tests.tuned.environment import environment

from keptalive import tuned_session
from keptalive.tuned.head import QuickResponse, parse


class Pieces(io.RawIOBase):
    """What a socket delivers, in pieces of this size."""

    def __init__(self, data: bytes, size: int) -> None:
        self._data, self._size = io.BytesIO(data), size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self._data.read(min(self._size, len(buffer)))
        buffer[: len(piece)] = piece
        return len(piece)


class Delivering:
    """As much of a socket as http.client needs for a response."""

    def __init__(self, data: bytes, size: int) -> None:
        self._data, self._size = data, size

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(Pieces(self._data, self._size))


def read_with(
    kind: type[http.client.HTTPResponse], data: bytes, method: str, size: int
) -> dict[str, Any] | tuple[type, str]:
    """All that this class says of a response, with its body; or its error."""
    response = kind(Delivering(data, size), method=method)  # type: ignore[arg-type]
    try:
        response.begin()
    except (http.client.HTTPException, ConnectionError) as error:
        return type(error), str(error)
    said = {
        name: getattr(response, name)
        for name in ("version", "status", "code", "reason", "chunked", "will_close", "length")
    }
    headers: Any = response.headers
    assert response.msg is headers
    payload = headers.get_payload()
    said |= {
        "fields": headers.items(),
        "class": type(headers),
        "payload": list(map(type, payload)) if isinstance(payload, list) else payload,
        "is_multipart": headers.is_multipart(),
        "defects": [type(defect) for defect in headers.defects],
        "unixfrom": headers.get_unixfrom(),
        "as_string": headers.as_string(),
    }
    try:
        said["body"] = response.read()
    except (http.client.HTTPException, ValueError) as error:
        said["body"] = type(error)
    return said


def assert_same(data: bytes, method: str = "GET", size: int = 8192) -> None:
    expected = read_with(http.client.HTTPResponse, data, method, size)
    assert read_with(QuickResponse, data, method, size) == expected


HEADS = {
    "usual": b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok",
    "no field": b"HTTP/1.1 200 OK\r\n\r\nok",
    "no reason": b"HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nok",
    "no reason and no space": b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok",
    "spaces around the reason": b"HTTP/1.1 200   fine  \r\nContent-Length: 2\r\n\r\nok",
    "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "chunked with a length": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    ),
    "gzip, chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
    "closes": b"HTTP/1.1 200 OK\r\nConnection: Upgrade, Close\r\nContent-Length: 2\r\n\r\nok",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\ncontent-length: 1\r\n\r\nok",
    "length is no number": b"HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\nok",
    "length is negative": b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok",
    "length with a sign": b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok",
    "length is empty": b"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nok",
    "no content": b"HTTP/1.1 204 No Content\r\n\r\n",
    "not modified": b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
    "continue, then the response": (
        b"HTTP/1.1 100 Continue\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    ),
    "early hints": b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n",
    "old protocol": b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok",
    "a later protocol": b"HTTP/1.2 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "unknown protocol": b"HTTP/2 200 OK\r\n\r\n",
    "not HTTP": b"SSH-2.0-OpenSSH\r\n\r\n",
    "status of two digits": b"HTTP/1.1 20 OK\r\n\r\n",
    "status of four digits": b"HTTP/1.1 2000 OK\r\n\r\n",
    "status out of range": b"HTTP/1.1 099 OK\r\n\r\n",
    "nothing": b"",
    "cut in the status line": b"HTTP/1.1 20",
    "cut in a field": b"HTTP/1.1 200 OK\r\nContent-Le",
    "line feeds alone": b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
    "a line feed within": b"HTTP/1.1 200 OK\r\nA: b\nContent-Length: 2\r\n\r\nok",
    "a carriage return within": b"HTTP/1.1 200 OK\r\nA: b\rc\r\nContent-Length: 2\r\n\r\nok",
    "folded": b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\td\r\nContent-Length: 2\r\n\r\nok",
    "folded first": b"HTTP/1.1 200 OK\r\n A: b\r\nContent-Length: 2\r\n\r\nok",
    "no colon": b"HTTP/1.1 200 OK\r\nA\r\nContent-Length: 2\r\n\r\nok",
    "no name": b"HTTP/1.1 200 OK\r\n: a\r\nContent-Length: 2\r\n\r\nok",
    "space before the colon": b"HTTP/1.1 200 OK\r\nA : b\r\nContent-Length: 2\r\n\r\nok",
    "a letter's From": b"HTTP/1.1 200 OK\r\nFrom me\r\nContent-Length: 2\r\n\r\nok",
    "a From field": b"HTTP/1.1 200 OK\r\nFrom: me\r\nContent-Length: 2\r\n\r\nok",
    "latin": "HTTP/1.1 200 OK\r\nA: caf\xe9\x85\xa0\x0b\x1c\r\nContent-Length: 2\r\n\r\nok".encode(
        "latin-1"
    ),
    "a name in latin": "HTTP/1.1 200 OK\r\n\xe9: a\r\nContent-Length: 2\r\n\r\nok".encode(
        "latin-1"
    ),
    "spaces in a value": b"HTTP/1.1 200 OK\r\nA: \t b \t\r\nContent-Length: 2 \r\n\r\nok",
    "multipart": b"HTTP/1.1 200 OK\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x--",
    "multipart without a boundary": b"HTTP/1.1 200 OK\r\nContent-Type:  Multipart/mixed\r\n\r\n",
    "a message": b"HTTP/1.1 200 OK\r\nContent-Type: message/http\r\n\r\n",
    "a delivery status": b"HTTP/1.1 200 OK\r\nContent-Type: message/delivery-status\r\n\r\n",
    "a hundred fields": b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 100 + b"\r\n",
    "99 fields": b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 99 + b"\r\n",
    "a long line": b"HTTP/1.1 200 OK\r\nA: " + b"b" * 65_600 + b"\r\n\r\n",
    "a head larger than the buffer": b"HTTP/1.1 200 OK\r\nA: " + b"b" * 9000 + b"\r\n\r\nok",
}


@pytest.mark.parametrize("size", [8192, 7])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("name", HEADS)
def test_a_head_means_the_same_as_for_http_client(name: str, method: str, size: int) -> None:
    assert_same(HEADS[name], method, size)


LINES = st.lists(
    st.one_of(
        st.sampled_from(
            [
                *(b"Content-Length: 3", b"Connection: close", b"transfer-encoding: chunked"),
                *(
                    b"Content-Type: text/html",
                    b"content-type: MULTIPART/x",
                    b" folded",
                    b"Set-Cookie: a=b",
                ),
            ]
        ),
        st.binary(max_size=12),
        st.builds(
            lambda name, value: name + b":" + value, st.binary(max_size=4), st.binary(max_size=6)
        ),
    ),
    max_size=6,
)


@settings(max_examples=600)
@given(
    first=st.sampled_from([b"HTTP/1.1 200 OK", b"HTTP/1.1 304 ", b"HTTP/1.1 503 \xa0Busy"]),
    lines=LINES,
    end=st.sampled_from([b"\r\n", b"\n", b"\r"]),
    rest=st.binary(max_size=8),
)
@example(first=b"HTTP/1.1 200 OK", lines=[b"A:\r\n\r"], end=b"\r\n", rest=b"")
def test_any_bytes_mean_the_same_as_for_http_client(
    first: bytes, lines: list[bytes], end: bytes, rest: bytes
) -> None:
    data = end.join([first, *lines, b"", b""]) + rest
    assert_same(data)
    assert_same(b"\r\n".join([first, *lines, b"", b""]) + rest)


@pytest.mark.parametrize(
    ("owner", "name"), [(http.client.HTTPResponse, "begin"), (http.client, "parse_headers")]
)
def test_a_function_of_http_client_that_somebody_has_replaced_is_called(
    owner: Any, name: str
) -> None:
    with mock.patch.object(owner, name, autospec=True, side_effect=getattr(owner, name)) as new:
        assert_same(HEADS["usual"])
        assert new.call_count == 2


def test_a_usual_head_is_not_left_to_http_client() -> None:
    data = HEADS["usual"]
    head = parse(data)
    assert head is not None
    assert (head.status, head.reason, head.length) == (200, "OK", data.index(b"ok"))
    assert head.fields == [("Content-Type", "text/plain"), ("Content-Length", "2")]


def test_what_comes_with_the_head_is_not_lost() -> None:
    def script(peer: Peer) -> None:
        for _ in range(2):
            assert peer.request()
            peer.sock.sendall(HEADS["usual"][:-1])
            peer.sock.sendall(b"k")

    with environment(), Server(script) as server, tuned_session() as session:
        for _ in range(2):
            response = session.get(server.url)
            assert response.text == "ok"
            assert isinstance(response.raw._original_response, QuickResponse)
        assert server.accepted == 1


def test_a_close_before_the_head_is_the_error_of_http_client() -> None:
    def script(peer: Peer) -> None:
        assert peer.request()

    with environment(), Server(script) as server, tuned_session(max_retries=0) as session:
        with pytest.raises(requests.ConnectionError, match="closed connection without response"):
            session.get(server.url)
