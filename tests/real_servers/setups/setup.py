"""What a set-up is: a real server, how it is started, and what it does with connections."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What a server does with connections: what it was set to, and what it makes of that.

    Attributes:
        keeps: it keeps connections.
        idle_s: the idle timeout that was set; None: none that a test could wait for.
        adds_s: it closes so much later.
        varies_s: and up to so much later than that, since it counts whole seconds or looks from
            time to time.
        announces: the first response's Keep-Alive header.
        requests_set: the limit of requests on a connection that was set; None: none.
        serves_more: it serves so many more than that.
        age_s: the age at which a connection gets its last response; None: none.
        says_close: it says ``Connection: close`` before it closes for a limit or an age.
        closes_with: how it closes idle connections; where it keeps none, how it closes.
        cause: why another one is opened after a close for the limit or the age.
    """

    keeps: bool = True
    idle_s: float | None = None
    adds_s: float = 0.0
    varies_s: float = 0.0
    announces: str | None = None
    requests_set: int | None = None
    serves_more: int = 0
    age_s: float | None = None
    says_close: bool = True
    closes_with: str = "FIN"
    cause: str = "close-announced"

    @property
    def closes_s(self) -> float:
        """The idle time after which it closes at the earliest."""
        assert self.idle_s is not None
        return self.idle_s + self.adds_s

    @property
    def requests(self) -> int | None:
        """So many responses come on one connection; None: there is no limit."""
        if not self.keeps:
            return 1
        return None if self.requests_set is None else self.requests_set + self.serves_more


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a server is to listen, and what it finds there.

    Attributes:
        folder: of this server alone; every user may read it. A file ``files/user`` is there.
        port: of 127.0.0.1; nobody listens there yet.
        certificate: a file with key and certificate; None: it is to listen without TLS.
        log: for each response that it has sent, the server writes there a line with the number of
            the connection, or of the client's port.
    """

    folder: Path
    port: int
    certificate: Path | None
    log: Path

    def write(self, name: str, text: str) -> Path:
        """Put a file into the folder."""
        path = self.folder / name
        path.write_text(text)
        return path


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A program that can be set up in several ways.

    Attributes:
        name: as people write it.
        default: what it does if nothing is set, for the table in docs/servers.md.
        to_set: what its operator should set, for the same table; in sentences.
        command: the command that starts it in the foreground with these settings.
        missing: why it cannot be started on this machine; None: it can.
        variables: what its environment needs.
        stop: the signal upon which it ends, and has written all of its log.
    """

    name: str
    default: str
    to_set: str
    command: Callable[[Place, str], list[str]]
    missing: Callable[[], str | None]
    variables: Callable[[Place], Mapping[str, str]] = field(default=lambda _: {})
    stop: signal.Signals = signal.SIGTERM


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """A server with settings, and the policy that they make.

    Attributes:
        settings: as its configuration or its command line has them; empty: as it comes.
        policy: what that means.
    """

    server: Server
    settings: str
    policy: Policy
    tls: bool = False

    @property
    def name(self) -> str:
        """For tests and tables."""
        return f"{self.server.name}, {self.settings or 'as it comes'}, {self.scheme}"

    @property
    def scheme(self) -> str:
        """Of its URL."""
        return "https" if self.tls else "http"
