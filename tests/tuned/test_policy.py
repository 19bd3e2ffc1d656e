"""What is known of a server after a list of events, and which connections are used then."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from keptalive.tuned import evidence, policy
from keptalive.tuned.events import (
    Announced,
    Ended,
    Event,
    Forgotten,
    Idle,
    Kept,
    Remembered,
    RoundTrip,
    Sight,
)
from keptalive.tuned.policy import Decision, Known

REUSE, TRY, FRESH = Decision.REUSE, Decision.TRY, Decision.FRESH


def after(*events: Event) -> Known:
    known = Known()
    for event in events:
        known = known.after(event)
    return known


def kept(idle_s: float, connection: int = 1) -> Kept:
    return Kept(connection=connection, idle_s=idle_s)


def ended(least_s: float, most_s: float | None = None, connection: int = 1) -> Ended:
    return Ended(
        connection=connection, least_s=least_s, most_s=least_s if most_s is None else most_s
    )


def idle_for(seconds: float) -> Idle:
    return Idle(least_s=seconds, most_s=seconds)


def decided(
    known: Known,
    idle_s: float,
    *,
    repeatable: bool,
    silent_s: float = 0.0,
    announced_s: float | None = None,
) -> Decision:
    return policy.decide(
        known,
        idle_for(idle_s),
        silent_s=silent_s,
        announced_s=announced_s,
        repeatable=repeatable,
    )


# Nothing is known


@pytest.mark.parametrize(
    ("idle_s", "post", "get"),
    [(0.01, REUSE, REUSE), (0.1, REUSE, REUSE), (0.11, FRESH, TRY), (3600.0, FRESH, TRY)],
)
def test_of_an_unknown_server_only_a_request_that_may_be_sent_twice_tries_what_was_idle(
    idle_s: float, post: Decision, get: Decision
) -> None:
    assert decided(Known(), idle_s, repeatable=False) == post
    assert decided(Known(), idle_s, repeatable=True) == get


@pytest.mark.parametrize("repeatable", [False, True])
def test_a_path_that_was_silent_for_long_is_not_used(repeatable: bool) -> None:
    known = after(kept(3600))
    assert decided(known, 300, silent_s=55, repeatable=repeatable) == REUSE
    assert decided(known, 300, silent_s=56, repeatable=repeatable) == FRESH


# What the server announces


@pytest.mark.parametrize(
    ("announced_s", "safe_s"), [(2, 1), (5, 4), (10, 9), (15, 13.5), (60, 54), (75, 67.5)]
)
def test_an_announced_timeout_is_honoured_less_a_second_or_a_tenth(
    announced_s: float, safe_s: float
) -> None:
    known = after(Announced(timeout_s=announced_s))
    assert decided(known, safe_s, announced_s=announced_s, repeatable=False) == REUSE
    assert decided(known, safe_s + 0.01, announced_s=announced_s, repeatable=False) == FRESH
    assert decided(known, safe_s + 0.01, announced_s=announced_s, repeatable=True) == TRY


@pytest.mark.parametrize("announced_s", [0, 1])
@pytest.mark.parametrize("repeatable", [False, True])
def test_a_connection_is_not_reused_if_the_server_announces_no_time(
    announced_s: float, repeatable: bool
) -> None:
    assert decided(Known(), 0.0, announced_s=announced_s, repeatable=repeatable) == FRESH


def test_an_announcement_counts_for_the_connection_on_which_it_came() -> None:
    known = after(Announced(timeout_s=60))
    assert decided(known, 30, announced_s=60, repeatable=False) == REUSE
    assert decided(known, 30, repeatable=False) == FRESH


def test_a_server_that_closes_sooner_than_it_announces_is_believed_what_it_does() -> None:
    known = after(Announced(timeout_s=60), ended(20))
    assert decided(known, 18, announced_s=60, repeatable=False) == REUSE
    assert decided(known, 19, announced_s=60, repeatable=False) == FRESH


@pytest.mark.parametrize(
    ("header", "timeout_s"),
    [
        ("timeout=5", 5),
        ("timeout=5, max=100", 5),
        ("max=100, timeout=5", 5),
        ("max=100,timeout = 5", 5),
        ('Timeout="5"', 5),
        ("timeout=0", 0),
        ("timeout=", None),
        ("timeout=-1", None),
        ("timeout=1.5", None),
        ("timeout=9999999999999", None),
        ("max=100", None),
        ("mytimeout=5", None),
        ("300", None),
        ("", None),
    ],
)
def test_the_timeout_of_a_keep_alive_header(header: str, timeout_s: float | None) -> None:
    assert policy.announced_timeout_s(header) == timeout_s


# What was kept and what was not


@pytest.mark.parametrize(
    ("events", "safe_s"),
    [
        ([kept(0.4)], 0.2),
        ([kept(2)], 1),
        ([kept(5)], 3),
        ([kept(60)], 54),
        ([kept(60), kept(3)], 54),  # the longest counts
        ([ended(5)], 3),  # closed at 5 s exactly: kept until then
        ([ended(0, 5)], 0.1),  # closed at some time before 5 s
        ([ended(75, 120)], 67.5),
        ([kept(60), ended(75, 120)], 67.5),
        ([ended(60), ended(5, connection=2)], 3),  # servers differ: the shortest
        ([ended(5), ended(60, connection=2)], 3),
        ([ended(5)] * 2, 3),
        ([ended(5)] * 3, 4),  # it closes after the same time each time
        ([ended(5), ended(5.1), ended(4.95)], 3.95),
        ([ended(5), ended(6.5), *[ended(5)] * 9], 3),  # its time varies
        ([ended(2.5), *[ended(4)] * 9], 1.25),
        ([ended(0, 5), *[ended(5)] * 2], 3),  # at whatever time the first one came
        ([ended(0, 5), *[ended(5)] * 3], 4),
        ([*[ended(5)] * 3, ended(0, 60), kept(30)], 4),
        ([ended(0.12)], 0.06),  # below what is safe at first
        ([ended(0.04), kept(5)], 3),  # closed with the response, not for being idle
        ([kept(10), RoundTrip(seconds=2)], 5.96),  # two round trips
    ],
)
def test_a_request_that_may_not_be_sent_twice_uses_what_is_safe_by_these_events(
    events: list[Event], safe_s: float
) -> None:
    assert after(*events).safe_s(None) == pytest.approx(safe_s)


def test_at_the_time_at_which_the_server_closes_no_request_uses_a_connection() -> None:
    known = after(ended(60), RoundTrip(seconds=0.02))
    shown = {idle_s: decided(known, idle_s, repeatable=True) for idle_s in (53, 59.9, 59.95, 60.1)}
    assert shown == {53: REUSE, 59.9: TRY, 59.95: FRESH, 60.1: TRY}


def test_an_early_close_is_forgotten_when_enough_connections_were_kept_longer() -> None:
    later = [kept(10, connection=number) for number in range(2, 10)]
    assert after(kept(60), ended(3), *later[:-1]).safe_s(None) == pytest.approx(1.5)
    assert after(kept(60), ended(3), *later).safe_s(None) == pytest.approx(54)


def test_one_connection_that_is_kept_longer_again_and_again_outweighs_nothing() -> None:
    known = after(kept(60), ended(3), *[kept(10)] * 20)
    assert known.closed_s == 3


def test_a_second_early_close_is_not_outweighed_by_what_came_before_it() -> None:
    some = [kept(10, connection=number) for number in range(2, 7)]
    more = [kept(10, connection=number) for number in range(8, 13)]
    assert after(ended(3), *some, ended(3, connection=7), *more).closed_s == 3


def test_an_early_close_that_came_again_is_not_outweighed_by_a_few_connections() -> None:
    # One of several servers behind the name closes sooner than the others
    later = [kept(10, connection=number) for number in range(2, 66)]
    once = after(ended(3), *later[:8])
    assert once.closed_s is None
    again = once.after(ended(3.1))
    for number, event in enumerate(later, 1):
        again = again.after(event)
        assert (again.closed_s is None) == (number == 64)


# A path that forgets


@pytest.mark.parametrize(
    ("silent_s", "used_s"),
    [
        (40, 20),
        (54, 27),
        (20, 10),
        (19.9, 55),  # no path forgets so soon: the network was down
    ],
)
def test_a_path_that_has_forgotten_is_used_after_half_of_that_silence_at_most(
    silent_s: float, used_s: float
) -> None:
    known = after(kept(60), Forgotten(silent_s=silent_s))
    for repeatable in (False, True):
        assert decided(known, 50, silent_s=used_s, repeatable=repeatable) == REUSE
        assert decided(known, 50, silent_s=used_s + 0.1, repeatable=repeatable) == FRESH


def test_a_path_on_which_a_probe_was_acknowledged_later_is_trusted_again() -> None:
    known = after(Forgotten(silent_s=40), Remembered(silent_s=45))
    assert (known.forgotten_s, known.silent_most_s) == (None, 45)
    known = after(Forgotten(silent_s=50), Remembered(silent_s=45))
    assert (known.forgotten_s, known.silent_most_s) == (50, 45)
    assert after(Remembered(silent_s=45)) == Known()


@pytest.mark.parametrize(
    ("idle_s", "silent_s", "probes_s", "remembered"),
    [
        (60, 15, 45, True),
        (60, 14, 45, True),
        (44, 44, 45, False),
        (60, 16, 45, False),
        (60, 0, None, False),
        (60, None, 45, False),
    ],
)
def test_an_acknowledged_probe_shows_that_the_path_remembers(
    idle_s: float, silent_s: float | None, probes_s: float | None, remembered: bool
) -> None:
    seen = sight(readable=False, got_fin=False, silent_s=silent_s, probes_s=probes_s)
    expected = Remembered(silent_s=45) if remembered else None
    assert evidence.remembered(idle_for(idle_s), seen) == expected


def test_whether_the_timeout_is_known_exactly() -> None:
    assert not Known().is_exact()
    assert not after(kept(60)).is_exact()
    assert not after(ended(0, 50)).is_exact()
    assert not after(*[ended(5)] * 2).is_exact()
    assert after(*[ended(5)] * 3).is_exact()
    assert not after(ended(5), ended(6), *[ended(5)] * 3).is_exact()
    assert after(kept(58), ended(58, 60)).is_exact()


def test_a_state_is_never_changed() -> None:
    known = Known()
    assert known.after(kept(5)) is not known
    assert known == Known()


# What a socket shows


def sight(
    *,
    silent_s: float | None = None,
    data_s: float | None = None,
    readable: bool = True,
    got_fin: bool = True,
    probes_s: float | None = 45,
) -> Sight:
    return Sight(
        readable=readable, got_fin=got_fin, silent_s=silent_s, data_s=data_s, probes_s=probes_s
    )


@pytest.mark.parametrize(
    ("idle_s", "silent_s", "kept_s"),
    [
        (10, 10, 10),  # no path forgets within 20 s
        (40, 40, 20),
        (60, 15, 60),  # a probe was acknowledged at 45 s
        (80, 35, 65),
        (120, 30, 110),
        (10, 12, 10),  # the last acknowledgement came before the response was read
        (40, None, 20),
    ],
)
def test_an_open_connection_shows_only_what_the_path_cannot_have_forgotten(
    idle_s: float, silent_s: float | None, kept_s: float
) -> None:
    seen = sight(readable=False, got_fin=False, silent_s=silent_s)
    assert evidence.kept_until(1, idle_for(idle_s), seen) == kept(kept_s)


# The FIN of a server came at `timeout_s`, TCP keepalive sends probes after 45 s of silence, and
# each is acknowledged: what is found at `idle_s`
def found(timeout_s: float, idle_s: float, *, probes: bool = True, late: float = 0) -> Sight:
    every_s = 45 * (1 + late)
    if not probes:
        return sight(silent_s=idle_s - timeout_s, data_s=idle_s, probes_s=None)
    last_s = 0.0
    fin_s: float | None = timeout_s
    while True:
        if fin_s is not None and fin_s < last_s + every_s:
            last_s, fin_s = fin_s, None
        elif last_s + every_s <= idle_s:
            last_s += every_s
        else:
            break
    return sight(silent_s=idle_s - last_s, data_s=idle_s)


@pytest.mark.parametrize(
    ("timeout_s", "idle_s", "open_s", "expected"),
    [
        (5, 6, 0, (5, 5)),
        (5, 44, 0, (5, 5)),
        (5, 60, 0, (0, 50)),  # a probe at 50 s was acknowledged, and may have been late
        (60, 70, 0, (9.4, 60)),  # a probe at 45 s, or the FIN before and the probe at 60?
        (60, 70, 50, (60, 60)),
        (75, 120.5, 60, (69.4, 120)),
        (75, 119, 60, (75, 75)),
        (75, 600, 60, (60, 570)),
    ],
)
def test_a_fin_is_dated_by_the_last_segment_and_the_probes_after_it(
    timeout_s: float, idle_s: float, open_s: float, expected: tuple[float, float]
) -> None:
    end = evidence.ended_at(1, idle_for(idle_s), found(timeout_s, idle_s), open_s)
    assert (end.least_s, end.most_s) == pytest.approx(expected, abs=0.3)


@pytest.mark.parametrize("late", [0, 0.05, 0.12])
@pytest.mark.parametrize("rounded_s", [0, 0.02, -0.02])
def test_whatever_the_server_and_the_pause_the_dates_of_a_fin_contain_it(
    late: float, rounded_s: float
) -> None:
    times = [0.3, 1, 2, 5, 15, 30, 44.9, 45.1, 60, 60.01, 75, 89, 91, 120, 135, 240, 350]
    for timeout_s in times:
        for pause_s in [1, 10, 44, 46, 59.9, 60, 61, 100, 300, 1000]:
            checks = [pause_s * number for number in range(1, 20)]
            for open_s, idle_s in pairwise([0.0, *checks]):
                if not open_s < timeout_s <= idle_s:
                    continue
                seen = found(timeout_s, idle_s, late=late)
                assert seen.silent_s is not None
                seen = replace(seen, silent_s=max(0, seen.silent_s + rounded_s))
                end = evidence.ended_at(1, idle_for(idle_s), seen, open_s)
                assert open_s <= end.least_s <= timeout_s + 0.021, (timeout_s, pause_s)
                assert timeout_s <= end.most_s + 0.021, (timeout_s, pause_s)


def test_a_tls_close_is_dated_by_its_bytes() -> None:
    end = evidence.ended_at(1, idle_for(60), sight(silent_s=10, data_s=55), 0)
    assert end == ended(5)


@pytest.mark.parametrize("seen", [None, sight(got_fin=False), sight(readable=False)])
def test_an_end_that_is_not_dated_came_at_some_time_since_the_connection_was_open(
    seen: Sight | None,
) -> None:
    assert evidence.ended_at(1, idle_for(60), seen, 20) == ended(20, 60)


def test_a_response_that_was_read_late_leaves_open_since_when_the_server_waits() -> None:
    idle = Idle(least_s=10, most_s=100)
    end = evidence.ended_at(1, idle, sight(silent_s=4), 0)
    assert (end.least_s, end.most_s) == pytest.approx((6, 96), abs=0.03)
    assert decided(after(kept(30)), 10, repeatable=False) == REUSE
    late = policy.decide(after(kept(30)), idle, silent_s=0, announced_s=None, repeatable=False)
    assert late == FRESH


@pytest.mark.parametrize(
    ("seen", "silence_s"),
    [
        (None, 60),
        (sight(silent_s=15), 15),
        (sight(silent_s=None), 45),  # the system gives up what its probes do not reach
        (sight(silent_s=None, probes_s=None), 60),
    ],
)
def test_the_silence_of_a_path(seen: Sight | None, silence_s: float) -> None:
    assert evidence.silence_s(idle_for(60), seen) == silence_s


# Programs that ask in a rhythm


def rounds(timeout_s: float, pause_s: float, *, repeatable: bool, number: int = 8) -> list[str]:
    """What becomes of each round, on a path that forgets nothing: exact to the second."""
    known, connection, aside_s, probes, opened = Known(), 0, None, True, []
    for _ in range(number):
        if connection == 0:
            connection, outcome = 1, "first"
        else:
            if aside_s is not None:
                open_s, aside_s = aside_s, aside_s + pause_s
                if aside_s >= timeout_s:
                    seen = found(timeout_s, aside_s, probes=probes)
                    known = known.after(evidence.ended_at(9, idle_for(aside_s), seen, open_s))
                    aside_s = None
                else:
                    seen = open_at(aside_s)
                    known = known.after(evidence.kept_until(9, idle_for(aside_s), seen))
            if pause_s >= timeout_s:
                seen = found(timeout_s, pause_s)
                known = known.after(evidence.ended_at(connection, idle_for(pause_s), seen, 0))
                connection, outcome = connection + 1, "reset"
            else:
                known = known.after(
                    evidence.kept_until(connection, idle_for(pause_s), open_at(pause_s))
                )
                decision = decided(known, pause_s, silent_s=pause_s % 45, repeatable=repeatable)
                outcome = decision.name.lower()
                if decision is FRESH:
                    connection += 1
                    if aside_s is None and not known.is_exact():
                        aside_s, probes = pause_s, known.probes_aside()
                else:
                    known = known.after(kept(pause_s, connection))
        opened.append(outcome)
    return opened


def open_at(idle_s: float) -> Sight:
    return sight(readable=False, got_fin=False, silent_s=idle_s % 45, data_s=idle_s)


@pytest.mark.parametrize("timeout_s", [65, 75, 350, 1e9])
def test_a_poller_keeps_its_connection_to_a_server_that_keeps_it(timeout_s: float) -> None:
    opened = rounds(timeout_s, 60, repeatable=True)
    assert opened[0] == "first"
    assert set(opened[1:]) <= {"try", "reuse"}


@pytest.mark.parametrize("pause_s", [0.2, 1, 5, 10, 30, 40, 50, 60, 100, 250])
@pytest.mark.parametrize("factor", [1.5, 2, 3, 10, 1e9])
def test_a_program_that_only_posts_keeps_its_connection_from_the_fifth_round_on(
    pause_s: float, factor: float
) -> None:
    opened = rounds(pause_s * factor, pause_s, repeatable=False)
    assert set(opened[4:]) == {"reuse"}, opened


@pytest.mark.parametrize("pause_s", [5, 10, 60])
def test_a_program_that_only_posts_never_uses_a_connection_at_its_last_moment(
    pause_s: float,
) -> None:
    opened = rounds(pause_s * 1.02, pause_s, repeatable=False, number=12)
    assert set(opened[1:]) == {"fresh"}
