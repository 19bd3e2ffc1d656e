"""The judge that goes on for weeks finds what the judge at the end finds, in bounded memory."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from keptalive.causes import settling
from keptalive.causes.patterns import Pattern
from keptalive.causes.rules import judge
from keptalive.causes.settling import RouteJudge
from keptalive.records.connection import CloseReason, Connection, ConnectionEnd, OpeningFacts

PATTERN = Pattern(most_at_once=2)
NEVER_READ = ConnectionEnd(how=CloseReason.NEVER_READ)


def opened(number: int, *, owner: int = 1, most_at_once: int = 1, **more) -> Connection:
    facts = OpeningFacts(owner=owner, most_at_once=most_at_once, pool_is_new=more.pop("new", False))
    at = float(number)
    known = {"attempted_s": at, "connected_s": at, "ended_s": at + 0.5, "served": 1, **more}
    return Connection(id=number, process=1, thread=1, host="http://a.test:80", facts=facts, **known)


def settled(several: list[Connection]) -> list[str]:
    known: dict[int, Connection] = {}
    one_by_one = RouteJudge()
    causes = []
    for one in several:
        causes.append(one_by_one.judge(one, known.get, PATTERN))
        known[one.id] = one
    return causes


HOWS = (
    *(CloseReason.FIN, CloseReason.RST, CloseReason.CLOSE_ANNOUNCED, CloseReason.POOL_CLOSED),
    *(CloseReason.NEVER_READ, CloseReason.DISCARDED, CloseReason.FAILED),
)
CONNECTIONS = st.lists(
    st.fixed_dictionaries(
        {
            "owner": st.integers(1, 4),
            "new": st.booleans(),
            "most_at_once": st.integers(1, 3),
            "end": st.sampled_from(HOWS).map(lambda how: ConnectionEnd(how=how, idle_s=0.1)),
            "served": st.integers(0, 2),
        }
    ),
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(made=CONNECTIONS, data=st.data())
def test_one_by_one_connections_have_the_causes_that_they_have_together(made, data):
    several = [opened(number, **one) for number, one in enumerate(made, start=1)]
    linked, free = [], set()
    for one in several:
        before = data.draw(st.sampled_from([None, *sorted(free)]))
        free.discard(before)
        free.add(one.id)
        linked.append(replace(one, replaces=before))
    # what replaces one that was never read is known only together: see the tests below
    pairs = [
        (one, cause)
        for one, cause in zip(judge(linked, PATTERN), settled(linked), strict=True)
        if one.cause is not None
    ]
    if not any(one.end.how is CloseReason.NEVER_READ for one in linked):
        assert [one.cause for one, _ in pairs] == [cause for _, cause in pairs]


def test_a_response_that_was_never_read_explains_the_next_connection_of_its_pool():
    judged, known = RouteJudge(), {}
    first = opened(1, new=True, end=None)
    assert judged.judge(first, known.get, PATTERN) == "first-use"
    assert judged.judge(opened(2), known.get, PATTERN) != "unread-body"
    judged.ends(replace(first, end=NEVER_READ))
    assert judged.judge(opened(3), known.get, PATTERN) == "unread-body"
    assert judged.judge(opened(4), known.get, PATTERN) != "unread-body"


def test_one_that_was_replaced_already_explains_no_other_one():
    judged, known = RouteJudge(), {}
    first = known[1] = opened(1, new=True, end=None)
    judged.judge(first, known.get, PATTERN)
    judged.judge(opened(2, replaces=1), known.get, PATTERN)
    judged.ends(replace(first, end=NEVER_READ))
    assert judged.judge(opened(3), known.get, PATTERN) != "unread-body"


def test_owners_that_opened_nothing_for_long_are_forgotten(monkeypatch):
    monkeypatch.setattr(settling, "OWNERS_KEPT", 3)
    judged = RouteJudge()
    for number in range(1, 200):
        cause = judged.judge(opened(number, owner=number, new=True), {}.get, PATTERN)
        assert cause == ("first-use" if number == 1 else "new-session")
        judged.forget(number)
    seen = judged._seen
    for kept in (seen.pools, seen.began, seen.differs, seen.new_pools, seen.left_unread):
        assert len(kept) <= 3
    assert len(seen.replaced) == len(seen.places_left) == 0


def test_a_connection_that_waits_for_its_first_response_is_not_the_first_use_of_the_next():
    judged = RouteJudge()
    waiting = opened(1, new=True, end=None, served=0)
    assert judged.judge(waiting, {}.get, PATTERN) == "first-use"
    assert judged.judge(opened(2, most_at_once=2), {}.get, PATTERN) == "concurrency"
