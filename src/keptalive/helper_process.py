"""A helper process: it reads JSON lines, replies to each with one, and ends with its input."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import IO, Any

ENDS_WITHIN_S = 5.0


class HelperEndedError(Exception):
    """It has ended, or its `with` block has.

    Attributes:
        exit_code: how it has ended; None if it runs, and its block has ended.
    """

    def __init__(self, exit_code: int | None) -> None:
        super().__init__(exit_code)
        self.exit_code = exit_code


class HelperProcess:
    """A helper that runs; made by `started`. Its commands may come from several threads."""

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        self.child = child
        self._lock = threading.Lock()
        self._commands = 0

    def command(self, what: str, **details: object) -> Any:
        """Send a command; the result in its reply.

        Raises:
            HelperEndedError: there is no reply.
        """
        with self._lock:
            self._commands += 1
            number = self._commands
            reply = self.exchange({"id": number, "command": what, **details})
            # The reply to a command that was interrupted may still be in the pipe
            while reply["id"] != number:
                reply = self._receive()
        return reply["result"]

    def exchange(self, message: object) -> dict[str, Any]:
        """Send this message; the reply.

        Raises:
            HelperEndedError: there is none.
        """
        if self.child.stdin is None or self.child.stdin.closed:
            raise HelperEndedError(None)
        try:
            self.child.stdin.write(json.dumps(message).encode() + b"\n")
            self.child.stdin.flush()
        except OSError:
            raise self._ended_error() from None
        return self._receive()

    def _receive(self) -> dict[str, Any]:
        line = self.child.stdout.readline() if self.child.stdout is not None else b""
        if not line.endswith(b"\n"):
            raise self._ended_error()
        message: dict[str, Any] = json.loads(line)
        return message

    def _ended_error(self) -> HelperEndedError:
        with suppress(subprocess.TimeoutExpired):
            self.child.wait(ENDS_WITHIN_S)
        return HelperEndedError(-1 if self.child.returncode is None else self.child.returncode)


@contextmanager
def started(
    command: Sequence[str | os.PathLike[str]], *, errors: int | IO[bytes] | None
) -> Iterator[HelperProcess]:
    """Run a command as a helper for the length of a `with` block.

    Args:
        command: an interpreter and a program of ours.
        errors: where its standard error goes; None: where ours goes. Not a pipe: nobody reads it,
            and a full pipe blocks.
    """
    child = subprocess.Popen(  # noqa: S603 - a program of ours
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        # a terminal sends signals to the whole process group: the parent handles them
        start_new_session=True,
    )
    try:
        yield HelperProcess(child)
    finally:
        _end(child)


def _end(child: subprocess.Popen[bytes]) -> None:
    try:
        if child.stdin is not None:
            with suppress(OSError):  # it has ended already
                child.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            child.wait(ENDS_WITHIN_S)
    finally:
        # It hangs, or a second Ctrl-C came: in both cases no process stays behind
        if child.returncode is None:
            child.kill()
            child.wait()
        if child.stdout is not None:
            child.stdout.close()
