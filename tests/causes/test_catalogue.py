"""Evidence and cures in words: the numbers are those that were seen, and none is invented."""

from __future__ import annotations

from typing import Any

import pytest

from keptalive.causes.catalogue import ROWS
from keptalive.causes.judge import RULES, judged
from keptalive.records.evidence import Ended, How, Opening, Traffic

HOST = "https://api.test:443"


def opening(**values: Any) -> Opening:
    return Opening(**{"host": HOST, "owner": 1, "thread": 1, "answered": True, **values})


def idle(idle_s: float, **values: Any) -> Opening:
    how = values.pop("how", How.FIN)
    place = values.pop("asked_at", None)
    return opening(ended=Ended(how=how, idle_s=idle_s, served=3, **values), asked_at=place)


def said(cause: str, *openings: Opening, **traffic: Any) -> tuple[str, str]:
    row, numbers = ROWS[cause], Traffic(**traffic)
    return row.evidence(openings, numbers), row.cure(openings, numbers)


def test_every_cause_that_a_rule_names_has_its_words():
    assert {cause for cause, _ in RULES} | {"unknown"} == set(ROWS)
    assert all(row.means for row in ROWS.values())


def test_an_idle_timeout_is_told_with_what_the_program_did_and_what_the_socket_showed():
    evidence, cure = said(
        "idle-timeout",
        idle(61.0, how=How.TLS_CLOSE, asked_at="sync.py:48"),
        idle(71.0, how=How.TLS_CLOSE, asked_at="sync.py:48"),
        longest_survived_s=57.94,
    )
    assert evidence == (
        "Your program waits 61.0 s to 71.0 s between requests (sync.py:48); connections survived "
        "57.9 s. The socket showed a TLS close."
    )
    assert cure.startswith("tuned_session(max_idle=59) replaces it")
    assert cure.endswith("ask at least every 57.9 s.")


@pytest.mark.parametrize(
    ("survived", "died", "max_idle"),
    [(57.96, 100.0, "61"), (3.002, 6.0, "3.2"), (5.0, 5.1, "5.02"), (0.199, 100.0, "0.21")],
)
def test_the_limit_that_is_advised_is_above_what_survived_and_below_what_did_not(
    survived, died, max_idle
):
    _, cure = said("idle-timeout", idle(died), longest_survived_s=survived)
    assert survived < float(max_idle) < died
    assert f"max_idle={max_idle})" in cure


def test_a_timeout_that_the_server_announces_is_quoted_and_kept_below():
    evidence, cure = said("idle-timeout", idle(7.1, keep_alive="timeout=5, max=100"))
    assert "The server says Keep-Alive: timeout=5, max=100." in evidence
    assert "max_idle=4.5)" in cure


def test_without_a_known_time_no_number_is_advised():
    _, cure = said("idle-timeout", idle(7.1))
    assert cure.startswith("tuned_session(max_idle=T), T below the server's time (7.1 s at most),")


def test_an_end_after_the_announced_time_is_an_idle_timeout_the_first_time_already():
    found = idle(5.2, keep_alive="timeout=5")
    assert judged([found], {HOST: Traffic(longest_survived_s=5.15)}) == ["idle-timeout"]
    assert judged([idle(5.2)], {HOST: Traffic(longest_survived_s=5.15)}) == ["server-closed"]


def test_what_max_idle_has_replaced_is_said():
    evidence, cure = said("idle-timeout", idle(60.0, how=How.REPLACED))
    assert evidence.endswith("max_idle replaced 1 of them in time.")
    assert cure.startswith("Nothing, unless")


def test_responses_that_were_left_unread_are_told_with_their_place():
    assert said("unread-body", opening(unread=1, left_at="sync.py:16"))[0] == (
        "Asked for with stream=True at sync.py:16."
    )
    assert said("unread-body", opening(unread=1, place="sync.py:3"))[0] == (
        "Sessions made at sync.py:3."
    )


def test_a_pool_is_advised_to_be_larger_than_it_is():
    small = opening(busy=2, discarded=True, pool_size=4, together=7)
    assert said("pool-too-small", small) == (
        "Up to 7 connections at once; the pool keeps 4.",
        "tuned_session(threads=7), or HTTPAdapter(pool_maxsize=7).",
    )


def test_of_many_places_three_are_named():
    made = [opening(place=f"a.py:{line}") for line in range(5)]
    assert said("new-session", *made)[0] == ("Sessions made at a.py:0, a.py:1, a.py:2 and 2 more.")


def test_a_single_response_is_not_told_as_several():
    one = opening(ended=Ended(how=How.CLOSED_HERE, served=1, announced=True))
    assert said("close-announced", one)[0] == "Each had served 1 response."
