"""Witnesses agree, or the disagreement says what each of them counted."""

from __future__ import annotations

import pytest

from keptalive.bench.witnesses import disagreement, settled
from keptalive.records.counts import HostCounts
from keptalive.records.run import Witnesses

SURE = HostCounts(requests=3, connects=3, opened=3)
UNSURE = HostCounts(requests=5, connects=5, opened=3, unanswered=2)
WITHOUT_LOG = HostCounts(requests=3, connects=None, opened=None)


def said(sockets: int | None, server: int | None = None, pool_log: int | None = 3) -> Witnesses:
    return Witnesses(pool_log=pool_log, sockets=sockets, server=server)


@pytest.mark.parametrize(
    ("counts", "witnesses", "expected"),
    [
        (SURE, said(3), None),
        (SURE, said(3, 3), None),
        (SURE, said(None, 3), None),
        (SURE, said(None), None),
        (SURE, said(2), "pool log 3, sockets 2"),
        (SURE, said(4), "pool log 3, sockets 4"),
        (SURE, said(3, 2), "pool log 3, sockets 3, server 2"),
        (SURE, said(4, 4), "pool log 3, sockets 4, server 4"),
        (SURE, said(3, 0), "pool log 3, sockets 3, server 0"),
        (SURE, said(None, 2), "pool log 3, server 2"),
        (UNSURE, said(3, 3), None),
        (UNSURE, said(4), None),
        (UNSURE, said(5, 5), None),
        (UNSURE, said(2, 2), "pool log 3 to 5, sockets 2, server 2"),
        (UNSURE, said(6), "pool log 3 to 5, sockets 6"),
        (UNSURE, said(4, 5), "pool log 3 to 5, sockets 4, server 5"),
        (WITHOUT_LOG, said(7, 7, None), None),
        (WITHOUT_LOG, said(7, None, None), None),
        (WITHOUT_LOG, said(None, None, None), None),
        (WITHOUT_LOG, said(7, 6, None), "sockets 7, server 6"),
        (HostCounts(), said(0, 0, 0), None),
    ],
)
def test_they_agree_or_the_disagreement_says_what_each_counted(counts, witnesses, expected):
    assert expected == disagreement(counts, witnesses)


@pytest.mark.parametrize(
    ("witnesses", "expected"), [(said(4), 1), (said(None, 5), 2), (said(3), 0)]
)
def test_sockets_or_server_count_the_connections_without_a_response(witnesses, expected):
    found = settled(UNSURE, witnesses)
    assert (found.opened, found.opened_unanswered) == (3, expected)


def test_without_sockets_and_server_connections_without_a_response_are_unknown():
    found = settled(UNSURE, said(None))
    assert (found.opened, found.opened_unanswered) == (3, None)


@pytest.mark.parametrize(("sockets", "server", "opened"), [(4, 4, 4), (None, 5, 5), (4, None, 4)])
def test_without_a_log_every_connection_that_was_made_counts_as_opened(sockets, server, opened):
    found = settled(WITHOUT_LOG, said(sockets, server, None))
    assert (found.opened, found.opened_unanswered) == (opened, None)
