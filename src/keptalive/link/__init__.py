"""A true link: a network of its own, in which every packet takes the round-trip time.

The simulator in the look-alike (`keptalive.lookalike.link`) cannot delay TCP's own handshake. Here
the kernel's TCP talks through a device whose packets pass through a process of ours, which delays
them, and can forget idle flows as a NAT does.

The device is in a network namespace of its own, and so are its addresses, 192.0.2.0/24: they are
reserved for documentation (RFC 5737), so no real server has one. Server and client are both in this
namespace. The client connects to `SERVER`. The packet's two addresses are swapped and it comes back
to the same kernel, from `SERVER` and for `OURS`, where the server listens. The sum of the addresses
is the same, so no checksum changes.

``devices`` and ``namespaces`` make it. ``forwarder`` moves the packets, in a process of its own;
``path``, ``nat`` and ``packets`` decide, without I/O. ``process`` starts and enters it. ``choice``
says which kind of link is used, ``own`` whether a host is on it.
"""

NETWORK = "192.0.2."
OURS = "192.0.2.1"  # where a server listens
SERVER = "192.0.2.2"  # where a client finds it
DEVICE = "keptalive0"
