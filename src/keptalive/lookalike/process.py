"""Starts the look-alike in a process of its own, and sends it commands.

In the client's process, the server would add to the client's CPU time and slow its threads down.
"""

from __future__ import annotations

import math
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from keptalive import interruption
from keptalive.errors import KeptaliveError, UsageError
from keptalive.helper_process import HelperEndedError, HelperProcess, started
from keptalive.lookalike.address import LOOPBACK, Address
from keptalive.lookalike.api import AMPLE_LIMIT, TOKEN
from keptalive.lookalike.behaviour import Scenario, parse_scenario


class Lookalike:
    """A running look-alike; made by `start`."""

    def __init__(self, helper: HelperProcess, directory: Path, settle: Callable[[], None]) -> None:
        self._helper = helper
        self._directory = directory
        self._settle = settle
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
            with (
                _errors_file(directory).open("wb") as errors,
                started([sys.executable, "-m", "keptalive.lookalike"], errors=errors) as helper,
            ):
                lookalike = cls(helper, directory, settle)
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
        with self._ends_with_a_reason():
            facts = self._helper.exchange(wanted)
        self._urls = facts["urls"]
        self.certificates = facts["certificates"]

    def _command(self, what: str, **details: object) -> float:
        with self._ends_with_a_reason():
            result: float = self._helper.command(what, **details)
        return result

    @contextmanager
    def _ends_with_a_reason(self) -> Iterator[None]:
        try:
            yield
        except HelperEndedError as error:
            if error.exit_code is None:
                raise KeptaliveError(
                    "the look-alike server has stopped: use it inside its with block"
                ) from None
            lines = _errors_file(self._directory).read_text(errors="replace").split("\n")
            last_line = next((line.strip() for line in reversed(lines) if line.strip()), None)
            reason = last_line or f"exit code {error.exit_code}"
            when = "ended" if self._urls else "did not start"
            raise KeptaliveError(f"the look-alike server {when}: {reason}") from None


def _errors_file(directory: Path) -> Path:
    return directory / "errors.txt"


def _name(scenario: Scenario | str) -> str:
    return str(parse_scenario(scenario) if isinstance(scenario, str) else scenario)
