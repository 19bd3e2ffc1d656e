"""ONE server for all tests: its half of each conversation is a function in the test.

    def script(peer):
        assert peer.request()  # read one request
        peer.respond(503, "Retry-After: 0")
        peer.reset()

    with Server(script, answers()) as server:  # the second script: for all later connections
        requests.get(server.url)
        assert server.accepted == 1

Each connection has a thread of its own, on which its script runs. When the test ends, every
connection is shut down and every thread joined; an exception of a script fails the test, unless
it only says that the client has gone. Nothing here sleeps.
"""

from __future__ import annotations

import errno
import socket
import ssl
import threading
from contextlib import suppress
from types import TracebackType

from tests.servers.peer import HANGS_S, Peer, Request, Script, answers

PATIENCE_S = 5.0  # how long a test may wait for anything


class Server:
    """Runs the first script on the first connection and so on; the last one on all that follow.

    Args:
        scripts: what happens on a connection; unless given, `answers`.
        tls: each connection begins with a TLS handshake. See `tests.servers.pki`.
        host: by which `url` names this server.
        unix: a path, to listen there instead of on a port of 127.0.0.1.
        listener: a socket that listens already, or will.

    Attributes:
        accepted: how many connections came.
        requests: what arrived on all of them.
        names: for whom each TLS handshake that succeeded asked (SNI); None: for nobody.
    """

    def __init__(
        self,
        *scripts: Script,
        tls: ssl.SSLContext | None = None,
        host: str = "127.0.0.1",
        unix: str | None = None,
        listener: socket.socket | None = None,
    ) -> None:
        self.accepted = 0
        self.requests: list[Request] = []
        self.names: list[str | None] = []
        self._scripts = scripts or (answers(),)
        self._tls = tls
        self._host = host
        self._listener = listener or _listening(unix)
        self._accepting = threading.Thread(target=self._accept)
        self._accepts = threading.Condition()
        self._peers: list[Peer] = []
        self._players: list[threading.Thread] = []
        self._errors: list[BaseException] = []

    @property
    def port(self) -> int:
        """The port of 127.0.0.1 on which it listens."""
        return self._listener.getsockname()[1]

    @property
    def url(self) -> str:
        """The address of this server, with the path ``/``."""
        return self.at(self._host)

    def at(self, host: str) -> str:
        """Its URL by another name."""
        return f"http{'s' if self._tls else ''}://{host}:{self.port}/"

    @property
    def bodies(self) -> list[bytes]:
        """Of each request, its body."""
        return [request.body for request in self.requests]

    @property
    def targets(self) -> list[str]:
        """Of each request, what it asked for."""
        return [request.target for request in self.requests]

    @property
    def clients(self) -> list[str | None]:
        """Of each request, the common name in the certificate that came with it."""
        return [request.client for request in self.requests]

    def wait_for_connections(self, number: int, *, patience_s: float = PATIENCE_S) -> None:
        """Return when so many have been accepted.

        Args:
            number: of connections.
            patience_s: for how long: a program that is to start first takes longer.

        Raises:
            AssertionError: they have not after that.
        """
        with self._accepts:
            assert self._accepts.wait_for(lambda: self.accepted >= number, patience_s)

    def wait_for_scripts(self, number: int) -> None:
        """Return when the scripts of so many connections, the first ones, have ended.

        Raises:
            AssertionError: they have not after 5 s.
        """
        self.wait_for_connections(number)
        for player in self._players[:number]:
            _join(player)

    def start(self) -> Server:
        """Accept connections from now on; `close` ends it."""
        self._accepting.start()
        return self

    def _accept(self) -> None:
        with suppress(OSError):  # close() ends it
            while True:
                sock, _ = self._listener.accept()
                script = self._scripts[min(self.accepted, len(self._scripts) - 1)]
                if sock.family != socket.AF_UNIX:
                    # No response waits until the client acknowledges TLS' session tickets
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.settimeout(HANGS_S)
                peer = Peer(self, sock)
                player = threading.Thread(target=self._play, args=(peer, script))
                self._peers.append(peer)
                self._players.append(player)
                with self._accepts:
                    self.accepted += 1  # before the client can have an answer
                    player.start()
                    self._accepts.notify_all()

    def _play(self, peer: Peer, script: Script) -> None:
        try:
            if self._tls:
                peer.start_tls(self._tls)
            script(peer)
        except (ConnectionError, ssl.SSLError):
            pass  # the client has gone, or has not agreed to this server
        except BaseException as error:  # noqa: BLE001 - raised where the test sees it
            if not _had_gone(error):
                self._errors.append(error)
        finally:
            peer.close()

    def close(self) -> None:
        """End all connections and threads.

        Raises:
            BaseException: what a script raised: the first of it.
        """
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        _join(self._accepting)  # from here on, no peer is added
        self._listener.close()
        for peer in self._peers:
            peer.shut_down()
        for player in self._players:
            _join(player)
        if self._errors:
            raise self._errors[0]

    def __enter__(self) -> Server:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()


def _listening(unix: str | None) -> socket.socket:
    if unix is None:
        return socket.create_server(("127.0.0.1", 0))
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(unix)
    listener.listen()
    return listener


def _had_gone(error: BaseException) -> bool:
    """Whether the client had reset the connection before a TLS handshake could begin."""
    return isinstance(error, OSError) and error.errno == errno.ENOTCONN


def _join(thread: threading.Thread) -> None:
    thread.join(PATIENCE_S)
    assert not thread.is_alive()
