"""Listeners: one port on loopback for each scenario, and a count of the connections accepted.

The count is a witness, so it must be exact: before it is reported, all waiting connections are
accepted.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import functools
import signal
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from keptalive import interruption
from keptalive.errors import UsageError
from keptalive.lookalike.address import LOOPBACK, Address
from keptalive.lookalike.api import AMPLE_LIMIT, Api
from keptalive.lookalike.behaviour import Scenario, parse_scenario, when_idle
from keptalive.lookalike.connection import Connection
from keptalive.lookalike.link import Link
from keptalive.lookalike.loop import new_event_loop
from keptalive.lookalike.own_file import own_file
from keptalive.lookalike.tls import Authority, Channel, certificates_in

_BACKLOG = 4096
_OUT_OF_DESCRIPTORS = (errno.EMFILE, errno.ENFILE)
_RETRY_ACCEPT_S = 0.1


class Served(NamedTuple):
    """What a server has counted."""

    accepted: int
    requests: int


class Listener:
    """One scenario on one port, with its connections."""

    def __init__(
        self,
        scenario: Scenario,
        *,
        context: ssl.SSLContext,
        loop: asyncio.AbstractEventLoop,
        port: int = 0,
        rtt_ms: float = 0.0,
        rate_limit: int = AMPLE_LIMIT,
        address: Address = LOOPBACK,
    ) -> None:
        self.scenario = scenario
        self.idle_end = when_idle(scenario)
        self.accepted = 0
        self.served = 0
        self._context = context
        self._loop = loop
        self._rtt_s = rtt_ms / 1000
        self._skipped_s = 0.0
        self._connections: set[Connection] = set()
        self._starting: set[asyncio.Task[object]] = set()
        self._socket = _listen(address.listen, port)
        self.url = f"https://{address.named}:{self._socket.getsockname()[1]}"
        self.api = Api(base_url=self.url, rate_limit=rate_limit)
        loop.add_reader(self._socket, self.accept_waiting)

    def accept_waiting(self) -> None:
        """Accept every connection that is waiting."""
        while True:
            try:
                accepted, _ = self._socket.accept()
            except BlockingIOError:
                return
            except ConnectionAbortedError:
                continue
            except OSError as error:
                self._pause(error)
                return
            self.accepted += 1
            self._start(accepted)

    def idle_clock_s(self) -> float:
        """The clock that measures idle time, in seconds."""
        return time.monotonic() + self._skipped_s

    async def skip(self, seconds: float) -> None:
        """Advance that clock, and end every connection that is now idle for too long."""
        # Two turns of the loop: bytes that have reached our sockets are read first
        self.accept_waiting()
        await _turns(2)
        self._skipped_s += seconds
        for connection in tuple(self._connections):
            connection.on_clock_advanced()
        # Two more: an aborted transport closes its socket in its next turn
        await _turns(2)

    def remove(self, connection: Connection) -> None:
        """Remove a connection whose socket is closed."""
        self._connections.discard(connection)

    def close(self) -> None:
        """Accept no more connections; those that are open end with the loop."""
        self._loop.remove_reader(self._socket)
        self._socket.close()

    def _start(self, accepted: socket.socket) -> None:
        accepted.setblocking(False)
        starting = self._loop.create_task(
            self._loop.connect_accepted_socket(
                lambda: Link(self._make_connection, rtt_s=self._rtt_s, loop=self._loop), accepted
            )
        )
        self._starting.add(starting)
        starting.add_done_callback(self._starting.discard)

    def _make_connection(self, link: Link) -> Connection:
        channel = Channel(self._context)
        connection = Connection(link, host=self, channel=channel, loop=self._loop)
        self._connections.add(connection)
        return connection

    def _pause(self, error: OSError) -> None:
        if error.errno not in _OUT_OF_DESCRIPTORS:
            return
        # The socket stays readable: without a pause the loop would use all CPU time
        self._loop.remove_reader(self._socket)
        self._loop.call_later(_RETRY_ACCEPT_S, self._resume)

    def _resume(self) -> None:
        if self._socket.fileno() >= 0:
            self._loop.add_reader(self._socket, self.accept_waiting)


def run_forever(
    scenario: Scenario | str,
    *,
    port: int,
    rtt_ms: float,
    bundle_path: Path,
    on_ready: Callable[[str, int], object],
    address: Address = LOOPBACK,
) -> Served:
    """Serve one scenario in this process until Ctrl-C, SIGTERM or SIGHUP.

    Args:
        scenario: how connections end.
        port: the port; 0 for a free one.
        rtt_ms: the round-trip time to simulate, in milliseconds.
        bundle_path: where to write the CA bundle that clients need. The file must not exist; it is
            removed at the end.
        on_ready: called with the URL and the number of certificates in the bundle.
        address: where to listen.

    Returns:
        how many connections and requests were served.

    Raises:
        UsageError: the port is not available, or the bundle exists or cannot be written.
    """
    chosen = parse_scenario(scenario) if isinstance(scenario, str) else scenario
    loop = new_event_loop()
    try:
        authority = Authority()
        listener = Listener(
            chosen,
            context=authority.server_context(),
            loop=loop,
            port=port,
            rtt_ms=rtt_ms,
            address=address,
        )
        try:
            bundle = authority.bundle()
            ready = functools.partial(on_ready, listener.url, certificates_in(bundle))
            with _written(bundle_path, bundle):
                loop.run_until_complete(_interrupted(loop, ready))
        finally:
            listener.close()
        return Served(accepted=listener.accepted, requests=listener.served)
    finally:
        end_loop(loop)


@contextlib.contextmanager
def _written(path: Path, bundle: bytes) -> Iterator[None]:
    with contextlib.ExitStack() as ours:
        try:
            ours.enter_context(own_file(path, bundle))
        except FileExistsError:
            raise UsageError(
                f"{path} exists already, and serve overwrites no file. "
                "Next: remove it, or --bundle FILE."
            ) from None
        except OSError as error:
            raise UsageError(
                f"The CA bundle cannot be written to {path}: {error.strerror}. Next: --bundle FILE."
            ) from None
        yield


def end_loop(loop: asyncio.AbstractEventLoop) -> None:
    """Cancel everything that runs on this loop, and close it."""
    loop.run_until_complete(_cancel_everything())
    loop.close()


async def _cancel_everything() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _interrupted(loop: asyncio.AbstractEventLoop, ready: Callable[[], object]) -> None:
    stop = asyncio.Event()
    with _on_signals(lambda: loop.call_soon_threadsafe(stop.set)):
        ready()  # only now: its reader may send a signal at once
        await stop.wait()


@contextlib.contextmanager
def _on_signals(act: Callable[[], object]) -> Iterator[None]:
    """Without the loop's own handlers: after them the defaults, not the old handlers, are set."""
    before = {number: signal.getsignal(number) for number in interruption.SIGNALS}
    handled = [number for number, handler in before.items() if handler != signal.SIG_IGN]
    for number in handled:
        signal.signal(number, lambda _number, _frame: act())
    try:
        yield
    finally:
        for number in handled:
            signal.signal(number, before[number])


async def _turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def _listen(address: str, port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((address, port))
        listening.listen(_BACKLOG)
        listening.setblocking(False)
    except (OSError, OverflowError) as error:
        listening.close()
        reason = error.strerror if isinstance(error, OSError) else "no such port"
        raise UsageError(
            f"cannot listen on {address}:{port} ({reason}): choose another port, or 0 for any"
        ) from None
    return listening
