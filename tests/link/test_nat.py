from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from keptalive.link.nat import Nat
from keptalive.link.packets import Segment

CLIENT, SERVER = 40_000, 443
TIMEOUT_S = 10.0
OPENS = Segment(CLIENT, SERVER, opens=True)
OUT = Segment(CLIENT, SERVER, opens=False)
BACK = Segment(SERVER, CLIENT, opens=False)


def nat() -> Nat:
    made = Nat()
    made.forget_after(SERVER, TIMEOUT_S)
    return made


def passed(nat: Nat, *segments: tuple[Segment, float]) -> list[bool]:
    return [nat.passes(segment, now_s=now_s) for segment, now_s in segments]


def test_a_flow_passes_as_long_as_it_is_used():
    assert passed(nat(), (OPENS, 0), (BACK, 0.1), (OUT, 10), (BACK, 20), (OUT, 30)) == [True] * 5


def test_a_flow_that_was_idle_for_longer_is_gone_in_both_directions_and_stays_so():
    mine = nat()
    assert passed(mine, (OPENS, 0), (OUT, 10.1), (OUT, 10.3), (BACK, 10.4)) == [
        *(True, False, False, False)
    ]
    assert mine.dropped == 3


def test_what_the_server_sends_to_a_forgotten_flow_does_not_bring_it_back():
    assert passed(nat(), (OPENS, 0), (BACK, 11), (OUT, 11.1)) == [True, False, False]


def test_a_new_connection_passes_also_from_the_port_of_a_forgotten_one():
    assert passed(nat(), (OPENS, 0), (OUT, 11), (OPENS, 12), (BACK, 12.1)) == [
        *(True, False, True, True)
    ]


def test_probes_of_tcp_keepalive_are_use():
    probes = [(OUT, 9.0 * number) for number in range(1, 9)]
    assert passed(nat(), (OPENS, 0), *probes) == [True] * 9


def test_servers_without_a_timeout_are_none_of_its_business():
    other = Segment(CLIENT, 80, opens=False)
    assert passed(nat(), (other, 1e6), (Segment(80, CLIENT, opens=False), 2e6)) == [True, True]
    assert not Nat().is_used
    assert nat().is_used


def test_flows_are_told_apart_by_the_port_of_the_client():
    another = Segment(CLIENT + 1, SERVER, opens=False)
    assert passed(nat(), (OPENS, 0), (another, 0.1)) == [True, False]


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 25)), max_size=30))
def test_a_segment_passes_if_and_only_if_its_flow_was_used_within_the_timeout(steps):
    mine, now_s, last_s = nat(), 0.0, 0.0
    mine.passes(OPENS, now_s=0.0)
    for is_back, after_s in steps:
        now_s += after_s
        alive = now_s - last_s <= TIMEOUT_S
        assert mine.passes(BACK if is_back else OUT, now_s=now_s) is alive
        last_s = now_s if alive else float("-inf")
