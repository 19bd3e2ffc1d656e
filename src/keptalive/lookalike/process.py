"""The look-alike as a process of its own, and the parent's handle on it.

A process of its own, because a server in the client's process would be charged to the client:
in its CPU time, and in the wall time that two threads take from each other.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from keptalive import interruption
from keptalive.errors import KeptaliveError, UsageError
from keptalive.lookalike.api import AMPLE_LIMIT, TOKEN
from keptalive.lookalike.behaviour import Scenario, parse_scenario

_ENDS_WITHIN_S = 5.0


class Lookalike:
    """A running look-alike; made by `start`."""

    def __init__(self, child: subprocess.Popen[bytes], directory: Path) -> None:
        self._child = child
        self._directory = directory
        self._lock = threading.Lock()
        self._questions = 0
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
    ) -> Iterator[Lookalike]:
        """Serve each scenario on a port of its own, for the length of a `with` block.

        Raises:
            UsageError: for a scenario or a round-trip time that makes no sense.
            KeptaliveError: if the server does not start.
        """
        names = [_name(scenario) for scenario in scenarios]
        if not 0 <= rtt_ms < math.inf:
            raise UsageError(f"the round-trip time must be zero or more milliseconds, not {rtt_ms}")
        with tempfile.TemporaryDirectory(prefix="keptalive-") as directory_name:
            directory = Path(directory_name)
            with _child_process(directory) as child:
                lookalike = cls(child, directory)
                with interruption.allowed():
                    lookalike._begin(names, rtt_ms, rate_limit)
                yield lookalike

    def url(self, scenario: Scenario | str) -> str:
        """Say where a scenario is served, without a trailing slash."""
        return self._urls[self._known(scenario)]

    def accepted(self, scenario: Scenario | str) -> int:
        """Count the TCP connections that a scenario's listener has accepted so far."""
        return int(self._ask("accepted", scenario=self._known(scenario)))

    def skip(self, scenario: Scenario | str, *, seconds: float) -> None:
        """Let time pass for a scenario's idle connections; those over their time end now."""
        if not 0 <= seconds < math.inf:
            raise UsageError(f"time goes forward: cannot skip {seconds} seconds")
        self._ask("skip", scenario=self._known(scenario), seconds=seconds)

    def cpu_seconds(self) -> float:
        """Say how much CPU time the server's process has used so far."""
        return float(self._ask("cpu_seconds"))

    def _known(self, scenario: Scenario | str) -> str:
        name = _name(scenario)
        if name not in self._urls:
            raise UsageError(f"scenario {name} is not served here, only {', '.join(self._urls)}")
        return name

    def _begin(self, names: Sequence[str], rtt_ms: float, rate_limit: int) -> None:
        wanted = {
            "scenarios": names,
            "rtt_ms": rtt_ms,
            "rate_limit": rate_limit,
            "ca_bundle": str(self.ca_bundle),
        }
        facts = self._exchange(wanted)
        self._urls = facts["urls"]
        self.certificates = facts["certificates"]

    def _ask(self, what: str, **details: object) -> float:
        with self._lock:
            self._questions += 1
            number = self._questions
            answer = self._exchange({"id": number, "ask": what, **details})
            # The answer to a question that was interrupted may still be in the pipe.
            while answer["id"] != number:
                answer = self._receive()
        result: float = answer["answer"]
        return result

    def _exchange(self, message: object) -> dict[str, Any]:
        if self._child.stdin is None or self._child.stdin.closed:
            raise KeptaliveError(
                "the look-alike server has been stopped: ask within its with block"
            )
        try:
            self._child.stdin.write(json.dumps(message).encode() + b"\n")
            self._child.stdin.flush()
        except OSError:
            raise self._death() from None
        return self._receive()

    def _receive(self) -> dict[str, Any]:
        line = self._child.stdout.readline() if self._child.stdout is not None else b""
        if not line.endswith(b"\n"):
            raise self._death()
        message: dict[str, Any] = json.loads(line)
        return message

    def _death(self) -> KeptaliveError:
        with suppress(subprocess.TimeoutExpired):
            self._child.wait(_ENDS_WITHIN_S)
        lines = _errors_file(self._directory).read_text(errors="replace").split("\n")
        last_words = next((line.strip() for line in reversed(lines) if line.strip()), None)
        reason = last_words or f"exit code {self._child.returncode}"
        when = "ended" if self._urls else "did not start"
        return KeptaliveError(f"the look-alike server {when}: {reason}")


@contextmanager
def _child_process(directory: Path) -> Iterator[subprocess.Popen[bytes]]:
    # A file for its errors, not a pipe: nobody reads one before the end, and a full pipe blocks.
    with _errors_file(directory).open("wb") as errors:
        child = subprocess.Popen(
            [sys.executable, "-m", "keptalive.lookalike"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            # a signal to the whole process group, as from a terminal, is the parent's to handle
            start_new_session=True,
        )
    try:
        yield child
    finally:
        _end(child)


def _end(child: subprocess.Popen[bytes]) -> None:
    try:
        if child.stdin is not None:
            with suppress(OSError):  # it is dead already
                child.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            child.wait(_ENDS_WITHIN_S)
    finally:
        # It hangs, or a second Ctrl-C came while we waited: in both cases nothing is left behind.
        if child.returncode is None:
            child.kill()
            child.wait()
        if child.stdout is not None:
            child.stdout.close()


def _errors_file(directory: Path) -> Path:
    return directory / "errors.txt"


def _name(scenario: Scenario | str) -> str:
    return str(parse_scenario(scenario) if isinstance(scenario, str) else scenario)
