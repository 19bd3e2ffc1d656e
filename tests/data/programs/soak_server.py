"""A server whose paths say what it does; it counts what it accepts, on two ports.

Prints its two ports. Each line that it reads is answered with the number of accepts so far.
"""

import asyncio
import socket
import struct
import sys

BIG = b"x" * 200_000
accepted = 0
asked_before = set()


def response(body, *headers, status="200 OK"):
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class Connection(asyncio.Protocol):
    """Answers request after request, in the order in which they come."""

    def connection_made(self, transport):
        global accepted
        accepted += 1
        self.transport, self.received = transport, b""

    def data_received(self, data):
        self.received += data
        while b"\r\n\r\n" in self.received and not self.transport.is_closing():
            head, _, self.received = self.received.partition(b"\r\n\r\n")
            self.answer(head.split(b" ", 2)[1].decode())

    def answer(self, path):
        kind = path.split("/")[1]
        if kind == "ok":
            self.transport.write(response(b"ok"))
        elif kind == "big":
            self.transport.write(response(BIG))
        elif kind == "close":
            self.transport.write(response(b"ok", "Connection: close"))
            self.transport.close()
        elif kind == "drop":
            self.transport.write(response(b"ok"))
            self.transport.close()
        elif kind == "broken":
            self.transport.write(response(b"whole")[:-2])
            self.transport.close()
        elif kind == "hangup":
            self.transport.close()
        elif kind == "reset":
            linger = struct.pack("ii", 1, 0)
            sock = self.transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.transport.abort()
        elif kind in ("here", "away"):
            to = f"http://127.0.0.1:{ports[kind == 'away']}/ok"
            self.transport.write(response(b"", f"Location: {to}", status="302 Found"))
        elif kind == "busy":
            again = path in asked_before
            asked_before.add(path)
            status = "200 OK" if again else "503 Service Unavailable"
            self.transport.write(response(b"ok", status=status))
        # "slow": it never answers


async def main():
    loop = asyncio.get_running_loop()
    for _ in range(2):
        server = await loop.create_server(Connection, "127.0.0.1", 0, backlog=4096)
        ports.append(server.sockets[0].getsockname()[1])
    sys.stdout.write(f"{ports[0]} {ports[1]}\n")
    sys.stdout.flush()
    while await loop.run_in_executor(None, sys.stdin.readline):
        sys.stdout.write(f"{accepted}\n")
        sys.stdout.flush()


ports = []
asyncio.run(main())
