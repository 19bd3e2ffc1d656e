"""The process that owns the device: it delays each packet, turns it around and hands it back.

It reads JSON lines from standard input, and writes one in reply to each. The first says what to
make; further ones are commands. When standard input ends, so does the process, and with it the
device and the namespace.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import time
from typing import Any

from keptalive.link import devices, namespaces
from keptalive.link.path import Path

_AT_ONCE = 64  # packets that are read before those that are due are handed back
_PR_SET_TIMERSLACK = 29  # linux/prctl.h
_INPUT, _OUTPUT = 0, 1


class Forwarder:
    """Moves packets and carries out commands, until the input ends."""

    def __init__(self, device: devices.Device, *, delay_s: float) -> None:
        self._device = device
        self._path = Path(delay_s=delay_s, packet_at=device.packet_at)
        self._lost = 0
        self._input = bytearray()
        self._settling: list[tuple[float, object]] = []  # when to reply, to which command

    def run(self) -> None:
        """Forward, until the input ends."""
        descriptors = [_INPUT, self._device.descriptor]
        while True:
            ready, _, _ = select.select(descriptors, [], [], self._wait_s())
            self._hand_back()
            if self._device.descriptor in ready:
                self._take()
            if _INPUT in ready and not self._obey():
                return

    def _wait_s(self) -> float | None:
        due_s = self._path.next_due_s
        return None if due_s is None else max(0.0, due_s - time.monotonic())

    def _take(self) -> None:
        for _ in range(_AT_ONCE):
            frame = self._device.read()
            if frame is None:
                return
            self._path.enter(frame, now_s=time.monotonic())

    def _hand_back(self) -> None:
        now_s = time.monotonic()
        for frame in self._path.arrived(now_s=now_s):
            self._lost += not self._device.write(frame)
        while self._settling and self._settling[0][0] <= now_s:
            _write({"id": self._settling.pop(0)[1], "result": 0})

    def _obey(self) -> bool:
        """Carry out the commands that have come; False when the input has ended."""
        read = os.read(_INPUT, 65_536)
        self._input += read
        *lines, rest = bytes(self._input).split(b"\n")
        self._input[:] = rest
        for line in lines:
            self._command(json.loads(line))
        return bool(read)

    def _command(self, command: dict[str, Any]) -> None:
        match command["command"]:
            case "settle":
                self._take_all()
                due_s = self._path.last_due_s
                if due_s is not None:
                    self._settling.append((due_s, command["id"]))
                    return
                result = 0
            case "forget_after":
                self._path.nat.forget_after(command["port"], command["seconds"])
                result = 0
            case "dropped":
                result = self._path.nat.dropped
            case "lost":
                result = self._lost
            case unknown:
                raise ValueError(f"unknown command {unknown!r}")
        _write({"id": command["id"], "result": result})

    def _take_all(self) -> None:
        while (frame := self._device.read()) is not None:
            self._path.enter(frame, now_s=time.monotonic())


def main() -> None:
    """Make the link that the first line names, and forward until the input ends."""
    first = json.loads(_first_line())
    try:
        user = namespaces.unshare_network()
        device = devices.made(first["kind"])
    except (namespaces.NamespaceError, devices.DeviceError) as error:
        _write({"error": str(error)})
        return
    _be_exact()
    _write({"user": user})
    Forwarder(device, delay_s=first["rtt_ms"] / 2000).run()


def _first_line() -> bytes:
    line = b""
    while not line.endswith(b"\n") and (byte := os.read(_INPUT, 1)):
        line += byte
    return line or b"{}"


def _be_exact() -> None:
    # Linux rings a timer up to 50 us late, unless a process asks for less
    ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, ctypes.c_ulong(1), 0, 0, 0)


def _write(message: dict[str, Any]) -> None:
    os.write(_OUTPUT, json.dumps(message).encode() + b"\n")
