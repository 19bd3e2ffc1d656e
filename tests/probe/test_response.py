"""Bytes to responses: the end is found exactly, whatever pieces they come in."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keptalive.probe.response import LONGEST_HEAD, NotHttpError, Response, TooLongError

PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nKeep-Alive: timeout=5\r\n\r\nhello"
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5;x=1\r\nhello\r\n0\r\nTrailer: 1\r\n\r\n"
)
EARLY = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + PLAIN
NONE = b"HTTP/1.1 204 No Content\r\n\r\n"
OLD = b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 2\r\n\r\nok"


def read(*pieces: bytes, limit: int = 1000) -> Response:
    response = Response(limit=limit)
    for piece in pieces:
        response.feed(piece)
    return response


@given(
    whole=st.sampled_from([PLAIN, CHUNKED, EARLY, NONE, OLD]),
    rest=st.sampled_from([b"", b"\r\n", b"HTTP/1.1 408 x\r\n\r\n"]),
    cuts=st.lists(st.integers(0, 200), max_size=6),
)
def test_a_response_ends_at_its_last_byte_in_whatever_pieces_it_comes(whole, rest, cuts):
    data = whole + rest
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    pieces = [data[a:b] for a, b in itertools.pairwise(places)]
    response = read(*pieces)
    assert (response.complete, response.keeps, response.rest) == (True, True, rest)


@given(cut=st.integers(0, len(CHUNKED) - 1))
def test_a_part_of_a_response_is_not_complete(cut):
    assert not read(CHUNKED[:cut]).complete


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (PLAIN, ("HTTP/1.1", 200, True)),
        (OLD, ("HTTP/1.0", 200, True)),
        (OLD.replace(b"Keep-Alive", b"x"), ("HTTP/1.0", 200, False)),
        (PLAIN.replace(b"Keep-Alive:", b"Connection: foo, Close\r\nX:"), ("HTTP/1.1", 200, False)),
        (EARLY, ("HTTP/1.1", 200, True)),
    ],
)
def test_whether_another_request_may_follow_is_decided_by_version_and_header(data, expected):
    response = read(data)
    assert (response.version, response.status, response.keeps) == expected


def test_a_body_without_framing_ends_with_the_connection():
    response = read(b"HTTP/1.1 200 OK\r\n\r\n", b"some", b"thing")
    assert (response.complete, response.framed, response.keeps) == (False, False, False)
    assert response.end()
    assert response.complete


def test_a_body_with_a_length_does_not_end_with_the_connection():
    assert not read(PLAIN[:-1]).end()


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH_9\r\n",
        b"\x15\x03\x01\x00\x02\x02",
        b"220 mail.example.org ESMTP\r\n",
        b"HTTP/2.0 200 OK\r\n\r\n",
        b"HTTP/1.1 twohundred\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nhello\r\n",
    ],
)
def test_what_is_not_http_is_refused(data):
    with pytest.raises(NotHttpError):
        read(data)


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 1001,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 300,
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * LONGEST_HEAD,
        b"HTTP/1.1 100 Continue\r\n\r\n" * (LONGEST_HEAD // 20),
    ],
    ids=["length", "unframed", "chunks", "head", "interim responses"],
)
def test_what_does_not_end_is_refused(data):
    with pytest.raises(TooLongError):
        read(data)
