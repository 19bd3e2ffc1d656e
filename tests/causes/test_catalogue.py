"""The words of each cause: numbers are those that were seen, and none is invented."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pytest
from tests.causes.records import opened

from keptalive.causes.catalogue import CATALOGUE, ROWS
from keptalive.causes.facts import Opening
from keptalive.causes.patterns import Pattern
from keptalive.records.connection import CloseReason
from keptalive.records.report import UNAVOIDABLE

NAMES = (
    *("first-use", "concurrency", "new-session", "new-adapter", "session-closed", "pool-evicted"),
    *("tls-settings-differ", "proxy-differs", "pool-too-small", "unread-body", "abandoned-body"),
    *("failed-request", "stale-connection", "silent-drop", "close-announced", "close-requested"),
    *("http-1.0", "idle-timeout", "max-idle", "request-limit", "server-closed", "server-reset"),
    *("timeout-408", "stray-bytes", "tls-message", "retry", "redirect", "unknown"),
)


def after(how: CloseReason = CloseReason.FIN, served: int = 3, **end: Any) -> Opening:
    """An opening whose predecessor ended so; ``at`` is where its own request was made."""
    at = end.pop("at", None)
    before = opened(1, how=how, end=end, served=served)
    return Opening(opened(2, replaces=1, request_location=at), before)


def plain(**facts: Any) -> Opening:
    return Opening(opened(2, **facts))


def words(cause: str, openings: Sequence[Opening], **pattern: Any) -> tuple[str, str]:
    """Evidence and cure."""
    row = CATALOGUE[cause]
    facts = row.facts(openings, Pattern(**pattern))
    return row.evidence(facts), row.cure(facts)


def test_the_catalogue_has_every_cause_once():
    assert tuple(row.name for row in ROWS) == NAMES


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_cause_has_words_even_where_no_fact_is_known(row):
    assert row.meaning
    assert not row.meaning.endswith(".")
    assert row.evidence({}) == ""
    assert re.fullmatch(r".+[.]", row.cure({}))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_cause_has_words_for_a_connection_of_which_nothing_was_seen(row):
    facts = row.facts([plain()], Pattern())
    assert "None" not in row.evidence(facts) + row.cure(facts)
    assert "{" not in row.evidence(facts) + row.cure(facts)


def test_what_is_unavoidable_nobody_can_mend():
    assert {CATALOGUE[name].mended_by for name in UNAVOIDABLE} == {"nobody"}


def test_an_idle_timeout_is_told_with_what_the_program_did_and_how_it_was_closed():
    idle = [after(CloseReason.TLS_CLOSE, idle_s=idle_s, at="sync.py:48") for idle_s in (61.0, 71.0)]
    evidence, cure = words("idle-timeout", idle, survived_s=(57.94,))
    assert evidence == (
        "Idle 61.0 s to 71.0 s before each (sync.py:48). 57.9 s idle was survived, 61.0 s was not. "
        "The server had closed it (TLS close)."
    )
    assert cure == (
        "tuned_session() learns when the server closes idle connections: this avoids errors, not "
        "the new handshake. To reuse it instead, send requests at least every 57.9 s."
    )


def test_a_timeout_that_the_server_announces_is_quoted_and_kept_below():
    evidence, cure = words("idle-timeout", [after(idle_s=7.1, keep_alive="timeout=5, max=100")])
    assert "The server announces Keep-Alive: timeout=5, max=100." in evidence
    assert cure.endswith("To reuse it instead, send requests more often than every 5.0 s.")


def test_without_a_survived_time_no_number_is_advised():
    assert words("idle-timeout", [after(idle_s=7.1)])[1].endswith(
        "To reuse it instead, send requests more often than every 7.1 s."
    )


def test_what_max_idle_has_replaced_is_said():
    evidence, cure = words("max-idle", [after(CloseReason.REPLACED, idle_s=60.0, at="a.py:1")])
    assert evidence == (
        "Your session replaced it after 60.0 s idle, at a.py:1. The server was never seen closing "
        "one in 60.0 s."
    )
    assert cure == "Leave out max_idle, and the session learns how long the server keeps them."


def test_a_connection_that_the_path_reset_needs_no_number_but_a_session_that_learns():
    cure = words("server-reset", [after(CloseReason.RST, idle_s=600.0)], survived_s=(300.0,))[1]
    assert cure == (
        "A load balancer or firewall may have dropped it. tuned_session() learns when the server "
        "closes idle connections: this avoids errors, not the new handshake."
    )


def test_responses_that_were_left_unread_are_told_with_their_place():
    assert words("unread-body", [plain(unread_location="sync.py:16")])[0] == (
        "Requested with stream=True at sync.py:16."
    )
    never_read = after(CloseReason.NEVER_READ, request_location="sync.py:17")
    assert words("unread-body", [never_read])[0] == "Requested with stream=True at sync.py:17."
    assert words("unread-body", [plain(session_location="sync.py:3")])[0] == (
        "Sessions made at sync.py:3."
    )


def test_a_response_that_was_closed_unread_is_told_with_its_place():
    closed = after(CloseReason.CLOSED_UNREAD, request_location="sync.py:16")
    assert words("abandoned-body", [closed])[0] == "Requested with stream=True at sync.py:16."


@pytest.mark.parametrize(("most_at_once", "needed"), [(7, 7), (2, 5)])
def test_a_pool_is_advised_to_be_larger_than_it_is(most_at_once, needed):
    small = plain(pool_size=4, most_at_once=1)
    assert words("pool-too-small", [small], most_at_once=most_at_once) == (
        f"Up to {most_at_once} requests at once; the pool keeps 4.",
        f"tuned_session(threads={needed}), or HTTPAdapter(pool_maxsize={needed}).",
    )


def test_locations_are_counted_and_the_most_frequent_comes_first():
    made = [plain(session_location=at) for at in ("b.py:9", "a.py:1", "b.py:9")]
    assert words("new-session", made)[0] == "Sessions made at b.py:9 (2), a.py:1 (1)."


def test_lines_of_one_file_are_in_their_order_and_name_it_once():
    made = [plain(session_location=f"C:\\a b.py:{line}") for line in (10, 9, 9, 10, 100)]
    assert words("new-session", made)[0] == "Sessions made at C:\\a b.py:9 (2), :10 (2), :100 (1)."


def test_a_library_through_which_only_some_went_is_counted():
    made = [plain(session_location="a.py:1", session_library=via) for via in (None, "x.py:2")]
    assert words("new-session", made)[0] == "Sessions made at a.py:1, through x.py:2 (1)."


def test_idle_times_are_told_with_the_session_where_no_line_of_the_program_is_known():
    opening = after(idle_s=7.1)._replace(connection=opened(2, session_location="a.py:3"))
    assert words("idle-timeout", [opening])[0].startswith(
        "Idle 7.1 s before each (by the Session made at a.py:3)."
    )


def test_of_many_locations_three_are_named_and_ten_are_facts():
    made = [plain(session_location=f"a.py:{line:02}") for line in range(15)]
    assert words("new-session", made)[0] == ("Sessions made at a.py:00, :01, :02 and 12 more.")
    facts = CATALOGUE["new-session"].facts(made, Pattern())
    assert (len(facts["sessions_at"]), facts["sessions_at_more"]) == (10, 5)


@pytest.mark.parametrize(
    ("served", "said"),
    [
        ((1,), "Each had served 1 response."),
        ((5, 5), "Each had served 5 responses."),
        ((1, 9), "Each had served 1 to 9 responses."),
    ],
)
def test_responses_are_counted(served, said):
    ends = [after(CloseReason.CLOSE_ANNOUNCED, served=number) for number in served]
    assert words("close-announced", ends)[0] == said


def test_errors_are_named_with_their_number():
    failed = [after(CloseReason.FAILED, error=name) for name in ("ReadTimeout", "E", "ReadTimeout")]
    assert words("failed-request", failed)[0] == "It ended in ReadTimeout (2), E (1)."
