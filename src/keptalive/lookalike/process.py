"""Starts the look-alike in a process of its own, and sends it commands.

In the client's process, the server would add to the client's CPU time and slow its threads down.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from keptalive import interruption
from keptalive.errors import KeptaliveError, UsageError
from keptalive.lookalike.address import LOOPBACK, Address
from keptalive.lookalike.api import AMPLE_LIMIT, TOKEN
from keptalive.lookalike.behaviour import Scenario, parse_scenario

_ENDS_WITHIN_S = 5.0


class Lookalike:
    """A running look-alike; made by `start`."""

    def __init__(
        self, child: subprocess.Popen[bytes], directory: Path, settle: Callable[[], None]
    ) -> None:
        self._child = child
        self._directory = directory
        self._settle = settle
        self._lock = threading.Lock()
        self._commands = 0
        self._urls: dict[str, str] = {}
        self.ca_bundle = directory / "ca-bundle.pem"
        self.certificates = 0
        self.token = TOKEN

    @classmethod
    @contextmanager
    def start(
        cls,
        scenarios: Sequence[Scenario | str],
        *,
        rtt_ms: float = 0.0,
        rate_limit: int = AMPLE_LIMIT,
        address: Address = LOOPBACK,
        settle: Callable[[], None] = lambda: None,
    ) -> Iterator[Lookalike]:
        """Serve each scenario on a port of its own, until the `with` block ends.

        Args:
            scenarios: how connections end.
            rtt_ms: the round-trip time to simulate, in milliseconds.
            rate_limit: how many requests it allows.
            address: where to listen.
            settle: waits until all that is on its way between server and client has arrived.

        Raises:
            UsageError: a scenario or the round-trip time is invalid.
            KeptaliveError: the server does not start.
        """
        names = [_name(scenario) for scenario in scenarios]
        if not 0 <= rtt_ms < math.inf:
            raise UsageError(f"the round-trip time must be zero or more milliseconds, not {rtt_ms}")
        with tempfile.TemporaryDirectory(prefix="keptalive-") as directory_name:
            directory = Path(directory_name)
            with _child_process(directory) as child:
                lookalike = cls(child, directory, settle)
                with interruption.allowed():
                    lookalike._begin(names, rtt_ms, rate_limit, address)
                yield lookalike

    def url(self, scenario: Scenario | str) -> str:
        """The URL of a scenario, without a slash at the end."""
        return self._urls[self._known(scenario)]

    def accepted(self, scenario: Scenario | str) -> int:
        """Count the TCP connections that a scenario's listener has accepted so far."""
        self._settle()
        return int(self._command("accepted", scenario=self._known(scenario)))

    def skip(self, scenario: Scenario | str, *, seconds: float) -> None:
        """Advance the idle clock of a scenario; connections that are idle for too long end now."""
        if not 0 <= seconds < math.inf:
            raise UsageError(f"cannot skip {seconds} seconds: it must be 0 or more")
        self._command("skip", scenario=self._known(scenario), seconds=seconds)
        self._settle()

    def cpu_seconds(self) -> float:
        """CPU seconds that the server's process has used so far."""
        return float(self._command("cpu_seconds"))

    def _known(self, scenario: Scenario | str) -> str:
        name = _name(scenario)
        if name not in self._urls:
            raise UsageError(f"scenario {name} is not served here, only {', '.join(self._urls)}")
        return name

    def _begin(
        self, names: Sequence[str], rtt_ms: float, rate_limit: int, address: Address
    ) -> None:
        wanted = {
            "scenarios": names,
            "rtt_ms": rtt_ms,
            "rate_limit": rate_limit,
            "address": address,
            "ca_bundle": str(self.ca_bundle),
        }
        facts = self._exchange(wanted)
        self._urls = facts["urls"]
        self.certificates = facts["certificates"]

    def _command(self, what: str, **details: object) -> float:
        with self._lock:
            self._commands += 1
            number = self._commands
            reply = self._exchange({"id": number, "command": what, **details})
            # The reply to a command that was interrupted may still be in the pipe
            while reply["id"] != number:
                reply = self._receive()
        result: float = reply["result"]
        return result

    def _exchange(self, message: object) -> dict[str, Any]:
        if self._child.stdin is None or self._child.stdin.closed:
            raise KeptaliveError("the look-alike server has stopped: use it inside its with block")
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

    def _ended_error(self) -> KeptaliveError:
        with suppress(subprocess.TimeoutExpired):
            self._child.wait(_ENDS_WITHIN_S)
        lines = _errors_file(self._directory).read_text(errors="replace").split("\n")
        last_line = next((line.strip() for line in reversed(lines) if line.strip()), None)
        reason = last_line or f"exit code {self._child.returncode}"
        when = "ended" if self._urls else "did not start"
        return KeptaliveError(f"the look-alike server {when}: {reason}")


@contextmanager
def _child_process(directory: Path) -> Iterator[subprocess.Popen[bytes]]:
    # A file for its errors, not a pipe: nobody reads it before the end, and a full pipe blocks
    with _errors_file(directory).open("wb") as errors:
        child = subprocess.Popen(
            [sys.executable, "-m", "keptalive.lookalike"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
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


def _errors_file(directory: Path) -> Path:
    return directory / "errors.txt"


def _name(scenario: Scenario | str) -> str:
    return str(parse_scenario(scenario) if isinstance(scenario, str) else scenario)
