"""Packets as bytes: which flow one belongs to, and how it is turned around. Pure."""

from __future__ import annotations

from typing import NamedTuple

_ADDRESSES = 12  # in an IPv4 header (RFC 791): the source's 4 bytes, then the destination's
_LEAST = 20  # bytes of an IPv4 header
_TCP = 6
_SYN, _ACK = 0x02, 0x10
_FRAGMENT = 0x1FFF  # the offset, in the two bytes at 6


class Segment(NamedTuple):
    """What a NAT looks at: the ports of a TCP segment, and whether it opens a connection."""

    source: int
    destination: int
    opens: bool


def turned_around(frame: bytes, at: int) -> bytes | None:
    """The frame with its two addresses swapped; None if it is no IPv4 packet.

    Args:
        frame: whatever the device puts before a packet, and the packet.
        at: where the packet begins.
    """
    if len(frame) < at + _LEAST or frame[at] >> 4 != 4:
        return None
    source = at + _ADDRESSES
    destination, end = source + 4, source + 8
    return b"".join(
        (frame[:source], frame[destination:end], frame[source:destination], frame[end:])
    )


def segment(frame: bytes, at: int) -> Segment | None:
    """The TCP segment in the packet that begins there; None if there is no beginning of one."""
    if len(frame) < at + _LEAST or frame[at] >> 4 != 4 or frame[at + 9] != _TCP:
        return None
    tcp = at + (frame[at] & 0x0F) * 4
    if len(frame) < tcp + 14 or int.from_bytes(frame[at + 6 : at + 8], "big") & _FRAGMENT:
        return None
    return Segment(
        source=int.from_bytes(frame[tcp : tcp + 2], "big"),
        destination=int.from_bytes(frame[tcp + 2 : tcp + 4], "big"),
        opens=frame[tcp + 13] & (_SYN | _ACK) == _SYN,
    )
