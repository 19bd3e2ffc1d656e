"""Whether the other end has acknowledged a request: what Linux knows of a TCP connection.

`TCP_INFO` fills in ``struct tcp_info`` of linux/tcp.h, whose beginning has been the same since
Linux 2.6:

    u8   0 state  1 ca_state  2 retransmits  3 probes  4 backoff  5 options  6, 7 bit fields
    u32  8 rto  12 ato  16 snd_mss  20 rcv_mss
         24 unacked  28 sacked  32 lost  36 retrans  40 fackets
         44 last_data_sent  48 last_ack_sent  52 last_data_recv  56 last_ack_recv  (milliseconds)

``unacked`` counts packets that are on their way; ``retransmits`` how often the oldest of them was
sent again because its time was over, and is 0 again once it is acknowledged (net/ipv4/tcp_input.c,
tcp_ack); ``last_ack_recv`` is how long ago an acknowledgement came.
"""

from __future__ import annotations

import socket
import struct
from typing import Any

from keptalive.run.inject._keptalive_faults import is_ours
from keptalive.watching.foreign import GREENLETS, own

_TCP_INFO = getattr(socket, "TCP_INFO", None)  # only Linux has it
_ROOM = 256  # bytes; the kernel fills in as much as it has
_LAYOUT = struct.Struct("=8B13I")
_CLOSED = 7  # TCP_CLOSE: by a RST, or the system has given up; unacked is 0 then
_GRAIN_S = 0.02  # the kernel's times come in ticks of 1 to 10 ms


def acknowledged(sock: Any, since_s: float) -> bool | None:
    """Whether anything that this socket has sent since then was acknowledged.

    Args:
        sock: a socket of TCP, or of TLS; anything else has nothing to say.
        since_s: how many seconds ago the request was sent.

    Returns:
        None if it cannot be known: on another system, over another socket, or too early to tell.
    """
    if not isinstance(sock, socket.socket):
        sock = own(sock, "socket")  # TLS within TLS, or pyOpenSSL's
    if _TCP_INFO is None or not isinstance(sock, socket.socket):
        return None
    try:
        # the base class's, past what somebody's own may do
        info = socket.socket.getsockopt(sock, socket.IPPROTO_TCP, _TCP_INFO, _ROOM)
    except (OSError, AttributeError) as error:  # a Unix socket; eventlet's have no such function
        if not is_ours(error, GREENLETS):
            raise
        return None
    return acknowledged_by(info, since_s) if type(info) is bytes else None


def acknowledged_by(info: bytes, since_s: float) -> bool | None:
    """The same, from the bytes of a ``struct tcp_info``.

    False only if nothing came back although it was time: the oldest packet was sent again for want
    of it, or ``rto`` (microseconds) is well over, the time after which a packet counts as lost.
    """
    if len(info) < _LAYOUT.size:
        return None
    values = _LAYOUT.unpack_from(info)
    state, retransmits, unacked, last_ack_recv = values[0], values[2], values[12], values[20]
    is_silent = last_ack_recv / 1000 >= since_s - _GRAIN_S
    if state == _CLOSED:
        # Over TLS, Python up to 3.12 shows ETIMEDOUT as the server's end. A RST comes in answer to
        # the first packet; here it was sent again
        return False if retransmits and is_silent else None
    rto_s = values[8] / 1e6
    if not unacked or not is_silent:
        return True
    return False if retransmits or since_s > 1.5 * rto_s else None
