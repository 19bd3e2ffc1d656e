"""Starts the link's process, enters its namespace, and sends it commands."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from keptalive import interruption
from keptalive.errors import KeptaliveError
from keptalive.link.namespaces import NamespaceError, entered

_ENDS_WITHIN_S = 5.0


class LinkError(KeptaliveError):
    """This machine does not allow such a link; the text says why, in a few words."""


class TrueLink:
    """A link in use; made by `entered_link`.

    Attributes:
        kind: "tun" or "veth".
        user: it took a user namespace, which this process cannot leave again.
    """

    def __init__(self, child: subprocess.Popen[bytes], kind: str) -> None:
        self.kind = kind
        self.user = False
        self._child = child
        self._lock = threading.Lock()
        self._commands = 0

    def settle(self) -> None:
        """Wait until all packets that are on their way now have arrived."""
        self._command("settle")

    def forget_after(self, port: int, seconds: float) -> None:
        """Drop the packets of flows to this port of the server that were idle for longer."""
        self._command("forget_after", port=port, seconds=seconds)

    def dropped(self) -> int:
        """How many packets were dropped because their flow was forgotten."""
        return self._command("dropped")

    def lost(self) -> int:
        """How many packets the kernel had no room for."""
        return self._command("lost")

    def begin(self, rtt_ms: float) -> None:
        """Have the link made.

        Raises:
            LinkError: it cannot be made here.
        """
        reply = self._exchange({"kind": self.kind, "rtt_ms": rtt_ms})
        if "error" in reply:
            raise LinkError(reply["error"])
        self.user = reply["user"]

    def _command(self, what: str, **details: object) -> int:
        with self._lock:
            self._commands += 1
            number = self._commands
            reply = self._exchange({"id": number, "command": what, **details})
            # The reply to a command that was interrupted may still be in the pipe
            while reply["id"] != number:
                reply = self._receive()
        return int(reply["result"])

    def _exchange(self, message: object) -> dict[str, Any]:
        if self._child.stdin is None or self._child.stdin.closed:
            raise KeptaliveError("the link has ended: use it inside its with block")
        try:
            self._child.stdin.write(json.dumps(message).encode() + b"\n")
            self._child.stdin.flush()
        except OSError:
            raise self._ended_error() from None
        return self._receive()

    def _receive(self) -> dict[str, Any]:
        line = self._child.stdout.readline() if self._child.stdout is not None else b""
        if not line.endswith(b"\n"):
            raise self._ended_error()
        message: dict[str, Any] = json.loads(line)
        return message

    def _ended_error(self) -> LinkError:
        with suppress(subprocess.TimeoutExpired):
            self._child.wait(_ENDS_WITHIN_S)
        return LinkError(f"the link's process has ended (exit code {self._child.returncode})")


@contextmanager
def entered_link(kind: str, *, rtt_ms: float) -> Iterator[TrueLink]:
    """Make a link, and be in its namespace in the block: this thread, and what it starts.

    Where that takes a user namespace, this process stays there for good: only a command does that.

    Raises:
        LinkError: this machine does not allow it.
    """
    with _child_process() as child:
        link = TrueLink(child, kind)
        with interruption.allowed():
            link.begin(rtt_ms)
        if link.user and not interruption.is_installed():
            raise LinkError("without root, only a command of its own can enter a namespace")
        place = entered(child.pid, user=link.user)
        try:
            place.__enter__()
        except NamespaceError as error:
            raise LinkError(str(error)) from None
        try:
            yield link
        finally:
            place.__exit__(None, None, None)


@contextmanager
def _child_process() -> Iterator[subprocess.Popen[bytes]]:
    child = subprocess.Popen(
        [sys.executable, "-m", "keptalive.link"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        # a terminal sends signals to the whole process group: the parent handles them
        start_new_session=True,
    )
    try:
        yield child
    finally:
        _end(child)


def _end(child: subprocess.Popen[bytes]) -> None:
    try:
        if child.stdin is not None:
            with suppress(OSError):  # it has ended already
                child.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            child.wait(_ENDS_WITHIN_S)
    finally:
        # It hangs, or a second Ctrl-C came: in both cases no process stays behind
        if child.returncode is None:
            child.kill()
            child.wait()
        if child.stdout is not None:
            child.stdout.close()
