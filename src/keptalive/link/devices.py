"""The device of a link, in this process's network namespace: TUN, or one end of a veth pair.

Both hand packets over as the kernel has them, a virtio header before each (linux/virtio_net.h). So
a large write is one packet of up to 64 KiB here, and TCP still counts segments of 1460 bytes.
Frames go back as they came, header included, only with swapped addresses.

By ioctl(2) and rtnetlink(7): netdevice(7), linux/if_tun.h, packet(7). A veth pair cannot be made by
ioctl.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
from contextlib import suppress
from pathlib import Path

from keptalive.link import DEVICE, OURS

if sys.platform == "linux":
    import fcntl

_FAR_DEVICE = "keptalive1"
_LARGEST = 65_536 + 64
_QUEUE = 10_000  # packets that wait for us; TCP would take a full queue for congestion
_HEADER = 10  # struct virtio_net_hdr
_ETHERNET = 14

_SIOCSIFFLAGS, _SIOCSIFADDR, _SIOCSIFNETMASK = 0x8914, 0x8916, 0x891C
_IFF_UP, _IFF_NOARP = 0x1, 0x80
_TUNSETIFF, _TUNSETOFFLOAD = 0x400454CA, 0x400454D0
_IFF_TUN, _IFF_NO_PI, _IFF_VNET_HDR = 0x0001, 0x1000, 0x4000
_TUN_F_CSUM, _TUN_F_TSO4 = 0x01, 0x02
_SOL_PACKET, _PACKET_VNET_HDR, _PACKET_IGNORE_OUTGOING = 263, 15, 23
_ETH_P_IP = 0x0800


class DeviceError(OSError):
    """The device cannot be made; the text says why, in a few words."""


class Device:
    """An open device.

    Attributes:
        packet_at: where in a frame the IP packet begins.
    """

    def __init__(self, descriptor: int, packet_at: int) -> None:
        self.descriptor = descriptor
        self.packet_at = packet_at
        os.set_blocking(descriptor, False)

    def read(self) -> bytes | None:
        """The next frame; None if none waits."""
        try:
            return os.read(self.descriptor, _LARGEST)
        except BlockingIOError:
            return None

    def write(self, frame: bytes) -> bool:
        """Hand a frame to the kernel; False if it has no room for it: then it is lost."""
        try:
            os.write(self.descriptor, frame)
        except OSError:
            return False
        return True


def made(kind: str) -> Device:
    """A new device of this kind, up, with our address.

    Raises:
        DeviceError: it cannot be made here.
    """
    device = _tun() if kind == "tun" else _veth()
    _quiet()
    _configure("lo", flags=_IFF_UP)
    _configure(DEVICE, address=OURS, flags=_IFF_UP | (0 if kind == "tun" else _IFF_NOARP))
    return device


def _tun() -> Device:
    try:
        descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        raise DeviceError(f"no /dev/net/tun: {error.strerror}") from None
    flags = _IFF_TUN | _IFF_NO_PI | _IFF_VNET_HDR
    try:
        fcntl.ioctl(descriptor, _TUNSETIFF, struct.pack("16sH22x", DEVICE.encode(), flags))
        fcntl.ioctl(descriptor, _TUNSETOFFLOAD, _TUN_F_CSUM | _TUN_F_TSO4)
        _request(queue_request(socket.if_nametoindex(DEVICE), _QUEUE))
    except OSError as error:
        os.close(descriptor)
        raise DeviceError(f"no TUN device: {error.strerror}") from None
    return Device(descriptor, _HEADER)


def _veth() -> Device:
    """A pair of which the kernel has the near end, and we read the far end.

    Without ARP a frame is addressed to the near end itself: the far end's own IP ignores it, and
    the near end takes it when it comes back.
    """
    try:
        _request(pair_request(DEVICE, _FAR_DEVICE))
        _configure(_FAR_DEVICE, flags=_IFF_UP | _IFF_NOARP)
        packets = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_IP))
        packets.setsockopt(_SOL_PACKET, _PACKET_VNET_HDR, 1)
        packets.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
        packets.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024 * 1024)
        packets.bind((_FAR_DEVICE, _ETH_P_IP))
    except OSError as error:
        raise DeviceError(f"no veth pair: {error.strerror}") from None
    return Device(packets.detach(), _HEADER + _ETHERNET)


def _quiet() -> None:
    """No IPv6 here, whose router solicitations nobody would answer; errors come in seconds.

    No connection begins with what the system remembers of those before it.

    TCP gives up a connection without acknowledgements after 1.5 to 4 s here, not after a quarter of
    an hour: so a request on a connection that a NAT has forgotten ends. A closed one is given up
    earlier: it would keep the namespace alive.
    """
    settings = {
        "ipv6/conf/default/disable_ipv6": 1,
        f"ipv6/conf/{DEVICE}/disable_ipv6": 1,
        "ipv4/tcp_no_metrics_save": 1,
        "ipv4/tcp_retries2": 2,
        "ipv4/tcp_orphan_retries": 1,
    }
    for path, value in settings.items():
        with suppress(OSError):  # a kernel without IPv6, or /proc/sys is read-only
            (Path("/proc/sys/net") / path).write_text(str(value))


def _configure(name: str, *, flags: int, address: str | None = None) -> None:
    packed = name.encode()
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
            if address is not None:
                for request, value in (
                    (_SIOCSIFADDR, address),
                    (_SIOCSIFNETMASK, "255.255.255.0"),
                ):
                    inet = struct.pack("=HH4s8x", socket.AF_INET, 0, socket.inet_aton(value))
                    fcntl.ioctl(control, request, struct.pack("16s16s8x", packed, inet))
            fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sH22x", packed, flags))
    except OSError as error:
        raise DeviceError(f"{name} cannot be configured: {error.strerror}") from None


# -- rtnetlink(7): what ioctl cannot do, or not in a user namespace -----------------------------

_RTM_NEWLINK = 16
_NLM_F_REQUEST, _NLM_F_ACK, _NLM_F_EXCL, _NLM_F_CREATE = 0x1, 0x4, 0x200, 0x400
_NLMSG_ERROR = 2
_IFLA_IFNAME, _IFLA_TXQLEN, _IFLA_LINKINFO = 3, 13, 18
_IFLA_INFO_KIND, _IFLA_INFO_DATA = 1, 2
_VETH_INFO_PEER = 1
_IFINFOMSG = bytes(16)


def pair_request(near: str, far: str) -> bytes:
    """The message that makes a veth pair with these two names. Pure."""
    peer = _attribute(_VETH_INFO_PEER, _IFINFOMSG + _attribute(_IFLA_IFNAME, _text(far)))
    info = _attribute(_IFLA_INFO_KIND, b"veth") + _attribute(_IFLA_INFO_DATA, peer)
    named = _attribute(_IFLA_IFNAME, _text(near)) + _attribute(_IFLA_LINKINFO, info)
    return _message(_IFINFOMSG + named, _NLM_F_CREATE | _NLM_F_EXCL)


def queue_request(index: int, packets: int) -> bytes:
    """The message that gives the device with this index room for so many packets. Pure."""
    chosen = struct.pack("=BxHiII", socket.AF_UNSPEC, 0, index, 0, 0)
    return _message(chosen + _attribute(_IFLA_TXQLEN, struct.pack("=I", packets)), 0)


def _message(body: bytes, flags: int) -> bytes:
    flags |= _NLM_F_REQUEST | _NLM_F_ACK
    return struct.pack("=IHHII", 16 + len(body), _RTM_NEWLINK, flags, 1, 0) + body


def _attribute(kind: int, value: bytes) -> bytes:
    padding = bytes(-len(value) % 4)
    return struct.pack("=HH", 4 + len(value), kind) + value + padding


def _text(name: str) -> bytes:
    return name.encode() + b"\0"


def _request(message: bytes) -> None:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as control:
        control.bind((0, 0))
        control.send(message)
        _, kind, _, _, _, error = struct.unpack("=IHHIIi", control.recv(4096)[:20])
    if kind == _NLMSG_ERROR and error:
        raise OSError(-error, os.strerror(-error))
