"""Which link is used: the one that was asked for, else the truest that this machine allows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from keptalive.errors import UsageError
from keptalive.link import OURS, SERVER
from keptalive.link.process import LinkError, TrueLink, entered_link

TRUE = ("tun", "veth")
DELAY = "delay"
AUTO = "auto"
MEANINGS = {
    AUTO: "a true link where this machine allows it",
    "tun": "a true link: a TUN device in a network namespace",
    "veth": "a true link: a veth pair in a network namespace",
    DELAY: "a delay in the test server, also for TCP's handshake",
}
KINDS = tuple(MEANINGS)

_DEVICES = {"tun": "a TUN device", "veth": "a veth pair"}
_LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """The link in use.

    Attributes:
        kind: "tun", "veth" or "delay".
        said: which link it is, and why, in a sentence.
        delay_ms: the round-trip time that the server itself has to simulate.
        listen: the address on which a server listens.
        named: the address at which a client finds it.
        true: to control it; None for a delay in the server.
    """

    kind: str
    said: str
    delay_ms: float
    listen: str = _LOOPBACK
    named: str = _LOOPBACK
    true: TrueLink | None = None

    def settle(self) -> None:
        """Wait until all packets that are on their way have arrived."""
        if self.true is not None:
            self.true.settle()


@contextmanager
def opened_link(
    wanted: str, *, rtt_ms: float, needed_by: str | None = None, unless: str | None = None
) -> Iterator[Used]:
    """Make a link, and be on it in the block.

    Args:
        wanted: one of `KINDS`. "auto": a true one, where this machine allows it.
        rtt_ms: the round-trip time, in milliseconds.
        needed_by: what works on a true link only, if anything.
        unless: why "auto" takes no true link, if so: half a sentence.

    Raises:
        UsageError: this machine does not allow the link that was asked for, or that is needed.
    """
    with ExitStack() as stack:
        yield _tried(stack, wanted, rtt_ms, needed_by, unless)


def _tried(
    stack: ExitStack, wanted: str, rtt_ms: float, needed_by: str | None, unless: str | None
) -> Used:
    if wanted == DELAY:
        return _without(rtt_ms, needed_by, "as asked")
    if wanted == AUTO and needed_by is None:
        reason = unless or ("there is no round-trip time to simulate" if not rtt_ms else None)
        if reason is not None:
            return _without(rtt_ms, None, reason)
    reasons: list[str] = []
    for kind in TRUE if wanted == AUTO else (wanted,):
        try:
            return _on(stack.enter_context(entered_link(kind, rtt_ms=rtt_ms)), rtt_ms)
        except LinkError as error:  # noqa: PERF203 (two at most)
            reasons.append(str(error))
    reason = "; ".join(dict.fromkeys(reasons))  # what concerns the whole machine is the same twice
    if wanted != AUTO:
        raise UsageError(
            f"This machine does not allow a link of {_DEVICES[wanted]}: {reason}. "
            "Next: --link auto, which takes what is possible."
        )
    return _without(rtt_ms, needed_by, f"a true link is not possible here: {reason}")


def _on(link: TrueLink, rtt_ms: float) -> Used:
    where = "in a user namespace" if link.user else "in a network namespace"
    delays = f"; TCP's handshake takes {rtt_ms:g} ms too" if rtt_ms else ""
    return Used(
        kind=link.kind,
        said=f"Link: {_DEVICES[link.kind]} {where}{delays}.",
        delay_ms=0.0,
        listen=OURS,
        named=SERVER,
        true=link,
    )


def _without(rtt_ms: float, needed_by: str | None, why: str) -> Used:
    if needed_by is not None:
        raise UsageError(
            f"{needed_by} works on a true link only ({why}). "
            f"Next: {'--link auto' if why == 'as asked' else 'root on Linux, or leave it out'}."
        )
    if not rtt_ms:
        return Used(kind=DELAY, said="", delay_ms=0.0)
    reason = why if why == "as asked" else f"because {why}"
    return Used(kind=DELAY, said=f"Link: a delay in the test server, {reason}.", delay_ms=rtt_ms)
