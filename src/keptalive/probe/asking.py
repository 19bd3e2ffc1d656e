"""Sends one request on a connection of a probe, and reads its response to the end."""

from __future__ import annotations

import ssl

from keptalive.probe.events import Answered, Failed, Failure, Seen
from keptalive.probe.line import ConnectionEndedError, Line, of_bytes
from keptalive.probe.opening import NotOpenedError, send_all
from keptalive.probe.response import NotHttpError, Response, TooLongError
from keptalive.probe.watcher import Watcher
from keptalive.records.connection import CloseReason

LONGEST_BODY = 1024 * 1024  # bytes
_SEND_S = 5.0  # for a request that fits into one packet


class TooShortError(ConnectionEndedError):
    """The connection ended within a response."""


def ask(watcher: Watcher, line: Line, request: bytes, *, until_s: float) -> Answered | Failed:
    """Send this request, whole, and read its response; the event has been noted.

    The connection is watched afterwards, if its end is still to be seen; else it is closed.
    """
    watcher.unwatch(line)
    try:
        return _asked(watcher, line, request, until_s)
    except BaseException:  # a signal: nobody watches it just now
        line.close()
        raise


def _asked(watcher: Watcher, line: Line, request: bytes, until_s: float) -> Answered | Failed:
    sent_s = watcher.now()
    watcher.requests += 1
    response = Response(limit=LONGEST_BODY)
    try:
        send_all(watcher, line, request, sent_s + _SEND_S)
        head_s, ended = _read(watcher, line, response, until_s)
    except TooShortError:
        return _failed(watcher, line, sent_s, Failure.TRUNCATED)
    except (ConnectionEndedError, NotOpenedError) as error:
        is_reset = error.args[0] is CloseReason.RST
        return _failed(watcher, line, sent_s, Failure.RESET if is_reset else Failure.CLOSED)
    except NotHttpError as error:
        said = bytes(error.args[0]).decode("latin-1")
        return _failed(watcher, line, sent_s, Failure.NOT_HTTP, said)
    except TooLongError:
        return _failed(watcher, line, sent_s, Failure.TOO_LONG)
    except TimeoutError:
        failure = Failure.TOO_LONG if response.has_begun else Failure.SILENT
        return _failed(watcher, line, sent_s, failure)
    answered = _answered(line, response, at_s=watcher.now(), sent_s=sent_s, head_s=head_s)
    watcher.note(answered)
    line.answered_s = answered.at_s
    _keep_session(line)
    if response.rest:
        line.strayed = True
        what = of_bytes(response.rest)
        watcher.note(Seen(connection=line.number, at_s=answered.at_s, what=what))
    if ended is not None:
        watcher.note(Seen(connection=line.number, at_s=answered.at_s, what=ended))
        line.close()
    else:
        watcher.watch(line)
    return answered


def _read(
    watcher: Watcher, line: Line, response: Response, until_s: float
) -> tuple[float, CloseReason | None]:
    """Read the response: when its head had come, and by what the connection ended with it."""
    head_s = 0.0
    while not response.complete:
        try:
            data = line.receive()
        except ConnectionEndedError as ended:
            how: CloseReason = ended.args[0]
            if response.end():
                return head_s, how
            if response.head_complete:
                raise TooShortError(how) from None
            raise
        if data is None:
            if not watcher.wait(line.sock, until_s=until_s):
                raise TimeoutError
            continue
        response.feed(data)
        if response.head_complete and not head_s:
            head_s = watcher.now()
        if watcher.now() > until_s and not response.complete:  # also where bytes come and come
            raise TimeoutError
    return head_s, None


def _failed(
    watcher: Watcher, line: Line, sent_s: float, failure: Failure, said: str = ""
) -> Failed:
    line.close()
    failed = Failed(
        connection=line.number, at_s=watcher.now(), sent_s=sent_s, failure=failure, said=said
    )
    watcher.note(failed)
    return failed


def _answered(
    line: Line, response: Response, *, at_s: float, sent_s: float, head_s: float
) -> Answered:
    return Answered(
        connection=line.number,
        at_s=at_s,
        sent_s=sent_s,
        head_s=head_s,
        version=response.version,
        status=response.status,
        keep_alive=response.headers.get("keep-alive"),
        connection_header=response.headers.get("connection"),
        location=response.headers.get("location"),
        retry_after=response.headers.get("retry-after"),
        keeps=response.keeps,
        framed=response.framed,
    )


def _keep_session(line: Line) -> None:
    """Of TLS 1.3 the tickets have come by now, with the response at the latest."""
    if isinstance(line.sock, ssl.SSLSocket) and not line.sessions and line.sock.session is not None:
        line.sessions.append(line.sock.session)
