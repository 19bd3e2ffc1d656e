from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keptalive.link.packets import segment, turned_around
from keptalive.link.path import Path

AT = 10  # where a packet begins in a frame: behind a virtio header
SYN, ACK, FIN = 0x02, 0x10, 0x01


def address(text: str) -> bytes:
    return bytes(map(int, text.split(".")))


def packet(
    source: int = 40_000,
    destination: int = 443,
    flags: int = ACK,
    *,
    protocol: int = 6,
    fragment: int = 0,
    options: bytes = b"",
    data: bytes = b"",
) -> bytes:
    """An IPv4 packet with TCP in it, from 192.0.2.1 to 192.0.2.2, behind a header of the device."""
    tcp = struct.pack("!HHIIBBHHH", source, destination, 1, 1, 5 << 4, flags, 100, 0, 0) + data
    words = 5 + len(options) // 4
    head = struct.pack(
        "!BBHHHBBH", 4 << 4 | words, 0, words * 4 + len(tcp), 1, fragment, 64, protocol, 0
    )
    return bytes(AT) + head + address("192.0.2.1") + address("192.0.2.2") + options + tcp


def checksum(data: bytes) -> int:
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def test_a_packet_comes_back_from_where_it_went():
    back = turned_around(packet(data=b"hello"), AT)
    assert back is not None
    assert back[AT + 12 : AT + 20] == address("192.0.2.2") + address("192.0.2.1")


@given(st.binary(min_size=20, max_size=60), st.integers(0, 40))
def test_nothing_else_changes_and_no_checksum_of_the_header_does(tail, at):
    frame = bytes(at) + bytes([0x45]) + tail
    back = turned_around(frame, at)
    assert back is not None
    assert turned_around(back, at) == frame
    assert back[: at + 12] + back[at + 20 :] == frame[: at + 12] + frame[at + 20 :]
    assert checksum(back[at : at + 20]) == checksum(frame[at : at + 20])


@pytest.mark.parametrize("frame", [b"", bytes(AT), packet()[: AT + 19], bytes(AT) + b"\x60" * 60])
def test_what_is_no_ipv4_packet_goes_nowhere(frame):
    assert turned_around(frame, AT) is None
    assert segment(frame, AT) is None


def test_the_ports_of_a_segment_stand_behind_all_options_of_the_packet():
    assert segment(packet(1234, 80, options=bytes(8)), AT) == (1234, 80, False)


@pytest.mark.parametrize(
    ("flags", "opens"), [(SYN, True), (SYN | ACK, False), (ACK, False), (FIN | ACK, False)]
)
def test_only_the_first_segment_of_a_client_opens_a_connection(flags, opens):
    found = segment(packet(flags=flags), AT)
    assert found is not None
    assert found.opens is opens


@pytest.mark.parametrize(
    "frame", [packet(protocol=17), packet(fragment=3), packet()[: AT + 30]], ids=["UDP", "2nd", "-"]
)
def test_what_has_no_beginning_of_a_segment_has_no_ports(frame):
    assert segment(frame, AT) is None


def test_packets_arrive_in_their_order_each_a_delay_later():
    path = Path(delay_s=0.010, packet_at=AT)
    assert path.next_due_s is None
    first, second = packet(data=b"1"), packet(data=b"2")
    path.enter(first, now_s=1.0)
    path.enter(bytes(AT) + b"no packet", now_s=1.001)
    path.enter(second, now_s=1.004)
    assert (path.next_due_s, path.last_due_s) == (1.01, 1.014)
    assert list(path.arrived(now_s=1.009)) == []
    assert list(path.arrived(now_s=1.010)) == [turned_around(first, AT)]
    assert list(path.arrived(now_s=2.0)) == [turned_around(second, AT)]
    assert path.last_due_s is None


def test_a_path_drops_what_its_nat_has_forgotten():
    path = Path(delay_s=0.0, packet_at=AT)
    path.nat.forget_after(443, 5.0)
    sent = [(packet(flags=SYN), 0.0), (packet(), 1.0), (packet(), 7.0), (packet(), 7.1)]
    for frame, now_s in sent:
        path.enter(frame, now_s=now_s)
    assert len(list(path.arrived(now_s=10.0))) == 2
    assert path.nat.dropped == 2
