from __future__ import annotations

import struct
from collections.abc import Iterator

from keptalive.link.devices import pair_request, queue_request

HEADER = struct.Struct("=IHHII")


def attributes(data: bytes) -> dict[int, bytes]:
    """The attributes of a message of rtnetlink, by their kind."""

    def all_of() -> Iterator[tuple[int, bytes]]:
        at = 0
        while at < len(data):
            length, kind = struct.unpack_from("=HH", data, at)
            assert 4 <= length <= len(data) - at
            yield kind, data[at + 4 : at + length]
            at += length + -length % 4

    return dict(all_of())


def body_of(message: bytes) -> bytes:
    length, kind, flags, _, _ = HEADER.unpack_from(message)
    assert (length, kind) == (len(message), 16)  # RTM_NEWLINK
    assert flags & 0x5 == 0x5, "a request, to be acknowledged"
    return message[HEADER.size :]


def test_the_request_for_a_pair_names_its_kind_and_both_ends():
    body = body_of(pair_request("near0", "far12"))
    outer = attributes(body[16:])
    info = attributes(outer[18])
    peer = attributes(info[2])[1]
    assert outer[3] == b"near0\0"
    assert info[1] == b"veth"
    assert attributes(peer[16:]) == {3: b"far12\0"}


def test_the_request_for_a_queue_names_the_device_and_its_length():
    body = body_of(queue_request(7, 10_000))
    assert struct.unpack_from("=i", body, 4) == (7,)
    assert attributes(body[16:]) == {13: struct.pack("=I", 10_000)}
