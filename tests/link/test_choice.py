"""Which link is used, and what is said of it, whatever the machine allows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from keptalive.errors import UsageError
from keptalive.link import choice
from keptalive.link.choice import opened_link
from keptalive.link.process import LinkError


class Machine:
    """A machine that allows some links, and gives reasons for the others."""

    def __init__(self, *, user: bool = False, **refused: str) -> None:
        self.refused = refused
        self.user = user
        self.tried: list[str] = []
        self.left: list[str] = []

    @contextmanager
    def entered_link(self, kind: str, *, rtt_ms: float) -> Iterator[SimpleNamespace]:
        self.tried.append(kind)
        if kind in self.refused:
            raise LinkError(self.refused[kind])
        try:
            yield SimpleNamespace(kind=kind, user=self.user)
        finally:
            self.left.append(kind)


@pytest.fixture
def machine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch):
    def allows(**settings) -> Machine:
        made = Machine(**settings)
        monkeypatch.setattr(choice, "entered_link", made.entered_link)
        return made

    return allows


def test_auto_takes_a_tun_device_first_and_leaves_it_at_the_end(machine):
    mine = machine()
    with opened_link("auto", rtt_ms=20) as link:
        assert (link.kind, link.delay_ms, link.listen, link.named) == (
            *("tun", 0, "192.0.2.1", "192.0.2.2"),
        )
        assert link.said == (
            "Link: a TUN device in a network namespace; TCP's handshake takes 20 ms too."
        )
        assert mine.left == []
    assert (mine.tried, mine.left) == (["tun"], ["tun"])


def test_auto_takes_a_veth_pair_where_there_is_no_tun_device(machine):
    mine = machine(tun="no /dev/net/tun: No such file or directory", user=True)
    with opened_link("auto", rtt_ms=7.5) as link:
        assert link.kind == "veth"
        assert link.said == (
            "Link: a veth pair in a user namespace; TCP's handshake takes 7.5 ms too."
        )
    assert mine.tried == ["tun", "veth"]


def test_auto_takes_the_delay_where_there_is_neither_and_says_why_once(machine):
    machine(tun="it takes Linux", veth="it takes Linux")
    with opened_link("auto", rtt_ms=20) as link:
        assert (link.kind, link.delay_ms, link.listen, link.named) == (
            *("delay", 20, "127.0.0.1", "127.0.0.1"),
        )
        assert link.said == (
            "Link: a delay in the test server, because a true link is not possible here: it takes "
            "Linux."
        )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"rtt_ms": 0}, ""),
        (
            {"rtt_ms": 20, "unless": "your programs may need it"},
            "Link: a delay in the test server, because your programs may need it.",
        ),
    ],
)
def test_auto_makes_no_link_that_is_of_no_use(machine, options, said):
    mine = machine()
    with opened_link("auto", **options) as link:
        assert (link.kind, link.said, link.delay_ms) == ("delay", said, options["rtt_ms"])
        link.settle()
    assert mine.tried == []


def test_what_is_asked_for_is_made_also_for_programs_and_without_a_round_trip_time(machine):
    mine = machine()
    with opened_link("veth", rtt_ms=0, unless="your programs may need it") as link:
        assert link.said == "Link: a veth pair in a network namespace."
    assert mine.tried == ["veth"]


def test_what_is_needed_is_made_also_for_programs_and_without_a_round_trip_time(machine):
    mine = machine()
    with opened_link("auto", rtt_ms=0, needed_by="scenario nat-timeout=2", unless="no") as link:
        assert link.true is not None
    assert mine.tried == ["tun"]


def refusal(wanted: str, needed_by: str | None = None) -> str:
    with pytest.raises(UsageError) as refused, opened_link(wanted, rtt_ms=20, needed_by=needed_by):
        raise AssertionError("made")
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_what_is_asked_for_and_not_possible_is_refused_with_the_next_step(machine):
    machine(tun="no TUN device: Operation not permitted")
    assert refusal("tun") == (
        "This machine does not allow a link of a TUN device: no TUN device: Operation not "
        "permitted. Next: --link auto, which takes what is possible."
    )


def test_what_is_needed_and_not_possible_is_refused_with_the_next_step(machine):
    machine(tun="it takes Linux", veth="it takes Linux")
    assert refusal("auto", "scenario nat-timeout=2") == (
        "scenario nat-timeout=2 works on a true link only (a true link is not possible here: it "
        "takes Linux). Next: root on Linux, or leave it out."
    )
    assert refusal("delay", "scenario nat-timeout=2") == (
        "scenario nat-timeout=2 works on a true link only (as asked). Next: --link auto."
    )
