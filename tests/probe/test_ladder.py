"""Connections that die silently: searched with a ladder of idle times, here of milliseconds."""

from __future__ import annotations

import re
import select
import threading
import time

import pytest
from tests.probe.conftest import names
from tests.servers.scripts import closes_idle

LADDER = {
    "silent_drops": True,
    "rungs_s": (0.3, 0.6, 0.9, 1.2),
    "control_s": 0.15,
    "answer_s": 0.5,
    "budget_s": 20.0,
    "most_requests": 2,
}


def forgets_after(idle_s, *, resets=False):
    """A path that forgets a connection which was unused for so long."""

    return Forgetful(idle_s, resets=resets)


class Forgetful:
    """The script of such a path, which counts the connections that are open."""

    def __init__(self, idle_s, *, resets):
        self._idle_s, self._resets = idle_s, resets
        self._lock = threading.Lock()
        self._socks = []
        self.most_open = 0

    def __call__(self, peer):
        self._count(peer.sock)
        last = None
        while peer.request():
            if last is not None and time.monotonic() - last > self._idle_s:
                peer.reset() if self._resets else peer.client_closes()
                break
            peer.respond()
            last = time.monotonic()

    def _count(self, sock):
        """One more; those that the client has closed are none, though their scripts are late."""
        with self._lock:
            self._socks.append(sock)
            self.most_open = max(self.most_open, sum(map(is_open, self._socks)))


def is_open(sock):
    """Whether neither end has closed it."""
    if sock.fileno() < 0:
        return False
    poll = select.poll()
    poll.register(sock, select.POLLRDHUP)
    return not poll.poll(0)


@pytest.mark.complete
def test_a_path_that_forgets_is_found_between_two_rungs(serve, probe):
    path = forgets_after(0.75)
    report = probe(serve(path).url, **LADDER)
    assert 4 < path.most_open <= 6
    assert "silent-drop" in names(report)
    (found,) = (one for one in report.findings if one.finding == "silent-drop")
    assert found.certainty == "likely"  # the control connection went on
    assert 0.3 < report.advice.max_idle_s < 0.78
    assert report.idle_timeout_s is None


@pytest.mark.complete
def test_a_path_that_resets_what_it_has_forgotten_is_found_too(serve, probe):
    report = probe(serve(forgets_after(0.45, resets=True)).url, **LADDER)
    (found,) = (one for one in report.findings if one.finding == "silent-drop")
    assert "was reset" in found.evidence


@pytest.mark.complete
def test_a_path_that_forgets_nothing_survives_every_rung(serve, probe):
    server = serve()
    report = probe(server.url, **LADDER)
    assert "silent-drop" not in names(report)
    assert report.ended == "done"
    (found,) = (one for one in report.findings if one.finding == "idle-survived")
    survived, unit = re.match(r"A request after ([\d.]+) (m?s) idle", found.evidence).groups()
    assert float(survived) * {"ms": 0.001, "s": 1}[unit] >= 1.2  # the last rung, or a little more


def test_where_the_server_closes_by_itself_the_search_ends(serve, probe):
    report = probe(serve(closes_idle(0.12)).url, **LADDER)
    assert "idle-timeout" in names(report)
    assert "silent-drop" not in names(report)
    assert report.ended == "done"
