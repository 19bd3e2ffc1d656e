"""What must hold of the policy whatever happens, in whatever order: random lists of events."""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keptalive.tuned import policy
from keptalive.tuned.events import (
    Announced,
    Ended,
    Event,
    Forgotten,
    Idle,
    Kept,
    Remembered,
    RoundTrip,
)
from keptalive.tuned.policy import SAFE_AT_FIRST_S, Decision, Known

timeouts = st.floats(0.2, 4000)
shares = st.floats(0, 1)
connections = st.integers(1, 40)


def margin_s(timeout_s: float) -> float:
    """How much sooner than the timeout the last request leaves: what the documentation promises."""
    return max(min(1.0, timeout_s / 4), timeout_s / 10)


def events_of(timeout_s: float) -> st.SearchStrategy[Event]:
    """Any event that a server with this idle timeout can cause."""
    below = shares.map(lambda share: share * timeout_s)
    ends = st.builds(
        lambda number, early, late: Ended(
            connection=number,
            least_s=early * timeout_s,
            most_s=max(timeout_s, policy.NOT_IDLE_S) * (1 + late),
        ),
        connections,
        shares,
        st.floats(0, 3),
    )
    return st.one_of(
        st.builds(
            lambda number, idle_s: Kept(connection=number, idle_s=idle_s), connections, below
        ),
        ends,
        st.builds(lambda seconds: RoundTrip(seconds=seconds), st.floats(0, 0.5)),
        st.builds(lambda seconds: Forgotten(silent_s=seconds), st.floats(0, 55)),
        st.builds(lambda seconds: Remembered(silent_s=seconds), st.floats(0, 55)),
    )


def after(events: Iterable[Event], known: Known | None = None) -> Known:
    known = known or Known()
    for event in events:
        known = known.after(event)
    return known


@st.composite
def histories(draw: st.DrawFn) -> tuple[float, list[Event]]:
    timeout_s = draw(timeouts)
    return timeout_s, draw(st.lists(events_of(timeout_s), max_size=60))


@given(histories())
def test_no_request_that_may_not_be_sent_twice_leaves_within_the_margin_of_a_fixed_timeout(
    history: tuple[float, list[Event]],
) -> None:
    timeout_s, events = history
    safe_s = after(events).safe_s(None)
    assert 0 <= safe_s <= max(timeout_s - margin_s(timeout_s), SAFE_AT_FIRST_S) + 1e-9


@given(histories())
def test_a_request_never_leaves_within_two_round_trips_of_the_timeout(
    history: tuple[float, list[Event]],
) -> None:
    timeout_s, events = history
    known = after(events)
    latest_s = timeout_s - 2 * known.round_trip_s
    assert known.safe_s(None) <= max(latest_s, SAFE_AT_FIRST_S) + 1e-9


@given(histories(), st.integers(2, 3600))
def test_an_announced_time_that_is_true_is_kept_to(
    history: tuple[float, list[Event]], announced_s: int
) -> None:
    timeout_s, events = history
    announced_s = min(announced_s, int(timeout_s))
    known = after([*events, Announced(timeout_s=announced_s)])
    assert known.safe_s(announced_s) <= max(announced_s - max(1, announced_s / 10), 0) + 1e-9


@given(histories(), st.floats(0, 5000), st.floats(0, 100), st.booleans())
def test_what_a_post_reuses_a_get_reuses_and_only_a_get_tries(
    history: tuple[float, list[Event]], idle_s: float, silent_s: float, announces: bool
) -> None:
    timeout_s, events = history
    known, announced_s = after(events), timeout_s // 1 if announces else None

    def decided(*, repeatable: bool) -> Decision:
        return policy.decide(
            known,
            Idle(least_s=idle_s, most_s=idle_s),
            silent_s=silent_s,
            announced_s=announced_s,
            repeatable=repeatable,
        )

    post, get = decided(repeatable=False), decided(repeatable=True)
    assert post is not Decision.TRY
    assert (post is Decision.REUSE) == (get is Decision.REUSE)


@given(st.lists(histories(), min_size=2, max_size=3), st.randoms(use_true_random=False))
def test_of_several_servers_behind_one_name_the_shortest_time_holds_once_it_was_seen(
    histories_: list[tuple[float, list[Event]]], chance: random.Random
) -> None:
    shortest_s = min(timeout_s for timeout_s, _ in histories_)
    events = [event for _, some in histories_ for event in some]
    chance.shuffle(events)
    # Fewer connections than are taken to outweigh a close
    events = [event for event in events if getattr(event, "connection", 0) < policy.FORGET_AFTER]
    known = after(events, after([Ended(connection=0, least_s=0.0, most_s=shortest_s)]))
    assert known.closed_s is not None
    assert known.safe_s(None) <= shortest_s - margin_s(shortest_s) + 1e-9


@pytest.mark.parametrize("servers", [4, 10, 20])
def test_a_post_hardly_ever_meets_the_close_of_the_one_server_that_closes_sooner(
    servers: int,
) -> None:
    at_risk = [
        risks(random.Random(seed), short_s=10.0, long_s=30.0, servers=servers) for seed in range(8)
    ]
    assert max(at_risk) <= 1  # before the first close was seen, nobody can know


def risks(chance: random.Random, *, short_s: float, long_s: float, servers: int) -> int:
    """How many of 3,000 POSTs reuse a connection of that server in the last tenth of its time."""
    known, at_risk = Known(), 0
    for number in range(3000):
        timeout_s = short_s if chance.randrange(servers) == 0 else long_s
        idle_s = chance.uniform(0, 1.5 * short_s)
        if idle_s >= timeout_s:
            known = known.after(Ended(connection=number, least_s=timeout_s, most_s=timeout_s))
            continue
        is_late = timeout_s == short_s and idle_s > 0.9 * short_s + 1e-9
        at_risk += is_late and idle_s <= known.safe_s(None)
        known = known.after(Kept(connection=number, idle_s=idle_s))
    return at_risk


@given(st.lists(events_of(30), max_size=30), events_of(30))
def test_to_hear_the_same_again_changes_nothing_but_counts(
    events: list[Event], event: Event
) -> None:
    known = after([*events, event])
    again = known.after(event)
    assert again.safe_s(None) <= known.safe_s(None) + 1e-9


@pytest.mark.parametrize(
    ("timeout_s", "varies_s"),
    [(2.0, 2.0), (2.0, 1.0), (5.0, 2.0), (1.0, 1.0), (60.0, 5.0)],
    ids=lambda seconds: f"{seconds:g}",
)
def test_a_post_does_not_meet_the_close_of_a_server_that_closes_at_some_time_later(
    timeout_s: float, varies_s: float
) -> None:
    # lighttpd, gunicorn and waitress look for idle connections once in a while
    chance = random.Random(timeout_s)
    at_risk = [
        posts_at_risk(chance, timeout_s, varies_s, every_s=timeout_s + share / 20 * varies_s)
        for share in range(1, 20)
        for _ in range(20)
    ]
    # Closes may come at the same time by chance, three times
    assert sum(map(bool, at_risk)) <= len(at_risk) / 50


def posts_at_risk(
    chance: random.Random, timeout_s: float, varies_s: float, *, every_s: float
) -> int:
    """How many of 100 POSTs use a connection that the server may close at that moment."""
    known, at_risk = Known(), 0
    for number in range(100):
        closes_s = timeout_s + varies_s * chance.random()
        if closes_s > every_s and every_s <= known.safe_s(None):
            at_risk += 1
            known = known.after(Kept(connection=number, idle_s=every_s))
        else:  # the server has ended it, or it is set aside
            known = known.after(Ended(connection=number, least_s=closes_s, most_s=closes_s))
    return at_risk
