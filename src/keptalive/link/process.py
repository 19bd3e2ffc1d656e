"""Starts the link's process, enters its namespace, and sends it commands."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from keptalive import interruption
from keptalive.errors import KeptaliveError
from keptalive.helper_process import HelperEndedError, HelperProcess, started
from keptalive.link.namespaces import NamespaceError, entered


class LinkError(KeptaliveError):
    """This machine does not allow such a link; the text says why, in a few words."""


class TrueLink:
    """A link in use; made by `entered_link`.

    Attributes:
        kind: "tun" or "veth".
        user: it took a user namespace, which this process cannot leave again.
    """

    def __init__(self, helper: HelperProcess, kind: str) -> None:
        self.kind = kind
        self.user = False
        self._helper = helper

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
        with _as_link_error():
            reply = self._helper.exchange({"kind": self.kind, "rtt_ms": rtt_ms})
        if "error" in reply:
            raise LinkError(reply["error"])
        self.user = reply["user"]

    def _command(self, what: str, **details: object) -> int:
        with _as_link_error():
            return int(self._helper.command(what, **details))


@contextmanager
def _as_link_error() -> Iterator[None]:
    try:
        yield
    except HelperEndedError as error:
        if error.exit_code is None:
            raise KeptaliveError("the link has ended: use it inside its with block") from None
        raise LinkError(f"the link's process has ended (exit code {error.exit_code})") from None


@contextmanager
def entered_link(kind: str, *, rtt_ms: float) -> Iterator[TrueLink]:
    """Make a link, and be in its namespace in the block: this thread, and what it starts.

    Where that takes a user namespace, this process stays there for good: only a command does that.

    Raises:
        LinkError: this machine does not allow it.
    """
    with started([sys.executable, "-m", "keptalive.link"], errors=subprocess.DEVNULL) as helper:
        link = TrueLink(helper, kind)
        with interruption.allowed():
            link.begin(rtt_ms)
        if link.user and not interruption.is_installed():
            raise LinkError("without root, only a command of its own can enter a namespace")
        place = entered(helper.child.pid, user=link.user)
        try:
            place.__enter__()
        except NamespaceError as error:
            raise LinkError(str(error)) from None
        try:
            yield link
        finally:
            place.__exit__(None, None, None)
