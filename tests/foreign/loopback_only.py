"""``python loopback_only.py COMMAND...``: the command, where there is no network but loopback.

To be started in a network namespace of its own (``unshare --net``), whose loopback is down at
first. It is raised from here, for a small Debian has no ``ip``. What is sent to `TARPIT` vanishes,
as requests' tests of connect timeouts expect of it; every other network is unreachable.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
import sys

SIOCADDRT, SIOCGIFFLAGS, SIOCSIFFLAGS = 0x890B, 0x8913, 0x8914  # linux/sockios.h
IFF_UP, RTF_UP = 0x1, 0x1  # linux/if.h, linux/route.h
TARPIT, TARPIT_MASK = "10.255.255.0", "255.255.255.0"


def raise_loopback(sock: socket.socket) -> None:
    """``ip link set lo up``; exits if it is up already."""
    request = struct.pack("16sH22x", b"lo", 0)  # struct ifreq: a name, then its flags
    (flags,) = struct.unpack_from("16xH", fcntl.ioctl(sock, SIOCGIFFLAGS, request))
    if flags & IFF_UP:
        # no new namespace has one that is up: this is the machine's own, with all its network
        sys.exit("loopback_only: start me in a network namespace of my own (unshare --net)")
    fcntl.ioctl(sock, SIOCSIFFLAGS, struct.pack("16sH22x", b"lo", flags | IFF_UP))


def add_tarpit(sock: socket.socket) -> None:
    """``ip route add TARPIT dev lo``: Linux drops what comes back from there, without a word."""
    device = ctypes.create_string_buffer(b"lo")
    fcntl.ioctl(
        sock,
        SIOCADDRT,
        # struct rtentry: padding, three addresses, flags, more padding, metric, device, the rest
        struct.pack(
            "@L16s16s16sHhLPhPLLH",
            0, _address(TARPIT), _address("0.0.0.0"), _address(TARPIT_MASK),
            RTF_UP, 0, 0, 0, 0, ctypes.addressof(device), 0, 0, 0,
        ),
    )  # fmt: skip


def _address(ip: str) -> bytes:
    return struct.pack("HH4s8x", socket.AF_INET, 0, socket.inet_aton(ip))


if __name__ == "__main__":
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        raise_loopback(sock)
        add_tarpit(sock)
    os.execvp(sys.argv[1], sys.argv[1:])
