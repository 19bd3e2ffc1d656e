"""Witnesses agree, or what each of them said is told."""

from __future__ import annotations

import pytest

from keptalive.bench.witnesses import disagreement, settled
from keptalive.records.run import Counts, Witnesses

SURE = Counts(requests=3, opened=3)
UNSURE = Counts(requests=5, opened=3, unanswered=2)


def said(sockets: int, server: int | None = None) -> Witnesses:
    return Witnesses(pool_log=3, sockets=sockets, server=server)


@pytest.mark.parametrize(
    ("counts", "witnesses", "expected"),
    [
        (SURE, said(3), None),
        (SURE, said(3, 3), None),
        (SURE, said(2), "pool log 3, sockets 2"),
        (SURE, said(4), "pool log 3, sockets 4"),
        (SURE, said(3, 2), "pool log 3, sockets 3, server 2"),
        (SURE, said(4, 4), "pool log 3, sockets 4, server 4"),
        (SURE, said(3, 0), "pool log 3, sockets 3, server 0"),
        (UNSURE, said(3, 3), None),
        (UNSURE, said(4), None),
        (UNSURE, said(5, 5), None),
        (UNSURE, said(2, 2), "pool log 3 to 5, sockets 2, server 2"),
        (UNSURE, said(6), "pool log 3 to 5, sockets 6"),
        (UNSURE, said(4, 5), "pool log 3 to 5, sockets 4, server 5"),
        (Counts(), Witnesses(pool_log=0, sockets=0, server=0), None),
    ],
)
def test_they_agree_or_it_is_told_what_each_said(counts, witnesses, expected):
    assert expected == disagreement(counts, witnesses)


def test_the_sockets_settle_what_the_log_is_unsure_of():
    assert Counts(requests=5, opened=4, unanswered=2) == settled(UNSURE, said(4))


def test_a_log_that_is_sure_is_left_alone():
    assert settled(SURE, said(4)) == SURE
